"""Requests about an incident itself: report, add, cancel, close, reopen, hold of its rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from matcher.core import events as ev
from matcher.core import exercise, sos_desk
from matcher.core.asked import Asked, Handlers, NotDone, Reply, at_revision
from matcher.core.assign import SLOTS_MAX
from matcher.core.board import Incident, IncidentState
from matcher.core.draft import Draft
from matcher.core.joins import propose
from matcher.core.offers import close_all, fill
from matcher.core.places import place_from
from matcher.core.premises import note_repeated
from protocol import request as rq
from protocol.order import AnswerMeans

DAY_MS: Final = 86_400_000
NEW: Final = "new"  # stands for the incident being reported, in the estimates


def report(asked: Asked, request: rq.Report) -> Reply:
    draft, plan = asked.draft, request.plan
    incident_id = draft.new_id("incident")
    reported_ms = draft.now_ms
    if request.at_ms is not None:
        reported_ms = min(draft.now_ms, max(request.at_ms, draft.now_ms - DAY_MS))
    draft.emit(
        ev.IncidentOpened(
            reported_ms, incident_id,
            exercise.number(short_number(draft), exercise=request.exercise),
            request.kind, request.priority,
            place_from(request.place),
            plan.units, plan.officers, request.hazards, request.notes, request.channel,
            asked.person, plan.capabilities, plan.alert, request.exercise,
        )
    )  # fmt: skip
    incident = draft.board.incidents[incident_id]
    if request.by_radio:
        draft.emit(ev.RuleStopped(draft.now_ms, incident_id, True, asked.person))
    fill(draft, incident, asked.estimates.get(NEW))
    propose(draft, incident)
    note_repeated(draft, incident)
    return at_revision(incident)


def short_number(draft: Draft) -> str:
    """Short daily number for the radio: day of month and a serial of that day."""
    board, day = draft.board, draft.now_ms // DAY_MS
    serial = board.day_reports + 1 if day == board.day else 1
    return f"{datetime.fromtimestamp(draft.now_ms // 1000, UTC).day:02d}-{serial:03d}"


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
