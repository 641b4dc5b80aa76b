"""The centre's UTC while its machine's clock is being set: deadlines run on whatever it does; pure.

UTC is the boot-time clock plus an offset that follows the system clock. Small differences are
followed at once, or at half pace where the clock is behind, so time never runs back. A step is
followed only where the kernel holds the clock for synchronised: then it was put right. Any other
step is somebody's mistake until the matcher starts again (decision 0020). Called by the engine.
"""

from __future__ import annotations

from typing import Final

STEP_MS: Final = 1_000
FLOOR_MS_MAX: Final = 30_000  # how far the journal may be ahead at a start
PACE: Final = 0.5


def begin_ms(utc_ms: int, newest_ms: int) -> int:
    """Where to begin: not before what is journaled, unless that was stamped by a wrong clock."""
    return newest_ms if 0 < newest_ms - utc_ms <= FLOOR_MS_MAX else utc_ms


class SteadyTime:
    """Begins at `begin_ms`; `step_ms`: how far the system clock is away and not followed."""

    def __init__(self, begin_ms: int, uptime_ms: int) -> None:
        self._offset_ms, self._uptime_ms = float(begin_ms - uptime_ms), uptime_ms
        self.step_ms = 0

    def is_step(self, uptime_ms: int, utc_ms: int) -> bool:
        return abs(utc_ms - uptime_ms - self._offset_ms) > STEP_MS

    def now_ms(self, uptime_ms: int, utc_ms: int, *, is_synchronized: bool) -> int:
        """UTC now; never less than at the call before."""
        passed_ms, self._uptime_ms = uptime_ms - self._uptime_ms, uptime_ms
        ahead_ms = utc_ms - uptime_ms - self._offset_ms
        if is_synchronized or abs(ahead_ms) <= STEP_MS:
            self._offset_ms += max(ahead_ms, -PACE * passed_ms)
            self.step_ms = 0
        else:
            self.step_ms = round(ahead_ms)
        return round(uptime_ms + self._offset_ms)
