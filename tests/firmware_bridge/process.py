"""The bridge as a process of its own, started as systemd starts it: by the `outrider` command."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.hil.helpers import REPOSITORY, Emulator

START_S = 20.0


class BridgeProcess:
    """`outrider bridge run` in `folder`; boards and recorders as name -> port."""

    def __init__(
        self,
        folder: Path,
        *,
        boards: dict[str, Path] | None = None,
        recorders: dict[str, Path] | None = None,
        socket: Path | None = None,
    ) -> None:
        self.folder = folder
        self.socket = socket or folder / "devices.sock"
        self.config, self.log = folder / "bridge.toml", folder / "bridge.log"
        text = f'log_level = "debug"\n[agent]\nsocket = "{self.socket}"\n'
        for kind, devices in (("board", boards), ("recorder", recorders)):
            for name, port in (devices or {}).items():
                text += f'[[{kind}]]\nname = "{name}"\nport = "{port}"\n'
        self.config.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> BridgeProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> BridgeProcess:
        """Returns once it is ready."""
        with self.log.open("ab") as log:
            at = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "outrider.py", "bridge", "run", "--config", str(self.config)],
                cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline_s = time.monotonic() + START_S
        while b"event=ready" not in self.log.read_bytes()[at:]:
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise AssertionError(f"bridge did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.01)
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(10)

    def logged(self, text: str) -> int:
        """How many lines contain `text`."""
        return sum(text in line for line in self.log.read_text().splitlines())


def board(folder: Path, *options: str) -> Emulator:
    """An emulated board at folder/board."""
    link, state = str(folder / "board"), str(folder / "board.json")
    return Emulator("board", "--link", link, "--state", state, *options)


def recorder(folder: Path, name: str = "body-1", *options: str) -> Emulator:
    """An emulated recorder at folder/<its name>, its files in folder/media."""
    return Emulator(
        "recorder", "--device", name, "--link", str(folder / name),
        "--state", str(folder / f"{name}.json"), "--media", str(folder / "media"),
        "--repeat-s", "0.5", *options,
    )  # fmt: skip
