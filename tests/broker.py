"""A real mosquitto for tests: mutual TLS 1.3, the common name as user name and client id.

Found by OUTRIDER_MOSQUITTO, else where `./run setup` puts it, else on the PATH; without one the
test fails, since a link that was not tried against a broker is not tested.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.pki import Identity, Pki

START_S = 10.0
_PORT_TRIES = 5


def mosquitto_path() -> str:
    """The broker's program. Raises RuntimeError with the remedy."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = Path(os.environ.get("OUTRIDER_CACHE") or Path(home) / "outrider")
    named = os.environ.get("OUTRIDER_MOSQUITTO")
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"))
    for candidate in (
        named,
        str(cache / "bin" / "mosquitto"),
        shutil.which("mosquitto", path=path),
    ):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise RuntimeError("no mosquitto: run ./run setup, or set OUTRIDER_MOSQUITTO to its path")


def free_port() -> int:
    """A port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """One mosquitto on the loopback; the port stays the same over restarts.

    `acl` is the text of the access list; by default everyone may do everything. `options` are
    further lines of its configuration.
    """

    def __init__(
        self,
        folder: Path,
        pki: Pki,
        *,
        server: Identity | None = None,
        acl: str = "pattern readwrite #\n",
        options: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._pki, self._options = folder, pki, tuple(options)
        self._server = server or pki.server()
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._is_frozen = False
        self.port = 0
        self.acl_file = folder / "acl"
        self.acl_file.write_text(acl)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    def start(self) -> Broker:
        """Start it and wait until it listens."""
        assert self._process is None, "the broker is running"
        for _ in range(1 if self.port else _PORT_TRIES):
            port = self.port or free_port()
            if self._try_start(port):
                self.port = port
                return self
        raise RuntimeError("mosquitto does not start: " + " | ".join(self._lines[-5:]))

    def stop(self) -> None:
        """Ask it to end (SIGTERM); clients get a DISCONNECT."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: the kernel still answers for it, it does not."""
        os.kill(self.pid, signal.SIGSTOP)
        self._is_frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)
        self._is_frozen = False

    def reload(self) -> None:
        """SIGHUP: read the access list again."""
        os.kill(self.pid, signal.SIGHUP)

    def wait_for_log(self, pattern: str, timeout_s: float = START_S) -> str:
        """The first line of this run that matches."""
        deadline_s = time.monotonic() + timeout_s
        with self._news:
            while True:
                for line in self._lines:
                    if re.search(pattern, line):
                        return line
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or not self._news.wait(left_s):
                    raise TimeoutError(f"mosquitto did not log {pattern!r}: {self._lines[-5:]}")

    def log_count(self, pattern: str) -> int:
        """How many lines of this run match so far."""
        with self._news:
            return sum(1 for line in self._lines if re.search(pattern, line))

    def __enter__(self) -> Broker:
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def _configuration(self, port: int) -> str:
        lines = (
            f"listener {port} 127.0.0.1",
            f"cafile {self._pki.ca_file}",
            f"certfile {self._server.cert_file}",
            f"keyfile {self._server.key_file}",
            "tls_version tlsv1.3",
            "require_certificate true",
            "use_identity_as_username true",
            "use_username_as_clientid true",
            "set_tcp_nodelay true",
            "persistence false",
            f"acl_file {self.acl_file}",
            "log_dest stderr",
            "log_type all",
            *(("user root",) if os.geteuid() == 0 else ()),  # else it cannot read our folder
            *self._options,
        )
        return "\n".join(lines) + "\n"

    def _try_start(self, port: int) -> bool:
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text(self._configuration(port))
        self._lines.clear()
        process = subprocess.Popen(
            [mosquitto_path(), "-c", str(configuration)],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
        self._process = process
        threading.Thread(target=self._read_log, args=(process,), daemon=True).start()
        try:
            line = self.wait_for_log("mosquitto version .* running|mosquitto ended|Error")
        except TimeoutError:
            line = ""
        if "running" in line:
            return True
        self._end(signal.SIGKILL)
        return False

    def _read_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                with self._news:
                    self._lines.append(line.rstrip())
                    self._news.notify_all()
        with self._news:
            if process is self._process:
                self._lines.append("mosquitto ended")
                self._news.notify_all()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        if self._is_frozen:
            process.send_signal(signal.SIGCONT)
            self._is_frozen = False
        process.wait(START_S)
