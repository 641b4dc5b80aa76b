"""Calls for service, one after the other, at seeded moments near seeded units, until stopped.

Everything that was asked is kept with the incident of its reply: the checker wants each done once.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from manager.client import NoReply
from tests.rim.desk import Desk

LIFE_S = 55  # a request may be repeated for so long: longer than any fault here
AT_ONCE_MAX = 8
_NEAR_DEG = 0.0004
Place = tuple[float, float]


class Caller:
    """`asked`: call -> incident, None while there is no reply. Calls while `may_call` says so.

    `at_once`: how many calls may wait for their replies; more than one where replies come late.
    """

    def __init__(
        self, desk: Desk, places: Sequence[Place], rng: random.Random, may_call: Callable[[], bool]
    ) -> None:
        self.asked: dict[str, str | None] = {}
        self.gap_s, self.at_once, self.life_s = (0.3, 1.0), 1, LIFE_S
        self._desk, self._places, self._rng, self._may_call = desk, tuple(places), rng, may_call
        self._over, self._calls = threading.Event(), threading.Event()
        self._lock, self._waiting = threading.Lock(), set[Future[None]]()
        self._pool = ThreadPoolExecutor(AT_ONCE_MAX, "call")
        self._thread = threading.Thread(target=self._run, name="caller", daemon=True)
        self._thread.start()

    def call(self, at: Place, priority: int = 1, units: int = 1) -> str:
        """One call of the test's own; the incident's id."""
        with self._lock:
            key = f"call {len(self.asked) + 1}"
            self.asked[key] = None
        place = {"lat": at[0], "lon": at[1]}
        plan = {"units": units, "officers": 1, "alert": False}
        reply = self._desk.ask(
            "report", life_s=self.life_s, kind="theft", priority=priority, place=place, plan=plan
        )
        assert reply.outcome == "done", reply
        self.asked[key] = reply.incident
        assert reply.incident is not None
        return reply.incident

    def go_on(self) -> None:
        self._calls.set()

    def pause(self, timeout_s: float = LIFE_S + 10) -> None:
        """No further call; back once each has its reply."""
        self._calls.clear()
        with self._lock:
            waiting = set(self._waiting)
        _, late = wait(waiting, timeout_s)
        assert not late, f"{len(late)} calls have no reply"

    def stop(self) -> None:
        self._over.set()
        self._calls.set()
        self._thread.join(LIFE_S + 5)
        self._pool.shutdown(cancel_futures=True)

    def _run(self) -> None:
        while self._calls.wait() and not self._over.wait(self._rng.uniform(*self.gap_s)):
            with self._lock:
                self._waiting = {one for one in self._waiting if not one.done()}
                if self._is_due():
                    self._waiting.add(self._pool.submit(self._call, *self._drawn()))

    def _is_due(self) -> bool:
        may = self._calls.is_set() and not self._over.is_set()
        return may and len(self._waiting) < self.at_once and self._may_call()

    def _drawn(self) -> tuple[Place, int, int]:
        """Where, how urgent, how many."""
        lat, lon = self._rng.choice(self._places)
        at = (lat + self._rng.uniform(-_NEAR_DEG, _NEAR_DEG), lon)
        units = 2 if self._rng.random() < 0.15 and len(self._places) > 2 else 1
        return at, self._rng.choice((1, 1, 2)), units

    def _call(self, at: Place, priority: int, units: int) -> None:
        try:
            self.call(at, priority, units)
        except (NoReply, TimeoutError):
            return  # `asked` says that nobody answered
