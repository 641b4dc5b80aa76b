"""When to say something again: doubling delays, with full jitter where many speak at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Repeat:
    """Delays `first_ms`, doubled each time, never above `cap_ms`."""

    first_ms: int
    cap_ms: int
    full_jitter: bool

    def delay_ms(self, attempt: int, draw: float) -> int:
        """Delay after the `attempt`-th sending (from 0); `draw` is uniform in [0, 1)."""
        delay_ms = min(self.cap_ms, self.first_ms << min(attempt, 16))
        return max(1, int(delay_ms * draw)) if self.full_jitter else delay_ms


BIRTH: Final = Repeat(2_000, 30_000, full_jitter=True)
BATCH: Final = Repeat(2_000, 30_000, full_jitter=True)
DISPATCH: Final = Repeat(1_000, 10_000, full_jitter=False)
REQUEST: Final = Repeat(1_000, 8_000, full_jitter=False)
DEVICE_EVENT: Final = Repeat(2_000, 30_000, full_jitter=False)
