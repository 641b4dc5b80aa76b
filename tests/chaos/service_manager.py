"""What systemd hears of a daemon: a notify socket of the test's own, and whether it is fed."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def service_manager(folder: Path, period_s: float) -> Iterator[socket.socket]:
    """The socket on which systemd hears that a daemon is ready and alive."""
    path = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        heard.settimeout(period_s)
        os.environ["NOTIFY_SOCKET"] = str(path)
        os.environ["WATCHDOG_USEC"] = str(round(period_s * 1e6))
        try:
            yield heard
        finally:
            del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]


def is_fed(heard: socket.socket, period_s: float) -> bool:
    """A sign of life within the watchdog's period."""
    deadline_s = time.monotonic() + period_s
    with contextlib.suppress(TimeoutError):
        while time.monotonic() < deadline_s:
            if b"WATCHDOG=1" in heard.recv(4096):
                return True
    return False
