"""What the desk does about an SOS: a named person has it, and only a person closes it.

Called by the requests, and by `offers.settle` where helpers have cleared.
"""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core.asked import NotDone
from matcher.core.board import INCIDENT_CLOSED, Alert, Board, Incident, Order, Unit
from matcher.core.board_sos import NO_PLACE, Sos
from matcher.core.draft import Draft
from matcher.core.events import NO_ENTRY
from matcher.core.messages import LIFE_MS
from protocol import dispatch
from protocol.dispatch import Place
from protocol.order import HELD, OrderState
from protocol.words import Status

ALERTS: Final = frozenset(
    {"sos", "sos_again", "sos_unacknowledged", "sos_false_alarm", "sos_crew_says", "sos_open"}
)
NO_PLACE_RULE: Final = "rule:no-place"
_STATUS_OF: Final = {
    OrderState.CONFIRMED: Status.DISPATCHED,
    OrderState.EN_ROUTE: Status.EN_ROUTE,
    OrderState.ON_SCENE: Status.ON_SCENE,
}


def state_of(board: Board, sos: Sos) -> str:
    """Its own life: raised, acknowledged, help_assigned, resolved."""
    incident = board.incidents[sos.incident]
    if incident.state in INCIDENT_CLOSED:
        return "resolved"
    if any(o.state in HELD for o in board.orders_of(incident)):
        return "help_assigned" if sos.acknowledged_by else "raised"
    return "acknowledged" if sos.acknowledged_by else "raised"


def check_may_cancel(board: Board, incident: Incident) -> None:
    """Raises NotDone: it ends with a disposition, never as a mistake or a repeated report."""
    if incident.incident in board.sos:
        detail = f"{incident.incident} is an SOS: close it with a disposition"
        raise NotDone("sos", detail)


def check_keeps_priority(board: Board, incident: Incident, priority: int | None) -> None:
    """Raises NotDone."""
    if priority is not None and incident.incident in board.sos:
        raise NotDone("sos", f"{incident.incident} is an SOS: its priority stays 0")


def on_acknowledged(draft: Draft, alert: Alert, person: str) -> None:
    """One acknowledgement is for all that was told of it so far; the crew hears who has it."""
    sos = draft.board.sos.get(alert.incident or "")
    if sos is None or alert.kind not in ALERTS:
        return
    _seen(draft, sos, person)
    if sos.acknowledged_by is None:
        draft.emit(ev.SosAcknowledged(draft.now_ms, sos.incident, person))
        _tell_crews(draft, sos, person)


def _seen(draft: Draft, sos: Sos, person: str) -> None:
    for one in tuple(draft.board.alerts.values()):
        is_open = one.incident == sos.incident and one.acknowledged_by is None
        if is_open and one.kind in ALERTS:
            draft.emit(ev.AlertAcknowledged(draft.now_ms, one.alert, person))


def _tell_crews(draft: Draft, sos: Sos, person: str) -> None:
    """Nothing may light up where it was raised in silence."""
    units = tuple(u for u in sos.units if draft.board.units[u].terminals)
    if sos.silent or not units:
        return
    text = f"SOS 已由 {person} 接收,正在派警支援。 SOS: {person} has it, help is being sent."
    message, expires_ms = draft.new_id("message"), draft.now_ms + LIFE_MS
    draft.emit(ev.MessageSent(draft.now_ms, message, sos.incident, units, person, text))
    body = dispatch.Message(message, sos.incident, person, text, draft.now_ms, expires_ms)
    for unit in units:
        draft.send_to_unit(unit, body, expires_ms)


def on_closed(draft: Draft, incident: Incident, person: str) -> None:
    """Its crews are in danger no longer, as far as no other SOS of theirs is open."""
    board, sos = draft.board, draft.board.sos.get(incident.incident)
    if sos is None:
        return
    _seen(draft, sos, person)
    still = {u for s in board.sos.values() if s.incident in board.open_ids for u in s.units}
    for name in sos.units:
        unit = board.units[name]
        if unit.status == Status.EMERGENCY and name not in still:
            status = _status_after(unit, board.orders.get(unit.order or ""))
            draft.emit(
                ev.UnitStatusSet(draft.now_ms, name, status, person, b"", NO_ENTRY, "sos_closed")
            )


def on_reopened(draft: Draft, incident: Incident, person: str) -> None:
    """It was not over: its crews are in danger again."""
    sos = draft.board.sos.get(incident.incident)
    for unit in sos.units if sos is not None else ():
        draft.emit(
            ev.UnitStatusSet(
                draft.now_ms, unit, Status.EMERGENCY, person, b"", NO_ENTRY, "sos_reopened"
            )
        )


def _status_after(unit: Unit, order: Order | None) -> Status:
    if not unit.terminals and not unit.radio_crew:
        return Status.OFF_DUTY
    if order is None:
        return Status.AVAILABLE
    return _STATUS_OF.get(OrderState(order.state), Status.AVAILABLE)


def on_placed(draft: Draft, incident: Incident, place: Place | None) -> None:
    """Where it is was found out: the rule may send now."""
    is_sos = incident.incident in draft.board.sos
    if is_sos and place is not None and incident.place.source == NO_PLACE:
        draft.emit(ev.RuleStopped(draft.now_ms, incident.incident, False, NO_PLACE_RULE))


def helpers_gone(draft: Draft, incident: Incident) -> None:
    """All who went have cleared; that ends nothing."""
    draft.alert(
        "sos_open", incident.incident,
        f"{incident.number}: all helpers have cleared; close it with a disposition",
        incident=incident.incident, again=True,
    )  # fmt: skip
