"""Batches in any order, cut anywhere, repeated: the centre's chain ends where the terminal's is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.core.chain_state import ChainState, Join, heads_of, join
from protocol.logbook import Head, Item, chain, chain_over, digest

LOGBOOK = b"L" * 16
START = b"\0" * 32
ITEMS = [Item(digest(bytes([n])), bytes([n])) for n in range(1, 31)]


def batch(first: int, last: int, items: list[Item] = ITEMS) -> tuple[Head, dict[int, bytes]]:
    before = chain_over(START, 1, (i.digest for i in items[: first - 1]))
    chosen = items[first - 1 : last]
    head = Head(LOGBOOK, first, before, last, chain_over(before, first, (i.digest for i in chosen)))
    return head, heads_of(head, chosen)


def test_in_order_batches_move_the_contiguous_number() -> None:
    state = ChainState(LOGBOOK, 0, START)
    for first, last in ((1, 3), (4, 4), (5, 9)):
        state, verdict = join(state, *batch(first, last))
        assert verdict is Join.TAKEN
    assert (state.n, state.head) == (9, batch(1, 9)[0].head_last)
    assert state.receipt().ranges == ()


def test_urgent_entry_ahead_is_receipted_as_a_range_and_joined_later() -> None:
    state, _ = join(ChainState(LOGBOOK, 0, START), *batch(1, 3))
    state, _ = join(state, *batch(7, 7))
    assert (state.receipt().n, state.receipt().ranges) == (3, ((7, 7),))
    state, verdict = join(state, *batch(4, 6))
    assert (verdict, state.n, state.spans) == (Join.TAKEN, 7, ())
    assert state.head == batch(1, 7)[0].head_last


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_order_and_cut_of_batches_ends_whole(data: st.DataObject) -> None:
    pieces = data.draw(
        st.lists(st.tuples(st.integers(1, 30), st.integers(0, 12)), max_size=25), label="pieces"
    )
    state = ChainState(LOGBOOK, 0, START)
    for first, length in [*pieces, *((n, 0) for n in range(1, 31))]:
        state, verdict = join(state, *batch(first, min(30, first + length)))
        assert verdict is Join.TAKEN
    assert (state.n, state.spans, state.is_held) == (30, (), False)
    assert state.head == batch(1, 30)[0].head_last


@pytest.mark.parametrize("known", [0, 3, 9])
def test_another_history_of_the_same_logbook_is_a_twin(known: int) -> None:
    other = [Item(digest(b"other" + bytes([n])), None) for n in range(1, 31)]
    state = ChainState(LOGBOOK, 0, START)
    if known:
        state, _ = join(state, *batch(1, known))
    state, _ = join(state, *batch(known + 2, known + 2, other))
    state, verdict = join(state, *batch(known + 1, known + 1))
    expected = Join.TWIN if known or other[0] != ITEMS[0] else Join.TAKEN
    assert verdict is expected
    assert state.is_held
    assert state.receipt().n <= known + 1


def test_a_held_logbook_stays_held() -> None:
    state = ChainState(LOGBOOK, 3, batch(1, 3)[0].head_last, is_held=True)
    after, verdict = join(state, *batch(4, 5))
    assert (after, verdict) == (state, Join.TWIN)


def test_too_many_gaps_are_not_kept() -> None:
    items = [Item(digest(n.to_bytes(2, "big")), None) for n in range(1, 101)]
    state = ChainState(LOGBOOK, 0, START)
    for n in range(2, 67, 2):
        state, verdict = join(state, *batch(n, n, items))
    assert verdict is Join.FULL
    assert len(state.spans) == 32


def test_chain_formula_is_the_published_one() -> None:
    import hashlib

    d = hashlib.sha256(b"entry").digest()
    assert chain(START, 7, d) == hashlib.sha256(START + (7).to_bytes(8, "big") + d).digest()
