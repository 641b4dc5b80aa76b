"""The life of an order: the whole table, walked."""

from __future__ import annotations

from itertools import product

import pytest

from protocol.order import (
    HELD,
    NEXT,
    OFFERED,
    OPEN,
    STEP_OF_ANSWER,
    Answer,
    IllegalStep,
    OrderState,
    OrderStep,
    advance,
    allows,
)

S, T = OrderState, OrderStep
CLOSED = frozenset(S) - OPEN
RANK = {
    S.ISSUED: 0, S.DELIVERED: 1, S.ACCEPTED: 2, S.CONFIRMED: 3, S.EN_ROUTE: 4, S.ON_SCENE: 5,
    **dict.fromkeys(CLOSED, 6),
}  # fmt: skip
LATE_ACCEPT = (S.EXPIRED, T.ACCEPT)


@pytest.mark.parametrize(("state", "step"), list(product(S, T)))
def test_every_state_and_step(state: OrderState, step: OrderStep) -> None:
    if (state, step) not in NEXT:
        assert not allows(state, step)
        with pytest.raises(IllegalStep, match=f"an order that is {state} cannot {step}"):
            advance(state, step)
        return
    assert allows(state, step)
    following = advance(state, step)
    if (state, step) == LATE_ACCEPT:
        assert following is S.ACCEPTED
    else:
        assert RANK[following] > RANK[state], "orders move forward only"
        assert state in OPEN, "no way back from a closed state"


def test_the_way_through() -> None:
    state = S.ISSUED
    for step in (T.DELIVER, T.ACCEPT, T.CONFIRM, T.DEPART, T.ARRIVE, T.CLEAR):
        state = advance(state, step)
    assert state is S.CLEARED


def test_open_states_can_be_cancelled_and_superseded_and_nothing_else_can() -> None:
    for state in S:
        assert allows(state, T.CANCEL) == allows(state, T.SUPERSEDE) == (state in OPEN)


def test_only_offers_expire_and_the_committed_do_not() -> None:
    assert {state for state in S if allows(state, T.EXPIRE)} == OFFERED
    assert not allows(S.ON_SCENE, T.DECLINE)


def test_confirmation_comes_after_acceptance_alone() -> None:
    assert {state for state in S if allows(state, T.CONFIRM)} == {S.ACCEPTED}


def test_sets() -> None:
    assert OFFERED | HELD == OPEN
    assert not OFFERED & HELD
    assert {S.CLEARED, S.DECLINED, S.EXPIRED, S.CANCELLED, S.SUPERSEDED} == CLOSED


def test_every_state_is_reached() -> None:
    reached, fresh = {S.ISSUED}, {S.ISSUED}
    while fresh:
        fresh = {NEXT[s, t] for s, t in product(fresh, T) if (s, t) in NEXT} - reached
        reached |= fresh
    assert reached == set(S)


@pytest.mark.parametrize("answer", Answer)
def test_answers_are_words_and_steps(answer: Answer) -> None:
    assert Answer.from_word(answer.word) is answer
    assert answer is Answer.READ or STEP_OF_ANSWER[answer] in T  # to have read moves nothing
    assert "_" not in answer.word


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        NEXT[S.CLEARED, T.ACCEPT] = S.ACCEPTED  # type: ignore[index]
