"""How much the terminal writes to its card; pure.

Two figures, since a card wears by the blocks it writes: the bytes that were given to write calls,
and the same as the kernel accounts them in whole pages. From a day on the figure is that of the
last 24 hours; before, what a day will come to. Called by the agent.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

HOUR_MS: Final = 3_600_000
DAY_HOURS: Final = 24
LEAST_MS: Final = 60_000  # the start's own writing would be a day's figure before


@dataclass(frozen=True, slots=True)
class Written:
    """Since the process began, or within a day."""

    given_bytes: int
    rounded_bytes: int  # in whole pages; 0 where the kernel does not say


class Wear:
    """`note` now and then; hours that nobody noted count with the next note."""

    def __init__(self, uptime_ms: int) -> None:
        self._marks: deque[tuple[int, Written]] = deque(maxlen=DAY_HOURS + 1)
        self._marks.append((uptime_ms, Written(0, 0)))
        self._newest = self._marks[0]

    def note(self, uptime_ms: int, written: Written) -> None:
        self._newest = (uptime_ms, written)
        if uptime_ms - self._marks[-1][0] >= HOUR_MS:
            self._marks.append(self._newest)

    def per_day(self) -> Written | None:
        """None in the first minute."""
        (first_ms, first), (last_ms, last) = self._marks[0], self._newest
        passed_ms = last_ms - first_ms
        if passed_ms < LEAST_MS:
            return None
        day = DAY_HOURS * HOUR_MS / passed_ms
        return Written(
            round((last.given_bytes - first.given_bytes) * day),
            round((last.rounded_bytes - first.rounded_bytes) * day),
        )
