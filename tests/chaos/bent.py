"""A daemon on a machine whose system calls fail: started under strace, which spoils some."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from tests.rim.daemon import Daemon


@cache
def _strace() -> str | None:
    """The program, where it may trace here."""
    found = shutil.which("strace")
    if found is None:
        return None
    tried = subprocess.run([found, "-o", "/dev/null", "true"], check=False, capture_output=True)
    return found if tried.returncode == 0 else None


def under(argv: Sequence[str], *injections: str) -> list[str]:
    """`argv` with e.g. `fdatasync:error=EIO:when=9+`; skips, saying so, where strace may not."""
    strace = _strace()
    if strace is None:
        pytest.skip("faults of system calls need strace and the right to trace")
    calls = ",".join(dict.fromkeys(one.partition(":")[0] for one in injections))
    bent = [strace, "-f", "--seccomp-bpf", "-q", "-o", "/dev/null", "-e", f"trace={calls}"]
    for one in injections:
        bent += ["-e", f"inject={one}"]
    return [*bent, *argv]


@contextlib.contextmanager
def bent(daemon: Daemon, *injections: str) -> Iterator[None]:
    """The daemon's next start has these faults; afterwards it is ended if it still runs."""
    straight = daemon.argv
    daemon.argv = under(straight, *injections)
    try:
        yield
    finally:
        daemon.argv = straight
        if daemon.is_alive:
            kill(daemon)


def kill(daemon: Daemon) -> None:
    """A tracer that dies lets its daemon go: that one first."""
    children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
    for child in children.read_text().split():
        os.kill(int(child), signal.SIGKILL)
    daemon.kill()
