"""A terminal's way from receiver bytes to what travels, on one thread and with the test's clock.

The agent's own parts in the agent's order; what comes out has been through the wire's codecs.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime

from agent.core import integrity
from agent.core.epoch import EpochAssembler
from agent.core.fix import Fix
from agent.core.framing import SentenceFramer
from agent.core.ignition import Ignition
from agent.core.nmea import SentenceGate
from agent.core.parked import AnchoredFix
from agent.core.placing import Placing
from agent.core.positions import position_of
from agent.core.track_builder import point_of
from agent.version import BUILT_MS
from protocol import position, track
from protocol.entry import Alarm
from protocol.position import Position
from protocol.predict import STEADY
from protocol.track import TrackPoint
from protocol.words import TimeTrust, bits_to_flags

BUILT = datetime.fromtimestamp(BUILT_MS / 1000, UTC).date()


class Pipeline:
    """`feed` bytes at a time of the caller's; the rest is what the centre would get."""

    def __init__(self, not_before: date | None = BUILT) -> None:
        self.ignition = Ignition()
        self.placing = Placing(self.ignition)
        self.positions: list[Position] = []
        self.points: list[TrackPoint] = []
        self.judged: list[Fix] = []
        self.placed: list[AnchoredFix] = []
        self._framer, self._gate = SentenceFramer(), SentenceGate()
        self._assembler, self._track = EpochAssembler(not_before), integrity.Track()

    def feed(self, data: bytes, now_ms: int, apart_m: float | None = None) -> None:
        for raw in self._framer.feed(data):
            sentence = self._gate.accept(raw)
            if sentence is not None:
                for fix in self._assembler.feed(sentence):
                    self.judge(fix, now_ms, apart_m)

    def end(self, now_ms: int) -> None:
        for fix in self._assembler.flush():
            self.judge(fix, now_ms)

    def judge(self, fix: Fix, now_ms: int, apart_m: float | None = None) -> AnchoredFix:
        judged, self._track = integrity.check(fix, self._track, now_ms)
        placed = self.placing.feed(judged, now_ms, apart_m)
        self.judged.append(judged)
        self.placed.append(placed)
        self.positions.append(_sent(placed.reported))
        point = point_of(placed.kept, fix.epoch_ms or 0)
        if point is not None:
            self.points += track.unpack(track.pack([point]), 1)
        return placed

    @property
    def figures(self) -> Counter[str]:
        """As the health entry names them."""
        counts = self._gate.refused + self._framer.dropped + self._assembler.dropped
        return Counter({f"gnss_{name}": n for name, n in counts.items()}) + self.placing.figures

    def alarms(self) -> list[Alarm]:
        """Those not taken yet."""
        found = []
        while (alarm := self.placing.take_alarm()) is not None:
            found.append(alarm)
        return found

    def flags(self) -> list[set[str]]:
        """Of each position."""
        return [set(bits_to_flags(one.flags)) for one in self.positions]


def _sent(fix: Fix) -> Position:
    made = position_of(
        fix, time_ms=fix.epoch_ms or 0, trust=TimeTrust.GNSS, boot=1, sequence=1, status=1,
        motion=STEADY, next_s=30, entry_count=0, entry_head=bytes(32),
    )  # fmt: skip
    return position.decode(position.encode(made))
