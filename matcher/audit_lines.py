"""One line of a story for each event: when, what, by whom or which rule, by what means.

Events that are not known here are told by their fields, so that a story never has a silent gap.
Called by audit.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from matcher.audit_trail import Trail
from matcher.core import events as ev
from matcher.core.commands import Command, ManagerRequest
from protocol import dispatch
from protocol.order import AnswerMeans
from protocol.refusal import Refused
from protocol.words import Status

_WORDS: Final = re.compile(r"(?<!^)(?=[A-Z])")
_CANDIDATES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Line:
    """`at_ms` is when it happened, `journaled_ms` when the centre decided on it."""

    at_ms: int
    journaled_ms: int
    seq: int  # transaction
    what: str
    text: str
    incident: str | None = None
    unit: str | None = None
    by: str | None = None  # person, rule, unit or terminal
    means: str | None = None  # touch, automatic, by desk
    weighed: frozenset[str] = frozenset()  # units that a decision looked at


@dataclass(frozen=True, slots=True)
class At:
    """Where an event stands: its transaction's command, and what ids mean there."""

    command: Command
    seq: int
    trail: Trail

    def line(
        self,
        event: ev.Event,
        what: str,
        text: str,
        incident: str | None = None,
        unit: str | None = None,
        by: str | None = None,
        means: str | None = None,
        weighed: frozenset[str] = frozenset(),
    ) -> Line:
        return Line(
            event.at_ms, self.command.now_ms, self.seq, what, text, incident, unit, by, means,
            weighed,
        )  # fmt: skip

    def of_order(self, order: str) -> tuple[str | None, str | None]:
        """Its incident and unit."""
        return self.trail.incident_of_order.get(order), self.trail.unit_of_order.get(order)

    def device(self, enrolment: bytes) -> str:
        return self.trail.device_of.get(enrolment, enrolment.hex())


def line_of(event: ev.Event, at: At) -> Line:
    tell = _LINES.get(type(event), _unknown)
    return tell(event, at)


# --- orders --------------------------------------------------------------------------------------


def _stepped(e: ev.OrderStepped, at: At) -> Line:
    again = e.disposition if e.disposition != e.reason else None
    more = " ".join(x for x in (e.reason, again) if x)
    attached = " without a place" if e.attached else ""
    text = f"{e.order} {e.step}{attached}" + (f" ({more})" if more else "")
    means = AnswerMeans(e.means).name.lower()
    return at.line(e, "step", text, *at.of_order(e.order), e.by, means)


def _overdue(e: ev.OrderOverdue, at: At) -> Line:
    return at.line(e, "overdue", f"{e.order} {e.what}", *at.of_order(e.order))


def _issued(e: ev.OrderIssued, at: At) -> Line:
    place = f", place {e.slot}" if e.slot else ""
    eta = "travel time unknown" if e.eta_ms is None else f"{e.eta_ms / 1000:.0f} s away"
    text = f"{e.order} {e.kind} to {e.unit}{place}, {eta}"
    return at.line(e, "order", text, e.incident, e.unit, e.issuer)


def _decided(e: ev.Decided, at: At) -> Line:
    near = [f"{c.unit} {c.eta_ms / 1000:.0f} s" for c in e.candidates[:_CANDIDATES_SHOWN]]
    out = [f"{o.unit} {o.reason}" for o in e.left_out]
    why = f" ({e.reason})" if e.reason else ""
    parts = [f"{e.order or 'nobody sent'}{why}", ", ".join(near) or "no candidate"]
    text = "; ".join(parts + ([f"left out: {', '.join(out)}"] if out else []))
    weighed = frozenset({c.unit for c in e.candidates} | {o.unit for o in e.left_out})
    return at.line(e, "decision", text, e.incident, None, e.rule, None, weighed)


# --- incidents -----------------------------------------------------------------------------------


def _opened(e: ev.IncidentOpened, at: At) -> Line:
    where = f" at {e.place.lat_e7 / 1e7:.5f}, {e.place.lon_e7 / 1e7:.5f}"
    place = f" {e.place.text}" if e.place.text else ""
    plan = f"plan {e.plan_units} units, {e.plan_officers} officers"
    text = f"{e.number} {e.kind}, priority {e.priority}{where}{place}; {plan}; by {e.channel}"
    return at.line(e, "report", text, e.incident, None, e.by)


def _moved(e: ev.IncidentMoved, at: At) -> Line:
    why = f" ({e.disposition})" if e.disposition else ""
    return at.line(e, "incident", f"{e.state}{why}", e.incident, None, e.by)


def _waits(e: ev.IncidentWaits, at: At) -> Line:
    text = f"waits: {e.reason}" if e.reason else "waits no longer"
    return at.line(e, "incident", text, e.incident, None, "rule")


# --- units and terminals -------------------------------------------------------------------------


def _logged_on(e: ev.LoggedOn, at: At) -> Line:
    vehicle = f", vehicle {e.vehicle}" if e.vehicle else ""
    text = f"{e.unit} log-on {e.logon}, crew {' '.join(e.crew) or '-'}{vehicle}"
    return at.line(e, "log-on", text, None, e.unit, f"terminal:{e.device}")


