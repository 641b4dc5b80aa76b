"""Which entries of an old track give up their data when the disk is full; pure.

Only track entries that the centre has not receipted, never the newest `NEWEST_KEPT` of them, and
never anything else: answers, statuses, deliveries, device events, alarms, keys and log-ons stay.
In rounds, each from the oldest on: of 8 entries one is kept (a minute of each 8), then of 64 one,
then none. An entry without its data keeps its digest, so the chain still joins. Called by
`agent/logbook_room.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

KEPT_ONE_OF: Final = (8, 64, 0)  # 0: none is kept
RULES: Final = ("track-1-of-8", "track-1-of-64", "track-none")
NEWEST_KEPT: Final = 60  # an hour at 1 Hz
THINNED_MAX: Final = 128  # at once; as many ranges as one `thinned` entry holds


@dataclass(frozen=True, slots=True)
class Progress:
    """In round `round` all up to `after_n` was looked at; what stands at `after_n` is kept."""

    book: int
    round: int = 0
    after_n: int = 0

    @property
    def is_over(self) -> bool:
        return self.round >= len(KEPT_ONE_OF)


@dataclass(frozen=True, slots=True)
class Choice:
    """Numbers to be thinned, ascending, and how far the round has come with them."""

    numbers: tuple[int, ...]
    progress: Progress


def resumed(kept: Progress | None, book: int, receipted_n: int) -> Progress:
    """Where to go on; the rounds begin anew once the centre has all that was looked at."""
    if kept is None or kept.book != book or kept.after_n < receipted_n:
        return Progress(book, 0, receipted_n)
    return kept


def choose(progress: Progress, tracks: Sequence[tuple[int, bool]], most: int) -> Choice:
    """Walk over `tracks`: (number, whether its data is there) beyond `after_n`, ascending."""
    keep_one_of = KEPT_ONE_OF[progress.round]
    numbers: list[int] = []
    gone, after_n = 0, progress.after_n  # without data since the entry that was kept last
    for n, has_data in tracks:
        is_kept = has_data and keep_one_of and gone >= keep_one_of - 1
        if is_kept:
            gone, after_n = 0, n
        else:
            if has_data:
                if len(numbers) == most:
                    break
                numbers.append(n)
            gone += 1
            if not keep_one_of:
                after_n = n
    return Choice(tuple(numbers), Progress(progress.book, progress.round, after_n))


def ranges_of(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Ascending numbers as first and last of each run."""
    found: list[tuple[int, int]] = []
    for n in numbers:
        if found and found[-1][1] == n - 1:
            found[-1] = (found[-1][0], n)
        else:
            found.append((n, n))
    return tuple(found)
