"""Dispatch numbers: each taken once, no term goes back, whatever the order of arrival."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.window import WIDTH, Take, Window

numbers = st.tuples(st.integers(1, 3), st.integers(1, 600))


def arrive(window: Window, term: int, counter: int) -> tuple[Window, Take]:
    take = window.judge(term, counter)
    return (window.taken(term, counter) if take is Take.NEW else window), take


@given(st.lists(numbers, max_size=200))
def test_each_number_once_and_no_lower_term(arrivals: list[tuple[int, int]]) -> None:
    window, taken, highest = Window(), set(), 0
    for term, counter in arrivals:
        before = window
        window, take = arrive(window, term, counter)
        if take is Take.NEW:
            assert (term, counter) not in taken
            assert term >= highest
            taken.add((term, counter))
            highest = term
        else:
            assert window == before
            if take is Take.SEEN:
                assert (term, counter) in taken
            elif take is Take.STALE_TERM:
                assert term < highest
            else:
                assert counter > window.floor + WIDTH or term > highest
        assert 0 <= window.bits < 1 << WIDTH
        assert not window.bits & 1


@given(st.permutations(range(1, 257)))
def test_any_order_within_the_width_takes_all(order: list[int]) -> None:
    window = Window(5)
    for counter in order:
        window, take = arrive(window, 5, counter)
        assert take is Take.NEW
    assert window == Window(5, 256, 0)


@given(st.permutations(list(range(1, 60)) * 3))
def test_repeats_never_count(order: list[int]) -> None:
    window, news = Window(1), 0
    for counter in order:
        window, take = arrive(window, 1, counter)
        news += take is Take.NEW
        assert take in {Take.NEW, Take.SEEN}
    assert news == 59


def test_edges_of_the_width() -> None:
    window = Window(1, 10)
    assert window.judge(1, 10) is Take.SEEN
    assert window.judge(1, 11) is Take.NEW
    assert window.judge(1, 10 + WIDTH) is Take.NEW
    assert window.judge(1, 11 + WIDTH) is Take.BEYOND
    assert window.judge(2, WIDTH) is Take.NEW
    assert window.judge(2, WIDTH + 1) is Take.BEYOND
    assert window.judge(0, 11) is Take.STALE_TERM


def test_a_higher_term_starts_anew() -> None:
    window = Window(1, 10, 0b100).taken(2, 3)
    assert window == Window(2, 0, 0b100)
    assert window.judge(1, 11) is Take.STALE_TERM
    assert window.judge(2, 1) is Take.NEW


def test_a_welcome_raises_the_term_and_never_lowers_it() -> None:
    window = Window(2, 5, 0b10)
    assert window.raised(3) == Window(3)
    assert window.raised(2) is window
    assert window.raised(1) is window


def test_a_gap_keeps_the_floor() -> None:
    window = Window(1).taken(1, 2).taken(1, 3)
    assert window == Window(1, 0, 0b110)
    assert window.taken(1, 1) == Window(1, 3, 0)
