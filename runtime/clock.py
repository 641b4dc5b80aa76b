"""Time as a port: the only file of the product that reads the system clock.

`monotonic_*` counts from boot, suspend included, and never steps: durations, deadlines, order.
`utc_ms` may step at any moment: stamps in records only. Simulation and tests pass `ManualClock`.
"""

import time
from pathlib import Path
from typing import Final, Protocol

_NS_PER_MS: Final = 1_000_000
_TIMESYNCD_STAMP: Final = Path("/run/systemd/timesync/synchronized")
_TIMEX_BYTES: Final = 512  # struct timex is 208 on 64 bit; all zero means "only read"
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised


class Clock(Protocol):
    """What a task may know about time."""

    def monotonic_ms(self) -> int:
        """Milliseconds since boot; never goes back, counts on through suspend."""
        ...

    def monotonic_ns(self) -> int:
        """The same in nanoseconds."""
        ...

    def utc_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC as the system believes; may jump."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic_ms(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _NS_PER_MS

    def monotonic_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def utc_ms(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_REALTIME) // _NS_PER_MS


class ManualClock:
    """A clock that moves only when told to; `utc` can be stepped apart from `monotonic`."""

    def __init__(self, utc_ms: int = 1_790_000_000_000, monotonic_ms: int = 0) -> None:
        self._monotonic_ns = monotonic_ms * _NS_PER_MS
        self._utc_ns = utc_ms * _NS_PER_MS

    def monotonic_ms(self) -> int:
        return self._monotonic_ns // _NS_PER_MS

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def utc_ms(self) -> int:
        return self._utc_ns // _NS_PER_MS

    def advance(self, duration_ms: float) -> None:
        """Let `duration_ms` pass on both clocks; negative is refused, as time never goes back."""
        if duration_ms < 0:
            raise ValueError(f"duration_ms must not be negative ({duration_ms}); step with set_utc")
        passed_ns = round(duration_ms * _NS_PER_MS)
        self._monotonic_ns += passed_ns
        self._utc_ns += passed_ns

    def set_monotonic(self, monotonic_ms: int) -> None:
        """Move forward to `monotonic_ms`, both clocks; the past is refused."""
        self.advance(monotonic_ms - self._monotonic_ns / _NS_PER_MS)

    def set_utc(self, utc_ms: int) -> None:
        """Step the wall clock, as NTP, a person or a week rollover would."""
        self._utc_ns = utc_ms * _NS_PER_MS


def system_clock_synchronized() -> bool:
    """Whether the kernel holds `utc_ms` for synchronised (trust `ntp`).

    adjtimex(2) tells for every NTP daemon; where a sandbox forbids it, timesyncd's stamp does.
    """
    state = _adjtimex_state()
    return _TIMESYNCD_STAMP.exists() if state < 0 else state != _TIME_ERROR


def _adjtimex_state() -> int:
    import ctypes  # noqa: PLC0415 - asked for once a minute by one daemon at most

    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
