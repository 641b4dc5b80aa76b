"""Which track entries lose their data: oldest first, some of each stretch kept till last."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.thinning import KEPT_ONE_OF, Progress, choose, ranges_of, resumed

_BOOK = 7


def thinned_in_round(number: int, tracks: list[int], steps: list[int]) -> set[int]:
    """All that a round takes of fresh `tracks`, in steps of these sizes."""
    gone: set[int] = set()
    progress, at = Progress(_BOOK, number, tracks[0] - 1), 0
    while True:
        left = [(n, n not in gone) for n in tracks if n > progress.after_n]
        choice = choose(progress, left, steps[at % len(steps)])
        if not choice.numbers:
            return gone
        assert not gone.intersection(choice.numbers), "each gives up its data once"
        assert list(choice.numbers) == sorted(choice.numbers)
        gone.update(choice.numbers)
        assert choice.progress.after_n >= progress.after_n
        progress, at = choice.progress, at + 1


_TRACKS = st.lists(st.integers(1, 3), min_size=1, max_size=200)
_STEPS = st.lists(st.sampled_from([8, 32, 128]), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(_TRACKS, _STEPS, st.sampled_from([0, 1]))
def test_one_of_so_many_is_kept_in_whatever_steps(
    gaps: list[int], steps: list[int], number: int
) -> None:
    tracks = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    gone = thinned_in_round(number, tracks, steps)
    keep_one_of = KEPT_ONE_OF[number]
    kept = [at for at, n in enumerate(tracks, 1) if n not in gone]
    assert kept == list(range(keep_one_of, len(tracks) + 1, keep_one_of))


@settings(max_examples=100, deadline=None)
@given(_TRACKS, _STEPS)
def test_the_last_round_takes_the_rest(gaps: list[int], steps: list[int]) -> None:
    tracks = [sum(gaps[: i + 1]) for i in range(len(gaps))]
    assert thinned_in_round(2, tracks, steps) == set(tracks)


def test_oldest_first_and_what_is_gone_counts() -> None:
    tracks = [(n, n not in {2, 3}) for n in range(1, 20)]
    choice = choose(Progress(_BOOK), tracks, 4)
    assert choice.numbers == (1, 4, 5, 6)
    assert choice.progress.after_n == 0


def test_the_rounds_begin_anew_once_the_centre_has_what_was_looked_at() -> None:
    over = Progress(_BOOK, 2, 500)
    assert resumed(over, _BOOK, 400) == over
    assert resumed(over, _BOOK, 501) == Progress(_BOOK, 0, 501)
    assert resumed(over, _BOOK + 1, 3) == Progress(_BOOK + 1, 0, 3)
    assert resumed(None, _BOOK, 3) == Progress(_BOOK, 0, 3)


@given(st.sets(st.integers(1, 60)))
def test_ranges_name_exactly_the_numbers(numbers: set[int]) -> None:
    ranges = ranges_of(sorted(numbers))
    assert {n for first, last in ranges for n in range(first, last + 1)} == numbers
    assert all(later > last + 1 for (_, last), (later, _) in pairwise(ranges))
