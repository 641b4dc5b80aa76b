"""The agent as a process of its own, with a receiver on a pseudo-terminal and a crew's socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.agent.enrolled import DEVICE, FLEET
from tests.agent.receiver import line

REPOSITORY = Path(__file__).resolve().parents[2]
START_S = 15.0
RUN = (
    "import sys; from pathlib import Path; from agent.app import main;"
    " sys.exit(main(Path(sys.argv[1])))"
)


class Receiver:
    """Speaks RMC and GGA of now, at `hz`, until closed."""

    def __init__(self, hz: float = 5.0) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.lat, self.lon = 24.513, 117.647
        self.is_mute, self.noise = False, b""
        self.date_shift = timedelta()  # how wrong its date is
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._speak, args=(1 / hz,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def _speak(self, step_s: float) -> None:
        while not self._over.wait(step_s):
            if self.is_mute:
                continue
            try:
                os.write(
                    self._master, self.noise + self._epoch(datetime.now(UTC) + self.date_shift)
                )
            except BlockingIOError:
                continue  # nobody reads

    def _epoch(self, at: datetime) -> bytes:
        time_text = f"{at:%H%M%S}.{at.microsecond // 10000:02d}"
        lat = f"{int(self.lat):02d}{self.lat % 1 * 60:08.5f}"
        lon = f"{int(self.lon):03d}{self.lon % 1 * 60:08.5f}"
        return line(f"GNRMC,{time_text},A,{lat},N,{lon},E,5.0,90.0,{at:%d%m%y},,,A") + line(
            f"GNGGA,{time_text},{lat},N,{lon},E,1,09,0.9,12.0,M,0.0,M,,"
        )


class AgentProcess:
    """`outrider agent run` in `folder`; `start` waits for its readiness line."""

    def __init__(self, folder: Path, keys: Path, broker_port: int, gnss: str) -> None:
        self.folder, self.socket = folder, folder / "devices.sock"
        self.config = folder / "agent.toml"
        self.log = folder / "agent.log"
        self.tables = {
            "gnss": f'port = "{gnss}"\nbaud = 115200',
            "broker": f'host = "127.0.0.1"\nport = {broker_port}\nkeepalive_s = 2\n'
            "backoff_base_s = 0.1\nbackoff_cap_s = 0.5\nhandshake_interval_s = 0",
            "keys": f'folder = "{keys}"',
            "store": 'file = "agent.db"',
            "devices": 'socket = "devices.sock"',
            "report": "interval_s = 0.5\nlease_s = 3",
            "track": "entry_s = 2\nscratch_s = 1",
        }
        self.under: list[str] = []  # a command that runs it, e.g. strace
        self._process: subprocess.Popen[bytes] | None = None
        self._crews: list[Crew] = []

    def configure(self) -> None:
        """Write the settings file from `tables`."""
        text = f'fleet = "{FLEET}"\ndevice = "{DEVICE}"\nlog_level = "info"\n'
        text += "".join(f"[{name}]\n{lines}\n" for name, lines in self.tables.items())
        self.config.write_text(text)

    def crew(self) -> Crew:
        """A connection to the socket; closed with the agent."""
        self._crews.append(Crew(self.socket))
        return self._crews[-1]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> AgentProcess:
        self.configure()
        with self.log.open("ab") as log:
            at = log.tell()
            self._process = subprocess.Popen(
                [*self.under, sys.executable, "-c", RUN, str(self.config)],
                cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline_s = time.monotonic() + START_S
        while b"event=ready" not in self.log.read_bytes()[at:]:
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise AssertionError(f"agent did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.01)
        return self

    def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(START_S)

    def kill(self) -> None:
        assert self._process is not None
        self._signal(signal.SIGKILL)
        self._process.wait(10)

    def _signal(self, number: signal.Signals) -> None:
        """To the agent itself: a tracer that is killed leaves it running."""
        pid = self.pid
        if self.under:
            found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pid = int(found[0]) if found else pid
        os.kill(pid, number)

    def stop(self) -> int:
        for crew in self._crews:
            crew.close()
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
        return self._process.wait(10)


class Crew:
    """One connection to the device socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(10)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rb")

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def say(self, **message: Any) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._file.readline())
        return found

    def ask(self, **message: Any) -> dict[str, Any]:
        self.say(**message)
        return self.hear()

    def until(self, true: Any, what: str, timeout_s: float = 10.0) -> dict[str, Any]:
        """The first line for which `true` holds."""
        deadline_s = time.monotonic() + timeout_s
        last: dict[str, Any] = {}
        while time.monotonic() < deadline_s:
            last = self.hear()
            if true(last):
                return last
        raise AssertionError(f"no {what}: {last}")
