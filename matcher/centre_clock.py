"""The centre's clock: reads the machine's, judges by core/steady_time.py, says what is wrong.

Whether the kernel holds the clock for synchronised is asked only while it has been stepped. Called
by the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from matcher.core.steady_time import SteadyTime, begin_ms
from runtime.clock import Clock, system_clock_synchronized
from runtime.log import get_log

log = get_log("clock")

ASK_AGAIN_MS: Final = 1_000


class CentreClock:
    """`newest_ms`: of the newest transaction in the journal, 0 for none."""

    def __init__(
        self,
        clock: Clock,
        newest_ms: int,
        is_synchronized: Callable[[], bool] = system_clock_synchronized,
    ) -> None:
        self._clock, self._ask = clock, is_synchronized
        self._synced, self._asked_ms = False, -ASK_AGAIN_MS
        begin = begin_ms(clock.utc_ms(), newest_ms)
        if begin < newest_ms:
            log.error("clock_behind_journal", by_s=(newest_ms - begin) // 1000, remedy="check NTP")
        self._time = SteadyTime(begin, clock.monotonic_ms())

    def now_ms(self) -> int:
        """UTC that never runs back and follows no mistaken step."""
        uptime_ms, utc_ms = self._clock.monotonic_ms(), self._clock.utc_ms()
        if not self._time.is_step(uptime_ms, utc_ms):
            self._asked_ms = uptime_ms - ASK_AGAIN_MS  # ask as soon as it is stepped
        elif uptime_ms - self._asked_ms >= ASK_AGAIN_MS:
            self._synced, self._asked_ms = self._ask(), uptime_ms
        now_ms = self._time.now_ms(uptime_ms, utc_ms, is_synchronized=self._synced)
        if self._time.step_ms:
            remedy = "mend NTP, or set the clock and restart the matcher"
            log.limited("clock_stepped", by_s=self._time.step_ms // 1000, remedy=remedy)
        return now_ms
