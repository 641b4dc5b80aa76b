"""What the tests of the emulators share: the shared data, an emulator process, a port's reader."""

import asyncio
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import pytest
import serial

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("OUTRIDER_DATA", REPOSITORY.parent / "shared" / "data"))
DRIVES = sorted(
    path for path in (DATA / "gnss-drives").glob("*") if path.suffix in {".nmea", ".log", ".gga"}
)

needs_data = pytest.mark.skipif(not DRIVES, reason="no shared data")
each_drive = pytest.mark.parametrize(
    "drive", DRIVES or [pytest.param(None, marks=needs_data)], ids=lambda p: getattr(p, "name", "-")
)

T = TypeVar("T")


def run(work: Coroutine[object, object, T], timeout_s: float = 20.0) -> T:
    """Runs `work` on a fresh loop with a deadline."""

    async def limited() -> T:
        async with asyncio.timeout(timeout_s):
            return await work

    return asyncio.run(limited())


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Waits on the loop until the condition holds."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {timeout_s} s"
        await asyncio.sleep(0.002)


class Reader:
    """The other end of an emulated port, on the loop."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.got = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.fd)

    async def until(self, enough: Callable[[bytes], bool], timeout_s: float = 10.0) -> bytes:
        """Reads until `enough(all so far)`; returns and forgets all so far."""
        async with asyncio.timeout(timeout_s):
            while not enough(self.got):
                await self._one_read()
        got, self.got = self.got, b""
        return got

    async def line(self, timeout_s: float = 10.0) -> bytes:
        """The next line."""
        async with asyncio.timeout(timeout_s):
            while b"\n" not in self.got:
                await self._one_read()
        line, _, self.got = self.got.partition(b"\n")
        return line

    async def _one_read(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self.fd, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_reader(self.fd)
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:  # the kernel may wake us for nothing
            return
        if not data:
            raise OSError("hung up")
        self.got += data

    def write(self, data: bytes) -> None:
        """Sends to the emulator."""
        assert os.write(self.fd, data) == len(data)


class Emulator:
    """`python -m hil …` as a process."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hil", *arguments],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._partial = b""
        self.events: list[dict[str, object]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def tell(self, **command: object) -> None:
        """Gives one control command."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()

    def event(self, name: str, timeout_s: float = 10.0) -> dict[str, object]:
        """The next event of that name; those before it are skipped, all are kept in `events`."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            while b"\n" in self._partial:
                line, _, self._partial = self._partial.partition(b"\n")
                self.events.append(json.loads(line))
                if self.events[-1]["event"] == name:
                    return self.events[-1]
            self._read_more(name, deadline_s)

    def _read_more(self, name: str, deadline_s: float) -> None:
        assert self._process.stdout
        ready, _, _ = select.select(
            [self._process.stdout], [], [], max(0.0, deadline_s - time.monotonic())
        )
        data = os.read(self._process.stdout.fileno(), 65536) if ready else b""
        assert data, f"no event {name}; had {self.events}"
        self._partial += data

    def close_stdin(self) -> None:
        """As if the parent had died."""
        assert self._process.stdin
        self._process.stdin.close()

    def kill(self) -> None:
        """As if its power had failed."""
        self._process.kill()
        self._process.wait(10)

    def end(self) -> int:
        """Terminates it; returns the exit code."""
        self._process.terminate()
        try:
            return self._process.wait(10)
        finally:
            self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()

    def wait(self, timeout_s: float = 10.0) -> int:
        """Waits for its own end."""
        return self._process.wait(timeout_s)


def read_serial(path: str, enough: Callable[[bytes], bool], timeout_s: float = 10.0) -> bytes:
    """Opens the port as programs do (pyserial) and reads until `enough(all so far)`."""
    got = b""
    deadline_s = time.monotonic() + timeout_s
    with serial.Serial(path, 115200, timeout=0.02) as port:
        while not enough(got):
            assert time.monotonic() < deadline_s, f"not enough in {timeout_s} s: {got[-400:]!r}"
            got += port.read(65536)
    return got
