"""The terminal's clock: reads the machine's through its port, judges by core/clock_trust.py."""

from collections.abc import Callable
from typing import Final

from agent.core import clock_trust
from agent.core.clock_trust import ClockTrust, System
from agent.core.now import Now
from protocol.words import TimeTrust
from runtime.clock import Clock

ASK_AGAIN_MS: Final = 60_000
STEP_MS: Final = 1_000  # whoever sets the clock by hand ends its being synchronised


class Timekeeper:
    """`system_trust`: how far the system clock may be believed, asked once a minute and when the
    clock has been stepped."""

    def __init__(self, clock: Clock, floor_ms: int, system_trust: Callable[[], TimeTrust]) -> None:
        self._clock, self._ask = clock, system_trust
        self._state = ClockTrust(floor_ms)
        self._system_trust = system_trust()
        self._asked_ms = clock.monotonic_ms()
        self._system_offset_ms = clock.utc_ms() - self._asked_ms

    def uptime_ms(self) -> int:
        return self._clock.monotonic_ms()

    def now(self) -> Now:
        uptime_ms, utc_ms = self._clock.monotonic_ms(), self._clock.utc_ms()
        is_stepped = abs(utc_ms - uptime_ms - self._system_offset_ms) > STEP_MS
        self._system_offset_ms = utc_ms - uptime_ms
        if is_stepped or uptime_ms - self._asked_ms >= ASK_AGAIN_MS:
            self._system_trust, self._asked_ms = self._ask(), uptime_ms
        system = System(utc_ms, self._system_trust)
        return clock_trust.estimate(self._state, uptime_ms, system)

    @property
    def floor_ms(self) -> int:
        return self._state.floor_ms

    def saw_fix(self, epoch_ms: int | None, uptime_ms: int) -> None:
        self._state = clock_trust.saw_fix(self._state, epoch_ms, uptime_ms)

    def saw_welcome(self, time_ms: int, *, again: bool = False) -> None:
        """`again`: not the first welcome with this connection's nonce."""
        self._state = clock_trust.saw_welcome(
            self._state, time_ms, self._clock.monotonic_ms(), again=again
        )

    def raise_floor(self, time_ms: int) -> None:
        """A sealed time, or the last known one before saving."""
        self._state = clock_trust.raise_floor(self._state, time_ms)

    def fix_trust(self, epoch_ms: int | None, now: Now) -> TimeTrust:
        return clock_trust.fix_trust(self._state, epoch_ms, now)
