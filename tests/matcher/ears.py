"""Everything that the centre publishes for a fleet of the tests, as a broker would hold it.

The real publisher and live statistics beside the real core; only engine, link and clock are made
up. Used by test_visibility.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from matcher.core import events as ev
from matcher.core.board import Board
from matcher.core.districts import Districts
from matcher.core.positions import PositionBook, Verified
from matcher.publisher import Publisher
from matcher.statistics_live import LiveStatistics
from protocol.position import Position
from runtime.clock import ManualClock
from runtime.log import get_log
from tests.matcher.fleet import FleetUnderTest, enrolment_of

FLEET = "zz"


@dataclass(frozen=True, slots=True)
class Said:
    topic: str
    payload: bytes
    retain: bool
    was_held: bool  # whether the broker held something there


class Ears:
    """`hear` after each action: what was published by it. `held`: what the broker holds."""

    def __init__(self, fleet: FleetUnderTest) -> None:
        self.fleet, self.clock = fleet, ManualClock()
        self.held: dict[str, bytes] = {}
        self.takes = True  # whether the link takes messages
        self._until_ms: dict[str, int] = {}
        self._said: list[Said] = []
        self._seen = len(fleet.events)
        self._listeners: list[Callable[[Sequence[ev.Event]], None]] = []
        self.book = PositionBook()
        log = get_log("ears", self.clock)
        self.live = LiveStatistics(self._engine(), cast(Any, None), Districts(), 0, log)
        self.live.begin()
        self.publisher = self._publisher()
        self.publisher.show_all()

    def _engine(self) -> Any:
        """As much of an engine as the publisher looks at."""
        ears = self

        class Engine:
            is_settled = True

            @property
            def board(self) -> Board:
                return ears.fleet.board

            def now_ms(self) -> int:
                return ears.fleet.now_ms

            def listen(self, listener: Callable[[Sequence[ev.Event]], None]) -> None:
                ears._listeners.append(listener)

        return Engine()

    def _publisher(self) -> Publisher:
        registry = cast(Any, SimpleNamespace(document=SimpleNamespace(fleet=FLEET)))
        key = cast(Any, SimpleNamespace(kid=b"12345678", sign=lambda _: bytes(64)))
        return Publisher(
            self._engine(), self.book, registry, key, self._publish,
            cast(Any, SimpleNamespace(counts={})), self.clock, self.live, 1_000,
        )  # fmt: skip

    def restart(self) -> None:
        """Another process on the same journal; the broker gives back what it holds."""
        self.publisher = self._publisher()
        self.publisher.show_all()
        for topic in sorted(self.held):
            self.publisher.clear_ghost(topic)

    def forget(self) -> None:
        """What has happened since was never published: the process had ended."""
        self._seen = len(self.fleet.events)
        self._listeners.clear()
        self.live.begin()

    def place(self, unit: str, lat_e7: int, lon_e7: int) -> None:
        """A verified position of the unit's terminal, standing there."""
        position = Position(
            1, len(self._said), self.fleet.now_ms, 3, lat_e7, lon_e7, 5, 0, None, 0, 2, 1, 0, 30, 0,
            bytes(8),
        )  # fmt: skip
        enrolment = enrolment_of(unit)
        self.book.done({enrolment: Verified(f"t-{unit}", position, b"", self.fleet.now_ms)})
        self.publisher.on_positions([enrolment])

    def _publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: int | None = None,
    ) -> bool:
        assert qos in (0, 1)
        assert expiry_s is None or expiry_s > 0
        if not self.takes:
            return False
        self._said.append(Said(topic, payload, retain, topic in self.held))
        if retain and payload:
            self.held[topic] = payload
            self._until_ms.pop(topic, None)
            if expiry_s is not None and "/incident/" in topic:
                self._until_ms[topic] = self.fleet.now_ms + expiry_s * 1000
        elif retain:
            self.held.pop(topic, None)
        return True

    def hear(self) -> list[Said]:
        """What follows from all that happened since, a moment later."""
        events, self._seen = self.fleet.events[self._seen :], len(self.fleet.events)
        for listener in self._listeners:
            listener(events)
        self.publisher.on_events(events)
        self.clock.advance(10_000)
        self.publisher.sweep(self.clock.monotonic_ms(), self.fleet.now_ms)
        for topic, until_ms in self._until_ms.items():
            if until_ms <= self.fleet.now_ms:
                self.held.pop(topic, None)
        said, self._said = self._said, []
        return said
