"""A sign in when fixes come: a receiver whose time runs ahead of the caller's clock; pure.

Arrival delays a fix and never hastens it, so a late time says nothing and an early one much. What
leaps by 10 s is `integrity`'s `date_jump`. Called by `suspicion`.
"""

from dataclasses import dataclass, replace
from typing import Final

from agent.core.fix import Fix

AHEAD_MS: Final = 1_500
AHEAD_FIXES: Final = 3
CLOCK_PPM: Final = 100
LEARN_MS: Final = 30_000
BUFFER_MS: Final = 60_000  # a serial line's buffer holds less


@dataclass(frozen=True, slots=True)
class _Clock:
    """UTC minus the caller's time, by the fix that waited least on its way here."""

    since_ms: int
    first_ms: int
    best_ms: int
    at_ms: int

    def is_ahead(self, offset_ms: int, now_ms: int) -> bool:
        """At first a full buffer or a busy start may have held the fixes up."""
        if now_ms - self.since_ms < LEARN_MS:
            return offset_ms - self.first_ms > BUFFER_MS
        return offset_ms - self.best_ms > AHEAD_MS + self._drifted_ms(now_ms)

    def heard(self, offset_ms: int, now_ms: int) -> "_Clock":
        """Once learned it follows only as fast as a crystal drifts: a creeping clock is seen."""
        best_ms = max(offset_ms, self.best_ms)
        if now_ms - self.since_ms >= LEARN_MS:
            best_ms = min(best_ms, self.best_ms + self._drifted_ms(now_ms))
        moved = best_ms != self.best_ms
        return replace(self, best_ms=best_ms, at_ms=now_ms if moved else self.at_ms)

    def _drifted_ms(self, now_ms: int) -> int:
        return (now_ms - self.at_ms) * CLOCK_PPM // 1_000_000


class TimeSign:
    """One receiver's."""

    def __init__(self) -> None:
        self._clock: _Clock | None = None
        self._ahead = 0

    def is_ahead(self, fix: Fix, now_ms: int) -> bool:
        """Told once; then the new time is learned anew, and `suspicion` holds its doubt."""
        if fix.epoch_ms is None:
            return False
        offset_ms = fix.epoch_ms - now_ms
        if self._clock is None or "date_jump" in fix.flags:
            self._clock = _Clock(now_ms, offset_ms, offset_ms, now_ms)
            return False
        self._ahead = self._ahead + 1 if self._clock.is_ahead(offset_ms, now_ms) else 0
        if self._ahead < AHEAD_FIXES:
            self._clock = self._clock.heard(offset_ms, now_ms)
            return False
        self._clock, self._ahead = _Clock(now_ms, offset_ms, offset_ms, now_ms), 0
        return True
