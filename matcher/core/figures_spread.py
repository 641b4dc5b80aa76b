"""How long things took, in bounded memory: counts per step of time, nearest-rank percentiles.

Steps of 0.1 s up to an hour, of a minute up to a day, one beyond: at most 37,381 of them, and only
those that occur are kept. A percentile is the lower edge of its step. Called by figures.py.
"""

from __future__ import annotations

from typing import Final

_FINE_MS: Final = 100
_FINE_TO_MS: Final = 3_600_000
_COARSE_MS: Final = 60_000
_TOP_MS: Final = 86_400_000


def step_of(duration_ms: int) -> int:
    """Lower edge, in ms, of the step that a duration falls into; below zero counts as zero."""
    if duration_ms < _FINE_TO_MS:
        return max(0, duration_ms) // _FINE_MS * _FINE_MS
    if duration_ms < _TOP_MS:
        return duration_ms // _COARSE_MS * _COARSE_MS
    return _TOP_MS


class Spread:
    """Durations of one kind in one group; `n` is how many."""

    __slots__ = ("_counts", "n")

    def __init__(self) -> None:
        self.n = 0
        self._counts: dict[int, int] = {}

    def add(self, duration_ms: int | None, times: int = 1) -> None:
        """Count a duration (`times` -1 takes one away again); None is unknown and not counted."""
        if duration_ms is None:
            return
        step = step_of(duration_ms)
        count = self._counts.get(step, 0) + times
        self.n += times
        if count:
            self._counts[step] = count
        else:
            del self._counts[step]

    def percentile_ms(self, percent: int) -> int | None:
        """Nearest rank: the least duration that at least `percent` of all do not exceed."""
        rank = max(1, (percent * self.n + 99) // 100)
        for step in sorted(self._counts):
            rank -= self._counts[step]
            if rank <= 0:
                return step
        return None
