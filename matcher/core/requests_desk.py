"""Requests about what is known and who is aboard: update, joining, messages, log-on by the desk."""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core import joins, messages, plans, premises, sos_desk
from matcher.core.asked import Asked, Handlers, NotDone, Reply, at_revision
from matcher.core.board import Unit
from matcher.core.events import NO_ENTRY
from matcher.core.offers import fill
from matcher.core.places import place_from
from matcher.core.updates import revise_all
from matcher.core.visibility import may_see
from protocol import request as rq
from protocol.dispatch import Bind, Revision
from protocol.words import Status

BIND_LIFE_MS: Final = 600_000


def update(asked: Asked, request: rq.Update) -> Reply:
    draft, incident = asked.draft, asked.incident(request.incident)
    sos_desk.check_keeps_priority(draft.board, incident, request.priority)
    revision_class = _class_of(request)
    place = None if request.place is None else place_from(request.place)
    sos_desk.on_placed(draft, incident, place)
    draft.emit(
        ev.IncidentUpdated(
            draft.now_ms, incident.incident, int(revision_class), asked.person, request.kind,
            request.priority, place, request.hazards, request.notes,
        )
    )  # fmt: skip
    if request.kind is not None or request.priority is not None:
        plans.follow(draft, incident, asked.person)
    revise_all(draft, incident, revision_class)
    fill(draft, incident, asked.estimate(incident))
    return at_revision(incident)


def _class_of(request: rq.Update) -> Revision:
    """As it was said; else by what is new: a place, a danger, anything."""
    if request.revision is not None:
        return Revision[request.revision.upper()]
    if request.place is not None:
        return Revision.PLACE
    return Revision.NOTE if request.hazards is None else Revision.SAFETY


def log_on(asked: Asked, request: rq.LogOnUnit) -> Reply:
    """A terminal makes the log-on's entry itself; a unit without one works by radio."""
    unit = asked.unit(request.unit)
    _check_crew(asked, unit, request.crew)
    draft = asked.draft
    if not request.terminals:
        draft.emit(
            ev.UnitManned(draft.now_ms, unit.unit, request.crew, request.vehicle, asked.person)
        )
        if unit.status == Status.OFF_DUTY:
            _set_status(asked, unit, Status.AVAILABLE)
        return {"unit": unit.unit}
    expires_ms = draft.now_ms + BIND_LIFE_MS
    body = Bind(
        unit.unit, request.vehicle, request.crew, request.driver, asked.person, draft.now_ms,
        expires_ms,
    )  # fmt: skip
    by_device = {t.device: enrolment for enrolment, t in draft.board.terminals.items()}
    unknown = [device for device in request.terminals if device not in by_device]
    if unknown:
        raise NotDone("unknown_terminal", f"no terminal {', '.join(unknown)} is enrolled")
    for device in request.terminals:
        draft.send(by_device[device], body, expires_ms)
    return {"unit": unit.unit}


def _check_crew(asked: Asked, unit: Unit, crew: tuple[str, ...]) -> None:
    for other in sorted(asked.draft.board.units.values(), key=lambda one: one.unit):
        both = sorted(set(crew) & set(other.crew))
        if both and other.unit != unit.unit:
            aboard = other.unit if may_see(other, asked.roles) else "another unit"
            detail = f"{', '.join(both)} is aboard {aboard}; log that unit off first"
            raise NotDone("crew_elsewhere", detail)


def log_off(asked: Asked, request: rq.LogOffUnit) -> Reply:
    unit, draft = asked.unit(request.unit), asked.draft
    if unit.order is not None:
        raise NotDone("unit_has_order", f"{unit.unit} has order {unit.order}; release it first")
    expires_ms = draft.now_ms + BIND_LIFE_MS
    for enrolment in sorted(unit.terminals):
        body = Bind(None, None, (), None, asked.person, draft.now_ms, expires_ms)
        draft.send(enrolment, body, expires_ms)
    if not unit.terminals:
        draft.emit(ev.UnitManned(draft.now_ms, unit.unit, (), None, asked.person))
        _set_status(asked, unit, Status.OFF_DUTY)
    return {"unit": unit.unit}


def _set_status(asked: Asked, unit: Unit, status: Status) -> None:
    asked.draft.emit(
        ev.UnitStatusSet(
            asked.draft.now_ms, unit.unit, status, asked.person, b"", NO_ENTRY, "desk_logon"
        )
    )


HANDLERS: Final[Handlers] = {
    rq.Update: update,
    rq.Merge: joins.merge,
    rq.Unmerge: joins.unmerge,
    rq.SendMessage: messages.send,
    rq.LogOnUnit: log_on,
    rq.LogOffUnit: log_off,
    rq.PremiseNote: premises.note,
}
