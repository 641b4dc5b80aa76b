"""Acceleration and turn from the last second's fixes: the byte that the prediction needs. Pure.

The gains make up for what a change of speed or course is usually followed by: braking deepens, a
turn ends (fitted with the predictor's constants, docs/reporting.md).
"""

from collections import deque
from typing import Final

from agent.core.fix import Fix
from protocol.predict import STEADY, motion_code

WINDOW_MS: Final = 1010
SPAN_MIN_MS: Final = 500
RISE_GAIN: Final = 0.9
BRAKE_GAIN: Final = 1.2
TURN_GAIN: Final = 0.6
TURN_SPEED_MPS: Final = 0.5
_FIXES_MAX: Final = 24


class Motion:
    """Remembers one second of fixes."""

    def __init__(self) -> None:
        self._fixes: deque[tuple[int, float, float]] = deque(maxlen=_FIXES_MAX)

    def feed(self, fix: Fix) -> int:
        """The motion byte at this fix; steady where the second before it is not known."""
        if fix.epoch_ms is None or fix.sog_mps is None or fix.cog_deg is None:
            self._fixes.clear()
            return STEADY
        now_ms = fix.epoch_ms
        while self._fixes and not 0 < now_ms - self._fixes[0][0] <= WINDOW_MS:
            self._fixes.popleft()
        code = self._code(now_ms, fix.sog_mps, fix.cog_deg)
        self._fixes.append((now_ms, fix.sog_mps, fix.cog_deg))
        return code

    def _code(self, now_ms: int, speed_mps: float, course_deg: float) -> int:
        if not self._fixes or now_ms - self._fixes[0][0] < SPAN_MIN_MS:
            return STEADY
        then_ms, before_mps, before_deg = self._fixes[0]
        span_s = (now_ms - then_ms) / 1000
        accel = (speed_mps - before_mps) / span_s
        turn = ((course_deg - before_deg + 180) % 360 - 180) / span_s
        accel *= RISE_GAIN if accel > 0 else BRAKE_GAIN
        return motion_code(accel, turn * TURN_GAIN if speed_mps > TURN_SPEED_MPS else 0.0)
