"""Managers' requests: report, cancel, assign, release, hold, status, acknowledge."""

from __future__ import annotations

from datetime import UTC, datetime

from matcher.core import events as ev
from matcher.core.assign import SLOTS_MAX, open_slot, rank
from matcher.core.board import INCIDENT_CLOSED, Incident, IncidentState
from matcher.core.commands import Estimates, ManagerRequest
from matcher.core.draft import Draft
from matcher.core.events import NO_ENTRY
from matcher.core.offers import RULE_PERSON, close, fill, issue, settle
from protocol import request as rq
from protocol.datum import to_wgs84
from protocol.dispatch import Place
from protocol.order import AnswerMeans, OrderStep
from protocol.words import Status

DAY_MS = 86_400_000
NEW = "new"  # stands for the incident being reported, in the estimates


class NotDone(Exception):
    """A request that cannot be done: code and sentence for the reply."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def on_request(draft: Draft, command: ManagerRequest, estimates: dict[str, Estimates]) -> None:
    """Decide a request and journal its reply in the same transaction."""
    request = rq.decode_request(command.payload)
    try:
        reply = _do(draft, request, command.person, estimates)
    except NotDone as refusal:
        reply = {"outcome": "refused", "reason": refusal.reason, "detail": refusal.detail}
    sealed = rq.Reply.model_validate(
        {
            "request_id": request.request_id,
            "verb": getattr(request, "verb", ""),
            "outcome": "done",
            "time_ms": draft.now_ms,
        }
        | reply
    )
    draft.emit(
        ev.RequestDone(
            draft.now_ms, command.enrolment, request.request_id, rq.digest(command.payload),
            command.manager, rq.encode(sealed),
        )
    )  # fmt: skip


def _do(
    draft: Draft, request: rq.Common, person: str, estimates: dict[str, Estimates]
) -> dict[str, object]:
    match request:
        case rq.Report():
            return _report(draft, request, person, estimates)
        case rq.CancelIncident():
            return _cancel(draft, request, person)
        case rq.Assign():
            return _assign(draft, request, person, estimates)
        case rq.ReleaseUnit():
            return _release(draft, request, person)
        case rq.Hold():
            _unit(draft, request.unit)
            draft.emit(ev.UnitHeld(draft.now_ms, request.unit, request.on, person))
            return {"unit": request.unit}
        case rq.SetStatus():
            return _set_status(draft, request, person)
        case rq.Acknowledge():
            if request.alert not in draft.board.alerts:
                raise NotDone("unknown_alert", f"no alert {request.alert}")
            draft.emit(ev.AlertAcknowledged(draft.now_ms, request.alert, person))
            return {}
        case _:
            raise NotDone("unknown_verb", "this verb is not known here")


def _report(
    draft: Draft, request: rq.Report, person: str, estimates: dict[str, Estimates]
) -> dict[str, object]:
    incident_id = draft.new_id("incident")
    place = request.place
    lat, lon = place_of(request)
    source = place.source if place.datum == "wgs84" else f"{place.source} ({place.datum})"
    draft.emit(
        ev.IncidentOpened(
            draft.now_ms, incident_id, _short_number(draft), request.kind, request.priority,
            Place(
                round(lat * 1e7), round(lon * 1e7), "wgs84", source[:32], place.accuracy_m,
                place.text,
            ),
            request.plan.units, request.plan.officers, request.hazards, request.notes,
            request.channel, person,
        )
    )  # fmt: skip
    incident = draft.board.incidents[incident_id]
    fill(draft, incident, estimates.get(NEW))
    return {"incident": incident_id, "revision": incident.revision}


def place_of(request: rq.Report) -> tuple[float, float]:
    """The reported place in WGS 84: inside, nothing is in another datum."""
    return to_wgs84(request.place.lat, request.place.lon, request.place.datum)


def _short_number(draft: Draft) -> str:
    """Short daily number for the radio: day of month and a serial of that day."""
    board, day = draft.board, draft.now_ms // DAY_MS
    serial = board.day_reports + 1 if day == board.day else 1
    return f"{datetime.fromtimestamp(draft.now_ms // 1000, UTC).day:02d}-{serial:03d}"


def _incident(draft: Draft, request: rq.Common, incident_id: str) -> Incident:
    incident = draft.board.incidents.get(incident_id)
    if incident is None:
        raise NotDone("unknown_incident", f"no incident {incident_id}")
    if incident.state in INCIDENT_CLOSED:
        raise NotDone("incident_closed", f"{incident_id} is {incident.state}")
    wanted = request.expected_revision
    if wanted is not None and wanted != incident.revision:
        raise NotDone("revision", f"{incident_id} is at revision {incident.revision}, not {wanted}")
    return incident


def _unit(draft: Draft, unit_id: str) -> None:
    if unit_id not in draft.board.units:
        raise NotDone("unknown_unit", f"no unit {unit_id}")


def _cancel(draft: Draft, request: rq.CancelIncident, person: str) -> dict[str, object]:
    incident = _incident(draft, request, request.incident)
    for order in draft.board.orders_of(incident):
        if order.is_open:
            close(
                draft, order, OrderStep.CANCEL, request.reason or "cancelled", person,
                means=AnswerMeans.BY_DESK,
            )  # fmt: skip
    state = IncidentState.CANCELLED.value
    draft.emit(ev.IncidentMoved(draft.now_ms, incident.incident, state, person, request.reason))
    return {"incident": incident.incident, "revision": incident.revision}


def _assign(
    draft: Draft, request: rq.Assign, person: str, estimates: dict[str, Estimates]
) -> dict[str, object]:
    """A person's choice is never blocked; only a unit that has an order must be released first."""
    incident = _incident(draft, request, request.incident)
    _unit(draft, request.unit)
    unit = draft.board.units[request.unit]
    if unit.order is not None:
        raise NotDone("unit_has_order", f"{unit.unit} has order {unit.order}; release it first")
    if not unit.terminals:
        raise NotDone("not_logged_on", f"{unit.unit} has no terminal logged on; call by radio")
    slot = open_slot(draft.board, incident)
    if slot is None:
        slot = max(o.slot for o in draft.board.orders_of(incident)) + 1
    if slot > SLOTS_MAX:
        raise NotDone("too_many_units", f"{incident.incident} has {SLOTS_MAX} places")
    ranking = rank(draft.board, incident, estimates.get(incident.incident))
    order = issue(draft, incident, unit.unit, slot, ranking, RULE_PERSON, person)
    fill(draft, incident, estimates.get(incident.incident))
    return {"incident": incident.incident, "order": order, "revision": incident.revision}


def _release(draft: Draft, request: rq.ReleaseUnit, person: str) -> dict[str, object]:
    incident = _incident(draft, request, request.incident)
    for order in draft.board.open_orders_of(incident):
        if order.unit == request.unit:
            close(draft, order, OrderStep.CANCEL, "stand_down", person, means=AnswerMeans.BY_DESK)
            settle(draft, incident)
            return {"incident": incident.incident, "revision": incident.revision}
    raise NotDone("not_on_it", f"{request.unit} has no open order for {incident.incident}")


def _set_status(draft: Draft, request: rq.SetStatus, person: str) -> dict[str, object]:
    _unit(draft, request.unit)
    try:
        status = Status.from_word(request.status)
    except KeyError:
        known = ", ".join(one.word for one in Status)
        raise NotDone("unknown_status", f"{request.status} is none of {known}") from None
    draft.emit(
        ev.UnitStatusSet(draft.now_ms, request.unit, status, person, b"", NO_ENTRY, request.reason)
    )
    return {"unit": request.unit}
