"""Requests about who goes: assign, reassign, release, and an answer heard by radio."""

from __future__ import annotations

from typing import Final

from matcher.core import welfare
from matcher.core.asked import Asked, Handlers, NotDone, Reply, at_revision
from matcher.core.assign import SLOTS_MAX, open_slot, rank
from matcher.core.board import Incident, Order, Unit
from matcher.core.leaving import own_incident
from matcher.core.offers import RULE_PERSON, accept, close, decide_order, fill, settle
from matcher.core.requests_drills import check_not_mixed
from matcher.core.visibility import may_see
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
    if unit.order is not None and own_incident(asked.draft.board, unit) is None:
        raise NotDone("unit_has_order", f"{unit.unit} has order {unit.order}; release it first")
    return _sent(asked, incident, unit, by_radio=request.by_radio)


def _sent(asked: Asked, incident: Incident, unit: Unit, *, by_radio: bool = False) -> Reply:
    draft = asked.draft
    check_not_mixed(unit, incident)
    reached = draft.board.reached_at(unit.unit)
    if not reached and not unit.radio_crew and not by_radio:
        raise NotDone("not_logged_on", f"{unit.unit} has no terminal logged on; call by radio")
    slot = open_slot(draft.board, incident)
    if slot is None:
        slot = max(o.slot for o in draft.board.orders_of(incident)) + 1
    if slot > SLOTS_MAX:
        raise NotDone("too_many_units", f"{incident.incident} has {SLOTS_MAX} places")
    ranking = rank(draft.board, incident, asked.estimate(incident))
    order = decide_order(
        draft, incident, unit.unit, slot, ranking, RULE_PERSON, asked.person, asked.reason,
        by_radio=by_radio or not reached,
    )  # fmt: skip
    draft.send_order(draft.board.orders[order])
    if not unit.terminals and not by_radio:
        kind, text = ("call_by_radio", "has no terminal")
        if reached:
            kind, text = ("no_logon", "has nobody logged on: shown in its vehicle, crew unknown")
        draft.alert(
            kind, order, f"{incident.number}: {unit.unit} {text}",
            unit=unit.unit, incident=incident.incident, order=order,
        )  # fmt: skip
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
    check_not_mixed(unit, incident)
    why = asked.reason or PREEMPTED
    close(asked.draft, held, OrderStep.SUPERSEDE, why, asked.person, means=AnswerMeans.BY_DESK)
    settle(asked.draft, before)
    reply = _sent(asked, incident, unit)
    fill(asked.draft, before, asked.estimate(before))
    return reply


def release(asked: Asked, request: rq.ReleaseUnit) -> Reply:
    incident = asked.incident(request.incident)
    for order in asked.draft.board.orders_of(incident):
        known = may_see(asked.draft.board.units[order.unit], asked.roles)
        if order.unit == request.unit and order.is_open and known:
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
    at_ms = _said_at_ms(asked, order, request.at_ms)
    if said is Answer.ACCEPT or (_departs(said) and order.state in OFFERED):
        accept(draft, order, asked.person, means, at_ms)
    if said is not Answer.ACCEPT:
        _step(asked, order, STEP_OF_ANSWER[said], request.disposition, at_ms)
    if order.state == before:
        raise NotDone("not_allowed", f"{order.order} is {order.state}, not to {said.word}")
    draft.send_answered(order, DESK, said, counts=True)
    welfare.touched(draft, order.unit, asked.person)
    incident = draft.board.incidents[order.incident]
    fill(draft, incident, asked.estimate(incident))
    return at_revision(incident) | {"order": order.order}


def _departs(said: Answer) -> bool:
    return said in (Answer.EN_ROUTE, Answer.ON_SCENE)


def _said_at_ms(asked: Asked, order: Order, at_ms: int | None) -> int:
    """When it was said, within what is possible; what ran by voice is entered later."""
    incident = asked.draft.board.incidents[order.incident]
    earliest_ms = incident.reported_ms if order.by_radio else order.issued_ms
    return min(max(at_ms or asked.draft.now_ms, earliest_ms), asked.draft.now_ms)


def _step(asked: Asked, order: Order, step: OrderStep, disposition: str | None, at_ms: int) -> None:
    if not allows(OrderState(order.state), step):
        return
    reason = disposition if step is OrderStep.CLEAR else asked.reason
    asked.draft.step(
        order, step, asked.person, AnswerMeans.BY_DESK, at_ms=at_ms, reason=reason,
        disposition=disposition,
    )  # fmt: skip
    settle(asked.draft, asked.draft.board.incidents[order.incident])


HANDLERS: Final[Handlers] = {
    rq.Assign: assign,
    rq.Reassign: reassign,
    rq.ReleaseUnit: release,
    rq.AnswerByVoice: answer_by_voice,
}
