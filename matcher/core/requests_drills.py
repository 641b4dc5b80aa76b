"""Requests about what is only played: a technician's test of an SOS button, exercises."""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core.asked import Asked, Handlers, NotDone, Reply
from matcher.core.board import Incident, Unit
from matcher.core.exercise import why_not
from matcher.core.offers import close
from protocol import request as rq
from protocol.order import AnswerMeans, OrderStep


def permit_sos_test(asked: Asked, request: rq.SosTest) -> Reply:
    """An SOS from this terminal is a test for the next minutes: told, marked, never dispatched."""
    draft = asked.draft
    if request.terminal not in {t.device for t in draft.board.terminals.values()}:
        raise NotDone("unknown_terminal", f"no terminal {request.terminal} is enrolled")
    until_ms = draft.now_ms + request.minutes * 60_000
    draft.emit(ev.SosTestPermitted(draft.now_ms, request.terminal, until_ms, asked.person))
    return {}


def put_in_exercise(asked: Asked, request: rq.Exercise) -> Reply:
    """A unit into the exercise or back; what it has in hand is finished first."""
    unit = asked.unit(request.unit)
    if unit.order is not None and unit.exercise != request.on:
        raise NotDone("unit_has_order", f"{unit.unit} has order {unit.order}; release it first")
    _hears_no_more(asked, unit)
    asked.draft.emit(ev.UnitInExercise(asked.draft.now_ms, unit.unit, request.on, asked.person))
    return {"unit": unit.unit}


def _hears_no_more(asked: Asked, unit: Unit) -> None:
    """What it only hears of is of the other kind from now on."""
    board = asked.draft.board
    for incident in board.open_incidents():
        for order in board.orders_of(incident):
            if order.unit == unit.unit and order.is_open and not order.binds:
                close(
                    asked.draft, order, OrderStep.CANCEL, "exercise", asked.person,
                    means=AnswerMeans.BY_DESK,
                )  # fmt: skip


def check_not_mixed(unit: Unit, incident: Incident) -> None:
    """Raises NotDone: a person does not send a unit in an exercise to what is live, nor back."""
    reason = why_not(unit, incident)
    if reason is not None:
        raise NotDone("exercise", f"{unit.unit} is {reason}; see the request `exercise`")


HANDLERS: Final[Handlers] = {
    rq.SosTest: permit_sos_test,
    rq.Exercise: put_in_exercise,
}
