"""Requests about an incident itself: report, add, cancel, close, reopen, hold of its rule."""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core import plans, sos_desk
from matcher.core.asked import Asked, Handlers, NotDone, Reply, at_revision
from matcher.core.assign import SLOTS_MAX
from matcher.core.board import Incident, IncidentState
from matcher.core.joins import propose
from matcher.core.numbers import next_numbers
from matcher.core.offers import close_all, fill
from matcher.core.places import place_from
from matcher.core.premises import note_repeated
from protocol import request as rq
from protocol.order import AnswerMeans

DAY_MS: Final = 86_400_000
REFERRED: Final = "referred"
NEW: Final = "new"  # stands for the incident being reported, in the estimates


def report(asked: Asked, request: rq.Report) -> Reply:
    draft, board = asked.draft, asked.draft.board
    priority = plans.priority_of(board, request.kind, request.priority)
    plan = plans.plan_of(board, request.kind, priority, request.plan)
    numbers = next_numbers(board, draft.now_ms, is_exercise=request.exercise)
    incident_id = draft.new_id("incident")
    reported_ms = draft.now_ms
    if request.at_ms is not None:
        reported_ms = min(draft.now_ms, max(request.at_ms, draft.now_ms - DAY_MS))
    draft.emit(
        ev.IncidentOpened(
            reported_ms, incident_id, numbers.radio, request.kind, priority,
            place_from(request.place),
            plan.units, plan.officers, request.hazards, request.notes, request.channel,
            asked.person, plan.capabilities, plan.alert, request.exercise, numbers.whole,
            numbers.day, numbers.serial, plan.staging_m, request.plan is None,
        )
    )  # fmt: skip
    incident = board.incidents[incident_id]
    kind = board.book.codes.kind(request.kind)
    is_ours = kind is None or kind.dispatched or request.plan is not None or request.by_radio
    if kind is not None and not is_ours:
        return _referred(asked, incident, kind.refer)
    if request.by_radio:
        draft.emit(ev.RuleStopped(draft.now_ms, incident_id, True, asked.person))
    fill(draft, incident, asked.estimates.get(NEW))
    propose(draft, incident)
    note_repeated(draft, incident)
    return at_revision(incident) | {"detail": plans.never_filled(board, incident)}


def _referred(asked: Asked, incident: Incident, services: tuple[str, ...]) -> Reply:
    """Others take it; named, counted, and reopened where it is the police's after all."""
    draft = asked.draft
    draft.emit(ev.CallReferred(draft.now_ms, incident.incident, services, asked.person))
    state = IncidentState.CANCELLED.value
    draft.emit(ev.IncidentMoved(draft.now_ms, incident.incident, state, asked.person, REFERRED))
    return at_revision(incident) | {"referred": services}


def add(asked: Asked, request: rq.Add) -> Reply:
    """More units than the plan has now."""
    incident = asked.incident(request.incident)
    units = incident.plan_units + request.units
    if units > SLOTS_MAX:
        raise NotDone("too_many_units", f"{incident.incident} has {SLOTS_MAX} places")
    asked.draft.emit(ev.PlanSet(asked.draft.now_ms, incident.incident, units, asked.person))
    fill(asked.draft, incident, asked.estimate(incident))
    return at_revision(incident)


def cancel(asked: Asked, request: rq.CancelIncident) -> Reply:
    incident = asked.incident(request.incident)
    sos_desk.check_may_cancel(asked.draft.board, incident)
    return _ended(asked, incident, IncidentState.CANCELLED, asked.reason or "cancelled")


def close_incident(asked: Asked, request: rq.CloseIncident) -> Reply:
    incident = asked.incident(request.incident)
    return _ended(asked, incident, IncidentState.CLEARED, request.disposition)


def _ended(asked: Asked, incident: Incident, state: IncidentState, why: str) -> Reply:
    draft = asked.draft
    close_all(draft, incident, why, asked.person, AnswerMeans.BY_DESK)
    draft.emit(ev.IncidentMoved(draft.now_ms, incident.incident, state.value, asked.person, why))
    sos_desk.on_closed(draft, incident, asked.person)
    return at_revision(incident)


def reopen(asked: Asked, request: rq.Reopen) -> Reply:
    """Its plan is filled anew; who was on it keeps that history."""
    incident = asked.incident(request.incident, closed=True)
    state = IncidentState.PENDING.value
    asked.draft.emit(
        ev.IncidentMoved(asked.draft.now_ms, incident.incident, state, asked.person, None)
    )
    sos_desk.on_reopened(asked.draft, incident, asked.person)
    fill(asked.draft, incident, asked.estimate(incident))
    return at_revision(incident)


def stop_rule(asked: Asked, incident_id: str, *, on: bool) -> Reply:
    """No rule sends to it, neighbours included, until a person lets it again."""
    incident = asked.incident(incident_id)
    asked.draft.emit(ev.RuleStopped(asked.draft.now_ms, incident.incident, on, asked.person))
    fill(asked.draft, incident, asked.estimate(incident))
    return at_revision(incident)


HANDLERS: Final[Handlers] = {
    rq.Report: report,
    rq.Add: add,
    rq.CancelIncident: cancel,
    rq.CloseIncident: close_incident,
    rq.Reopen: reopen,
}
