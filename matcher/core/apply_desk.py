"""What the events of a running incident do to the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from matcher.core import events_desk as ev
from matcher.core.board import Board, Incident, Note, Premise
from protocol.dispatch import Place

MESSAGES_KEPT: Final = 200


def _updated(board: Board, e: ev.IncidentUpdated) -> None:
    incident = board.incidents[e.incident]
    for name in ("kind", "priority", "place", "hazards", "notes"):
        value = getattr(e, name)
        if value is not None:
            incident.first.setdefault(name, _said(getattr(incident, name)))
            setattr(incident, name, value)
    if e.priority is not None:
        for order in board.orders_of(incident):
            if order.is_open:
                order.priority = e.priority
    incident.revision += 1
    incident.changed_by = e.by


def _said(value: object) -> str:
    """A first value as text, for people."""
    if isinstance(value, Place):
        return f"{value.lat_e7 / 1e7:.5f},{value.lon_e7 / 1e7:.5f} {value.text}".strip()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _joined(board: Board, e: ev.IncidentJoined) -> None:
    _revised(board.incidents[e.incident]).joined_into = e.into
    _revised(board.incidents[e.into])


def _parted(board: Board, e: ev.IncidentParted) -> None:
    incident = _revised(board.incidents[e.incident])
    _revised(board.incidents[incident.joined_into or e.incident])
    incident.joined_into = None


def _revised(incident: Incident) -> Incident:
    incident.revision += 1
    return incident


def _order_revised(board: Board, e: ev.OrderRevised) -> None:
    order = board.orders[e.order]
    order.revision, order.revision_class = e.revision, e.revision_class
    order.expires_ms = e.expires_ms
    order.read_by_ms = e.read_by_ms if e.read_by_ms is not None else order.read_by_ms
    _unread(board, e.order)


def _order_waits(board: Board, e: ev.OrderWaits) -> None:
    order = board.orders[e.order]
    order.wait_for, order.wait_s = e.unit, e.wait_s


def _order_answered_at(board: Board, e: ev.OrderAnsweredAt) -> None:
    board.orders[e.order].answered_by = e.device


def _order_read(board: Board, e: ev.OrderRead) -> None:
    order = board.orders[e.order]
    order.read_revision = max(order.read_revision, e.revision)
    if order.read_revision >= order.revision:
        order.read_by_ms = None
    _unread(board, e.order)


def _read_overdue(board: Board, e: ev.ReadOverdue) -> None:
    board.orders[e.order].read_by_ms = None
    _unread(board, e.order)


def _unread(board: Board, order: str) -> None:
    if board.orders[order].read_by_ms is None:
        board.unread_ids.discard(order)
    else:
        board.unread_ids.add(order)


def _message_sent(board: Board, e: ev.MessageSent) -> None:
    board.made["message"] = board.made.get("message", 0) + 1
    board.messages[e.message] = Note(
        e.message, e.incident, e.units, e.by, e.text, e.at_ms, dict.fromkeys(e.units, "sent")
    )
    while len(board.messages) > MESSAGES_KEPT:
        del board.messages[next(iter(board.messages))]


def _message_shown(board: Board, e: ev.MessageShown) -> None:
    note = board.messages.get(e.message)
    if note is not None and note.states.get(e.unit) == "sent":
        note.states[e.unit] = "shown"


def _message_answered(board: Board, e: ev.MessageAnswered) -> None:
    note = board.messages.get(e.message)
    if note is not None:
        note.states[e.unit] = e.code


def _premise_noted(board: Board, e: ev.PremiseNoted) -> None:
    board.made["premise"] = board.made.get("premise", 0) + 1
    expired = [name for name, one in board.premises.items() if one.expires_ms <= e.at_ms]
    for name in expired:
        del board.premises[name]
    board.premises[e.premise] = Premise(
        e.premise, e.place, e.text, e.source, e.by, e.at_ms, e.expires_ms
    )


def _premise_forgotten(board: Board, e: ev.PremiseForgotten) -> None:
    board.premises.pop(e.premise, None)


def _unit_placed(board: Board, e: ev.UnitPlaced) -> None:
    unit = board.units[e.unit]
    unit.place, unit.placed_ms = e.place, e.at_ms


def _unit_manned(board: Board, e: ev.UnitManned) -> None:
    unit = board.units[e.unit]
    unit.crew, unit.vehicle, unit.radio_crew = e.crew, e.vehicle, bool(e.crew)


def _visibility_set(board: Board, e: ev.VisibilitySet) -> None:
    unit = board.units[e.unit]
    unit.visibility, unit.group = e.visibility, e.group


APPLY: Final[dict[type[Any], Callable[[Board, Any], None]]] = {
    ev.IncidentUpdated: _updated,
    ev.IncidentJoined: _joined,
    ev.IncidentParted: _parted,
    ev.OrderRevised: _order_revised,
    ev.OrderWaits: _order_waits,
    ev.OrderAnsweredAt: _order_answered_at,
    ev.OrderRead: _order_read,
    ev.ReadOverdue: _read_overdue,
    ev.MessageSent: _message_sent,
    ev.MessageShown: _message_shown,
    ev.MessageAnswered: _message_answered,
    ev.PremiseNoted: _premise_noted,
    ev.PremiseForgotten: _premise_forgotten,
    ev.UnitPlaced: _unit_placed,
    ev.UnitManned: _unit_manned,
    ev.VisibilitySet: _visibility_set,
}
