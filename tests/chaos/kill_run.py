"""One daemon killed at one named point after the other while the world goes on.

Each start is the recovery from the kill before and, once it serves, the way to the next one.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.points import Point
from tests.rim.daemon import Daemon, until

READY = "event=ready"
SERVE_S = 60.0
REACH_S = 15.0
PROVOKE_S = 1.0


@dataclass
class KillRun:
    """`struck`: points reached; `missed`: not reached twice; `ready_s`: from kill to serving."""

    daemon: Daemon
    words: tuple[str, ...]
    rng: random.Random
    provoke: Callable[[], None] = lambda: None  # makes every terminal connect anew
    struck: list[Point] = field(default_factory=list)
    missed: list[Point] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)

    def run(self, points: Sequence[Point]) -> None:
        """The daemon runs; it is killed at every point, and runs again at the end."""
        argv = self.daemon.argv
        self.daemon.kill()
        died_s = time.monotonic()
        for point in points:
            died_s = self._one(point, self.rng.randint(1, point.hits_max), died_s)
        again, self.missed = self.missed, []
        for point in again:
            died_s = self._one(point, 1, died_s)
        self.daemon.argv = argv
        self.daemon.start()
        self.ready_s.append(time.monotonic() - died_s)

    def _one(self, point: Point, hit: int, died_s: float) -> float:
        """From one death to the next; when that was."""
        self.daemon.argv = point.argv(hit, *self.words)
        mark = self.daemon.mark
        self.daemon.start(ready=None)
        if self._serves(mark):
            self.ready_s.append(time.monotonic() - died_s)
        self._dies(point)
        return time.monotonic()

    def _serves(self, mark: tuple[int, int]) -> bool:
        """Whether it came to serve before it died."""

        def is_ready() -> bool:
            return any(READY in line for line in self.daemon.lines[mark[0] :])

        until(lambda: is_ready() or not self.daemon.is_alive, f"{self.daemon.name} serves", SERVE_S)
        return is_ready()

    def _dies(self, point: Point) -> None:
        deadline_s = time.monotonic() + REACH_S
        while self.daemon.is_alive and time.monotonic() < deadline_s:
            if point.needs_birth:
                self.provoke()
            with contextlib.suppress(AssertionError):
                until(lambda: not self.daemon.is_alive, f"{point} reached", PROVOKE_S)
        if self.daemon.is_alive:
            self.missed.append(point)
            self._kill_under_strace()
            self.daemon.kill()
            return
        code = self.daemon.ended()
        assert code == -signal.SIGKILL, f"{point}: exit code {code}: {self.daemon.tail()}"
        self.struck.append(point)

    def _kill_under_strace(self) -> None:
        """A tracer that dies lets its daemon go: that one first."""
        children = Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children")
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)
