"""What must hold for any bytes: framing, gate, epoch and integrity as the agent runs them.

The parts live on from input to input, as at a port: what one input leaves behind is what the next
one meets. `take` raises AssertionError where something does not hold.
"""

from __future__ import annotations

from datetime import date

from agent.core import integrity
from agent.core.epoch import PENDING_MAX, EpochAssembler
from agent.core.fix import Fix, FixKind
from agent.core.framing import SENTENCE_BYTES_MAX, SentenceFramer
from agent.core.nmea import SentenceGate

REASONS_MAX = 64  # counters are by reason: reasons are ours, never the sender's
LATEST_MS = 4_481_136_000_000 * 2  # a date the calendar cannot pass


class Pipeline:
    """One receiver's bytes to judged fixes."""

    def __init__(self) -> None:
        self.framer, self.gate = SentenceFramer(), SentenceGate()
        self.assembler = EpochAssembler(date(2026, 1, 1))
        self.track = integrity.Track()
        self.inputs = self.fixes = self.placed = 0

    def take(self, data: bytes) -> None:
        """One input; its first byte says how the rest is cut into chunks."""
        self.inputs += 1
        step = 1 + (data[0] if data else 0) * 4
        for start in range(1, len(data), step):
            self._sentences(self.framer.feed(data[start : start + step]))
            assert self.framer.held_bytes <= SENTENCE_BYTES_MAX
        if self.inputs % 3 == 0:
            self._sentences(self.framer.pause())
            self._judge(self.assembler.flush())
        if self.inputs % 64 == 0:
            self._check_size()

    def _sentences(self, raws: list[bytes]) -> None:
        for raw in raws:
            sentence = self.gate.accept(raw)
            if sentence is not None:
                fixes = self.assembler.feed(sentence)
                assert len(fixes) <= 2
                self._judge(fixes)

    def _judge(self, fixes: list[Fix]) -> None:
        for fix in fixes:
            self.fixes += 1
            judged, self.track = integrity.check(fix, self.track, self.inputs * 100)
            self._check(judged)

    def _check(self, fix: Fix) -> None:
        if fix.kind is FixKind.NONE:
            assert (fix.lat_deg, fix.lon_deg, fix.sog_mps) == (None, None, None)
        else:
            self.placed += 1
            assert fix.lat_deg is not None
            assert fix.lon_deg is not None
            assert -90 <= fix.lat_deg <= 90
            assert -180 <= fix.lon_deg <= 180
        assert fix.sog_mps is None or 0 <= fix.sog_mps <= 1000.001
        assert fix.cog_deg is None or 0 <= fix.cog_deg < 360
        assert fix.epoch_ms is None or 0 <= fix.epoch_ms < LATEST_MS
        assert fix.time_of_day_ms is None or 0 <= fix.time_of_day_ms < 86_400_000
        assert fix.satellites is None or 0 <= fix.satellites <= 999
        assert list(fix.flags) == sorted(set(fix.flags))

    def _check_size(self) -> None:
        """Nothing grows with what was sent."""
        for counter in (self.framer.dropped, self.gate.refused, self.assembler.dropped):
            assert len(counter) <= REASONS_MAX
        assert len(self.assembler._pending) <= PENDING_MAX
