"""Requests about who goes: assign, reassign, release, and an answer heard by radio."""

from __future__ import annotations

from typing import Final

from matcher.core.asked import Asked, Handlers, NotDone, Reply, at_revision
from matcher.core.assign import SLOTS_MAX, open_slot, rank
from matcher.core.board import Incident, Order, Unit
from matcher.core.offers import RULE_PERSON, accept, close, fill, issue, settle
from protocol import request as rq
from protocol.order import (
    OFFERED,
    STEP_OF_ANSWER,
    Answer,
    AnswerMeans,
    OrderState,
    OrderStep,
    allows,
)

PREEMPTED: Final = "preempted"
DESK: Final = "desk"  # stands for the terminal of an answer heard by radio


def assign(asked: Asked, request: rq.Assign) -> Reply:
    """A person's choice is never blocked; only a unit that has an order must be released first."""
    incident, unit = asked.incident(request.incident), asked.unit(request.unit)
    if unit.order is not None:
        raise NotDone("unit_has_order", f"{unit.unit} has order {unit.order}; release it first")
    return _sent(asked, incident, unit)


def _sent(asked: Asked, incident: Incident, unit: Unit) -> Reply:
    draft = asked.draft
    if not unit.terminals:
        raise NotDone("not_logged_on", f"{unit.unit} has no terminal logged on; call by radio")
    slot = open_slot(draft.board, incident)
    if slot is None:
        slot = max(o.slot for o in draft.board.orders_of(incident)) + 1
    if slot > SLOTS_MAX:
        raise NotDone("too_many_units", f"{incident.incident} has {SLOTS_MAX} places")
    ranking = rank(draft.board, incident, asked.estimate(incident))
    order = issue(
        draft, incident, unit.unit, slot, ranking, RULE_PERSON, asked.person, asked.reason
    )
    fill(draft, incident, asked.estimate(incident))
    return at_revision(incident) | {"order": order}


def reassign(asked: Asked, request: rq.Reassign) -> Reply:
    """Off its incident and to another; the crew and the desk see why in the cancel's reason."""
    incident, unit = asked.incident(request.incident), asked.unit(request.unit)
    if unit.order is None:
        raise NotDone("no_order", f"{unit.unit} has no order; assign it")
    held = asked.draft.board.orders[unit.order]
    if held.incident == incident.incident:
        raise NotDone("already_on_it", f"{unit.unit} has order {held.order} for it")
    before = asked.draft.board.incidents[held.incident]
    why = asked.reason or PREEMPTED
    close(asked.draft, held, OrderStep.SUPERSEDE, why, asked.person, means=AnswerMeans.BY_DESK)
    settle(asked.draft, before)
    reply = _sent(asked, incident, unit)
    fill(asked.draft, before, asked.estimate(before))
    return reply


def release(asked: Asked, request: rq.ReleaseUnit) -> Reply:
    incident = asked.incident(request.incident)
    for order in asked.draft.board.orders_of(incident):
        if order.unit == request.unit and order.is_open:
            close(
                asked.draft, order, OrderStep.CANCEL, "stand_down", asked.person,
                means=AnswerMeans.BY_DESK,
            )  # fmt: skip
            settle(asked.draft, incident)
            return at_revision(incident)
    raise NotDone("not_on_it", f"{request.unit} has no open order for {incident.incident}")


def answer_by_voice(asked: Asked, request: rq.AnswerByVoice) -> Reply:
    """As the crew's own touch, but told apart for ever: by desk."""
    order, said = asked.order(request.order), Answer.from_word(request.answer)
    draft, means, before = asked.draft, AnswerMeans.BY_DESK, order.state
    if said is Answer.ACCEPT or (_departs(said) and order.state in OFFERED):
        accept(draft, order, asked.person, means, draft.now_ms)
    if said is not Answer.ACCEPT:
        _step(asked, order, STEP_OF_ANSWER[said], request.disposition)
    if order.state == before:
        raise NotDone("not_allowed", f"{order.order} is {order.state}, not to {said.word}")
    draft.send_answered(order, DESK, said, counts=True)
    incident = draft.board.incidents[order.incident]
    fill(draft, incident, asked.estimate(incident))
    return at_revision(incident) | {"order": order.order}


def _departs(said: Answer) -> bool:
    return said in (Answer.EN_ROUTE, Answer.ON_SCENE)


def _step(asked: Asked, order: Order, step: OrderStep, disposition: str | None) -> None:
    if not allows(OrderState(order.state), step):
        return
    reason = disposition if step is OrderStep.CLEAR else asked.reason
    asked.draft.step(
        order, step, asked.person, AnswerMeans.BY_DESK, reason=reason, disposition=disposition
    )
    settle(asked.draft, asked.draft.board.incidents[order.incident])


HANDLERS: Final[Handlers] = {
    rq.Assign: assign,
    rq.Reassign: reassign,
    rq.ReleaseUnit: release,
    rq.AnswerByVoice: answer_by_voice,
}
