"""Requests about units, alerts and the rules themselves: hold, status, acknowledge, mode."""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core import sos_desk, welfare
from matcher.core.asked import Asked, Handlers, NotDone, Reply
from matcher.core.events import NO_ENTRY
from matcher.core.places import place_from
from matcher.core.requests_incident import stop_rule
from matcher.core.visibility import OPEN, may_read
from protocol import request as rq
from protocol.words import Status


def hold(asked: Asked, request: rq.Hold) -> Reply:
    if request.incident is not None:
        return stop_rule(asked, request.incident, on=request.on)
    unit = asked.unit(request.unit or "")
    asked.draft.emit(ev.UnitHeld(asked.draft.now_ms, unit.unit, request.on, asked.person))
    return {"unit": unit.unit}


def set_status(asked: Asked, request: rq.SetStatus) -> Reply:
    unit = asked.unit(request.unit)
    try:
        status = Status.from_word(request.status)
    except KeyError:
        known = ", ".join(one.word for one in Status)
        raise NotDone("unknown_status", f"{request.status} is none of {known}") from None
    if request.place is not None:
        place = place_from(request.place)
        asked.draft.emit(ev.UnitPlaced(asked.draft.now_ms, unit.unit, place, asked.person))
    asked.draft.emit(
        ev.UnitStatusSet(
            asked.draft.now_ms, unit.unit, status, asked.person, b"", NO_ENTRY, asked.reason
        )
    )
    welfare.touched(asked.draft, unit.unit, asked.person)
    return {"unit": unit.unit}


def acknowledge(asked: Asked, request: rq.Acknowledge) -> Reply:
    board = asked.draft.board
    alert = board.alerts.get(request.alert)
    if alert is None or not may_read(board, alert, asked.roles):
        raise NotDone("unknown_alert", f"no alert {request.alert}")
    asked.draft.emit(ev.AlertAcknowledged(asked.draft.now_ms, request.alert, asked.person))
    sos_desk.on_acknowledged(asked.draft, alert, asked.person)
    if alert.kind == welfare.ALERT:
        welfare.touched(asked.draft, alert.unit, asked.person)
    return {}


def set_mode(asked: Asked, request: rq.SetMode) -> Reply:
    """Holds over restarts; what waits under the old mode is looked at again at the next tick."""
    asked.draft.emit(
        ev.ModeSet(asked.draft.now_ms, request.priority, request.mode, request.veto_s, asked.person)
    )
    return {}


def set_visibility(asked: Asked, request: rq.SetVisibility) -> Reply:
    """Holds over restarts until the settings say something new; orders in hand go on."""
    unit = asked.unit(request.unit)
    group = request.group or unit.group
    if request.visibility != OPEN and not group:
        raise NotDone("group_needed", f"{unit.unit} has no group: say whose it is with --group")
    asked.draft.emit(
        ev.VisibilitySet(asked.draft.now_ms, unit.unit, request.visibility, group, asked.person)
    )
    return {"unit": unit.unit}


HANDLERS: Final[Handlers] = {
    rq.Hold: hold,
    rq.SetStatus: set_status,
    rq.Acknowledge: acknowledge,
    rq.SetMode: set_mode,
    rq.SetVisibility: set_visibility,
}
