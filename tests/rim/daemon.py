"""One process of the product or of the emulators: started, listened to, ended; nothing is polled.

A reader thread for each stream wakes whoever waits for a line, so a wait ends with the event or
fails at its deadline with the last lines that the process said.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypeVar

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0
STOP_S = 10.0
_LINES_SHOWN = 12
_LOOK_S = 0.02

T = TypeVar("T")


class Waiter:
    """A condition with deadlines: `notify` after a change, `wait` for a state."""

    def __init__(self) -> None:
        self._news = threading.Condition()

    def notify(self) -> None:
        with self._news:
            self._news.notify_all()

    def wait(self, find: Callable[[], T | None], timeout_s: float, what: Callable[[], str]) -> T:
        """What `find` gives once it gives anything true; AssertionError at the deadline."""
        deadline_s = time.monotonic() + timeout_s
        with self._news:
            while True:
                found = find()
                if found:
                    return found
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise AssertionError(f"not within {timeout_s:g} s: {what()}")
                self._news.wait(left_s)


def until(find: Callable[[], T | None], what: str, timeout_s: float = DEADLINE_S) -> T:
    """What `find` gives once it gives anything true, for states that nobody announces."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := find()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(_LOOK_S)
    return found


def outrider(*words: str | Path) -> list[str]:
    """The `outrider` command with this interpreter."""
    return [sys.executable, "-m", "outrider", *map(str, words)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}


def run(
    argv: Sequence[str], *, timeout_s: float = 60.0, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False,
        cwd=REPOSITORY, env=environment(),
    )  # fmt: skip


class Daemon:
    """`lines` is what all runs said on stderr, `said` what they said on stdout."""

    def __init__(self, name: str, argv: Sequence[str]) -> None:
        self.name, self.argv = name, list(argv)
        self.lines: list[str] = []
        self.said: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []
        self._waiter = Waiter()

    def start(self, ready: str | None = "event=ready") -> Daemon:
        """Start it; wait for `ready` in what it says."""
        assert not self.is_alive, f"{self.name} is running"
        mark = self.mark
        self._process = subprocess.Popen(
            self.argv, cwd=REPOSITORY, env=environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        streams = ((self._process.stdout, self.said), (self._process.stderr, self.lines))
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True) for pair in streams
        ]
        for reader in self._readers:
            reader.start()
        if ready is not None:
            self.wait_for(ready, after=mark)
        return self

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def mark(self) -> tuple[int, int]:
        """How much it has said so far, for `wait_for(after=…)`."""
        return len(self.lines), len(self.said)

    def wait_for(
        self, pattern: str, timeout_s: float = DEADLINE_S, after: tuple[int, int] = (0, 0)
    ) -> str:
        """The first line on either stream that matches and was said after `after`."""
        compiled = re.compile(pattern)

        def find() -> str | None:
            new = [*self.lines[after[0] :], *self.said[after[1] :]]
            found = next((line for line in new if compiled.search(line)), None)
            if found is None and not self.is_alive:
                raise AssertionError(f"{self.name} ended before {pattern!r}: {self.tail()}")
            return found

        return self._waiter.wait(find, timeout_s, lambda: f"{self.name} {pattern!r}: {self.tail()}")

    def count(self, pattern: str) -> int:
        return sum(1 for line in self.lines if re.search(pattern, line))

    def tell(self, line: str) -> None:
        """A line to its standard input."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self, timeout_s: float = STOP_S) -> int:
        """Its exit code, once it has ended by itself."""
        assert self._process is not None
        code = self._process.wait(timeout_s)
        for reader in self._readers:
            reader.join(STOP_S)
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code

    def stop(self) -> int:
        """SIGTERM; its exit code. Nothing where it is not running."""
        if self._process is None:
            return 0
        if self.is_alive:
            self.signal(signal.SIGTERM)
        try:
            return self.ended()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} does not stop: {self.tail()}") from None

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.signal(signal.SIGKILL)
        self.ended()

    def tail(self) -> str:
        return "\n".join(self.lines[-_LINES_SHOWN:])

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                lines.append(line.rstrip("\n"))
                self._waiter.notify()
        self._waiter.notify()
