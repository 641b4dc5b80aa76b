"""A unit on an incident that it began itself may be sent to a more urgent one by rule.

Its status `busy` says so (dispatchable to priority 2). What it leaves goes to the desk, not to the
next unit: only that crew knows what it was.
"""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core.board import Board, Incident, IncidentState, Unit
from matcher.core.draft import Draft
from matcher.core.visibility import left_by
from protocol.order import AnswerMeans, OrderStep
from protocol.words import Status

RULE: Final = "rule:own-initiative"


def own_incident(board: Board, unit: Unit) -> Incident | None:
    """What the unit is on by its own initiative."""
    order = board.orders.get(unit.order or "")
    incident = board.incidents[order.incident] if order is not None else None
    return incident if incident is not None and incident.own_of == unit.unit else None


def may_leave(board: Board, unit: Unit, incident: Incident) -> bool:
    least = board.book.codes.dispatchable_to(Status(unit.status))
    return (
        own_incident(board, unit) is not None and least is not None and incident.priority <= least
    )


def leave(draft: Draft, unit: Unit, number: str) -> None:
    """It goes to the incident `number` (id); nothing where it has no incident of its own."""
    own = own_incident(draft.board, unit)
    if own is None:
        return
    order, now_ms = draft.board.orders[unit.order or ""], draft.now_ms
    draft.step(order, OrderStep.SUPERSEDE, RULE, AnswerMeans.AUTOMATIC, reason="preempted")
    draft.emit(ev.RuleStopped(now_ms, own.incident, True, RULE))
    pending = IncidentState.PENDING.value
    draft.emit(ev.IncidentMoved(now_ms, own.incident, pending, RULE, None))
    draft.emit(ev.IncidentWaits(now_ms, own.incident, left_by(unit.unit)))
    draft.alert(
        "self_initiated_left", own.incident,
        f"{own.number}: {unit.unit} left it for {number}; close it, or send another",
        unit=unit.unit, incident=own.incident, again=True,
    )  # fmt: skip