def _logged_off(e: ev.LoggedOff, at: At) -> Line:
    device, unit = at.device(e.enrolment), at.trail.unit_of.get(e.enrolment)
    text = f"{unit or device} log-on {e.logon} ended"
    return at.line(e, "log-off", text, None, unit, f"terminal:{device}")


def _status(e: ev.UnitStatusSet, at: At) -> Line:
    why = f" ({e.reason})" if e.reason else ""
    return at.line(e, "status", f"{e.unit} {Status(e.status).word}{why}", None, e.unit, e.by)


def _held(e: ev.UnitHeld, at: At) -> Line:
    text = f"{e.unit} {'on hold' if e.on else 'no longer on hold'}"
    return at.line(e, "hold", text, None, e.unit, e.by)


# --- messages ------------------------------------------------------------------------------------


def _queued(e: ev.MessageQueued, at: At) -> Line:
    name, incident = _body(e.message)
    unit = at.trail.unit_of.get(e.enrolment)
    at.trail.messages[e.enrolment, e.term, e.counter] = (name, incident, unit)
    return at.line(e, "message", f"{name} queued for {at.device(e.enrolment)}", incident, unit)


def _delivered(e: ev.MessageDelivered, at: At) -> Line:
    name, incident, unit = _waiting(e, at)
    device = at.device(e.enrolment)
    text = f"{name} at {device}: {e.outcome}"
    return at.line(e, "message", text, incident, unit, f"terminal:{device}")


def _expired(e: ev.MessageExpired, at: At) -> Line:
    name, incident, unit = _waiting(e, at)
    text = f"{name} expired, never at {at.device(e.enrolment)}"
    return at.line(e, "message", text, incident, unit)


def _waiting(
    e: ev.MessageDelivered | ev.MessageExpired, at: At
) -> tuple[str, str | None, str | None]:
    unknown = ("message", None, at.trail.unit_of.get(e.enrolment))
    return at.trail.messages.pop((e.enrolment, e.term, e.counter), unknown)


def _body(message: bytes) -> tuple[str, str | None]:
    """What it is and of which order, and its incident."""
    try:
        body = dispatch.decode(message).body
    except Refused:
        return "message", None  # of a release that wrote it otherwise
    order = getattr(body, "order", None)
    name = type(body).__name__.lower()
    return f"{name} {order}" if order else name, getattr(body, "incident", None)


# --- people --------------------------------------------------------------------------------------


def _raised(e: ev.AlertRaised, at: At) -> Line:
    return at.line(e, "alert", f"{e.kind}: {e.text}", e.incident, e.unit)


def _acknowledged(e: ev.AlertAcknowledged, at: At) -> Line:
    unit, incident = at.trail.about.get(e.alert, (None, None))
    return at.line(e, "acknowledged", e.alert, incident, unit, e.by)


def _request(e: ev.RequestDone, at: At) -> Line:
    """What a manager asked for: done, or refused with the reason."""
    asked = _json(at.command.payload) if isinstance(at.command, ManagerRequest) else {}
    reply = _json(e.reply)
    person = at.command.person if isinstance(at.command, ManagerRequest) else e.manager
    keys = ("incident", "unit", "order", "alert", "status")
    named = [f"{key} {asked[key]}" for key in keys if asked.get(key)]
    text = " ".join([str(reply.get("verb", "request")), *named])
    text += f" ({asked['reason']})" if asked.get("reason") else ""
    if reply.get("outcome") == "done":
        text += ": done"
    else:
        text += f": refused, {reply.get('reason')}: {reply.get('detail')}"
    incident, unit = (asked.get(key) or reply.get(key) for key in ("incident", "unit"))
    return at.line(e, "request", f"{text}, from {e.manager}", incident, unit, person)


def _json(payload: bytes) -> dict[str, Any]:
    """What was checked when it came in, whichever release that was."""
    try:
        found = json.loads(payload)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _unknown(event: Any, at: At) -> Line:
    """By its fields: `plan set: units 2`, bound to what it names."""
    named = {field.name: getattr(event, field.name) for field in fields(event)}
    incident, unit = named.get("incident"), named.get("unit")
    if named.get("order") in at.trail.unit_of_order:
        of_incident, of_unit = at.of_order(named["order"])
        incident, unit = incident or of_incident, unit or of_unit
    shown = [
        f"{key} {value}"
        for key, value in named.items()
        if key not in ("at_ms", "incident", "by") and isinstance(value, str | int)
    ]
    what = _WORDS.sub(" ", type(event).__name__).lower()
    return at.line(event, what, ", ".join(shown), incident, unit, named.get("by"))


_LINES: Final[dict[type[Any], Callable[[Any, At], Line]]] = {
    ev.OrderStepped: _stepped,
    ev.OrderOverdue: _overdue,
    ev.OrderIssued: _issued,
    ev.Decided: _decided,
    ev.IncidentOpened: _opened,
    ev.IncidentMoved: _moved,
    ev.IncidentWaits: _waits,
    ev.LoggedOn: _logged_on,
    ev.LoggedOff: _logged_off,
    ev.UnitStatusSet: _status,
    ev.UnitHeld: _held,
    ev.MessageQueued: _queued,
    ev.MessageDelivered: _delivered,
    ev.MessageExpired: _expired,
    ev.AlertRaised: _raised,
    ev.AlertAcknowledged: _acknowledged,
    ev.RequestDone: _request,
}
