"""What each event does to the board. Live and replay share this one path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from matcher.core import apply_alerts, apply_book, apply_crew, apply_desk, apply_sos
from matcher.core import events as ev
from matcher.core.board import (
    BINDING,
    INCIDENT_CLOSED,
    REQUEST_KEPT_MS,
    Board,
    Done,
    Incident,
    Order,
    Outbound,
    Terminal,
    Unit,
)
from protocol.order import OFFERED, OPEN, OrderKind, OrderState, OrderStep, advance
from protocol.words import Status

_DAY_MS: Final = 86_400_000
_STATUS_OF_STATE: Final = {
    OrderState.CONFIRMED: Status.DISPATCHED,
    OrderState.EN_ROUTE: Status.EN_ROUTE,
    OrderState.ON_SCENE: Status.ON_SCENE,
}


def apply(board: Board, event: ev.Event) -> None:
    """Change `board` by one event; an event that cannot be applied is an error of ours."""
    _APPLY[type(event)](board, event)


def _term_began(board: Board, e: ev.TermBegan) -> None:
    board.term = e.term
    board.made.clear()
    board.outbound.clear()  # open messages follow, queued again under this term
    for terminal in board.terminals.values():
        terminal.counter = 0


def _fleet_configured(board: Board, e: ev.FleetConfigured) -> None:
    board.mode = e.mode
    for spec in e.units:
        unit = board.units.setdefault(
            spec.unit,
            Unit(
                spec.unit, spec.kind, spec.officers, spec.capabilities, spec.visibility, spec.group
            ),
        )  # fmt: skip
        unit.kind, unit.officers, unit.capabilities = spec.kind, spec.officers, spec.capabilities
        unit.home = spec.terminals
        unit.configured = spec.visibility, spec.group  # a change of them is an event of its own


def _identities_taken(board: Board, e: ev.IdentitiesTaken) -> None:
    board.identities_version = e.version
    active = dict(e.terminals)
    for enrolment in [known for known in board.terminals if known not in active]:
        _unbind(board, board.terminals.pop(enrolment))
        board.outbound.pop(enrolment, None)
    for enrolment, device in e.terminals:
        board.terminals.setdefault(enrolment, Terminal(enrolment, device)).device = device


def _unbind(board: Board, terminal: Terminal) -> None:
    unit = board.units.get(terminal.unit or "")
    terminal.unit = terminal.logon = None
    if unit is not None:
        unit.terminals.pop(terminal.enrolment, None)
        if not unit.terminals:
            unit.crew = ()


def _logged_on(board: Board, e: ev.LoggedOn) -> None:
    terminal = board.terminals[e.enrolment]
    _unbind(board, terminal)
    unit = board.units[e.unit]
    terminal.unit, terminal.logon, terminal.logon_order = e.unit, e.logon, e.order
    unit.terminals[e.enrolment] = e.logon
    unit.crew, unit.vehicle, unit.radio_crew = e.crew, e.vehicle, False


def _logged_off(board: Board, e: ev.LoggedOff) -> None:
    terminal = board.terminals[e.enrolment]
    _unbind(board, terminal)
    terminal.logon_order = e.order


def _status_set(board: Board, e: ev.UnitStatusSet) -> None:
    unit = board.units[e.unit]
    unit.status, unit.status_since_ms = e.status, e.at_ms
    if e.enrolment:
        board.terminals[e.enrolment].status_order = e.order


def _held(board: Board, e: ev.UnitHeld) -> None:
    board.units[e.unit].hold = e.on


def _incident_opened(board: Board, e: ev.IncidentOpened) -> None:
    board.made["incident"] = board.made.get("incident", 0) + 1
    board.incidents[e.incident] = Incident(
        e.incident, e.number, e.kind, e.priority, e.place, e.plan_units, e.plan_officers,
        e.hazards, e.notes, e.channel, e.by, e.at_ms, capabilities=e.capabilities, alert=e.alert,
        exercise=e.exercise, long_number=e.long_number, staging_m=e.staging_m, by_book=e.by_book,
    )  # fmt: skip
    board.open_ids.add(e.incident)
    if e.serial:
        board.day, board.day_reports = e.serial_day, e.serial
        return
    day = e.at_ms // _DAY_MS  # as journals older than the codebook counted
    board.day_reports = board.day_reports + 1 if day == board.day else 1
    board.day = day


def _plan_set(board: Board, e: ev.PlanSet) -> None:
    incident = board.incidents[e.incident]
    incident.plan_units = e.units
    incident.revision += 1


def _rule_stopped(board: Board, e: ev.RuleStopped) -> None:
    incident = board.incidents[e.incident]
    incident.stopped = e.on
    incident.revision += 1
    _no_longer_waits(incident)


def _mode_set(board: Board, e: ev.ModeSet) -> None:
    board.modes[e.priority] = (e.mode, e.veto_s)
    for incident in board.open_incidents():
        if incident.priority == e.priority:
            _no_longer_waits(incident)


def _incident_moved(board: Board, e: ev.IncidentMoved) -> None:
    incident = board.incidents[e.incident]
    incident.state = e.state
    incident.revision += 1
    incident.disposition = e.disposition or incident.disposition
    if e.state in INCIDENT_CLOSED:
        incident.times_ms[e.state] = e.at_ms
        _no_longer_waits(incident)
        board.open_ids.discard(e.incident)
    else:
        incident.times_ms.setdefault(e.state, e.at_ms)
        board.open_ids.add(e.incident)


def _incident_waits(board: Board, e: ev.IncidentWaits) -> None:
    incident = board.incidents[e.incident]
    incident.waits, incident.waits_since_ms = e.reason, e.at_ms
    incident.recommended, incident.due_ms, incident.escalated = e.recommended, e.due_ms, False


def _escalated(board: Board, e: ev.Escalated) -> None:
    board.incidents[e.incident].escalated = True


def _no_longer_waits(incident: Incident) -> None:
    incident.waits, incident.recommended, incident.due_ms = None, (), None


def _decided(_board: Board, _e: ev.Decided) -> None:
    """The reason is in the journal; the board needs only what follows from it."""


def _order_issued(board: Board, e: ev.OrderIssued) -> None:
    board.made["order"] = board.made.get("order", 0) + 1
    incident = board.incidents[e.incident]
    board.orders[e.order] = Order(
        e.order, e.incident, e.unit, e.kind, e.slot, incident.priority, e.logon, e.at_ms,
        e.expires_ms, e.answer_s, e.issuer, e.eta_ms, times_ms={OrderState.ISSUED: e.at_ms},
        by_radio=e.by_radio,
    )  # fmt: skip
    board.offered_ids.add(e.order)
    incident.passed.discard(e.unit)  # a person may send again whom a rule passed over
    incident.orders.append(e.order)
    incident.revision += 1
    if e.kind in BINDING:
        board.units[e.unit].order = e.order
        if incident.due_ms is not None or incident.recommended:
            _no_longer_waits(incident)  # what is still missing is recommended anew
    elif e.kind == OrderKind.ALERT:
        incident.alerted.add(e.unit)


def _order_took(board: Board, e: ev.OrderTook) -> None:
    order = board.orders[e.order]
    order.kind, order.slot = OrderKind.BACKUP.value, e.slot
    board.units[order.unit].order = e.order


def _order_stepped(board: Board, e: ev.OrderStepped) -> None:
    order = board.orders[e.order]
    unit, incident = board.units[order.unit], board.incidents[order.incident]
    state = advance(OrderState(order.state), OrderStep(e.step))
    order.state, order.attached = state, e.attached or order.attached
    order.times_ms[state], order.means[state] = e.at_ms, e.means
    order.reason = e.reason or order.reason
    incident.revision += 1
    if state in OFFERED:
        board.offered_ids.add(e.order)
    else:
        board.offered_ids.discard(e.order)
    if state in OPEN:
        if order.binds:
            unit.order = order.order
        if state in _STATUS_OF_STATE and unit.status != Status.EMERGENCY:  # ended by hand only
            unit.status, unit.status_since_ms = _STATUS_OF_STATE[state], e.at_ms
    else:
        _close_order(unit, order, incident, e)


def _close_order(unit: Unit, order: Order, incident: Incident, e: ev.OrderStepped) -> None:
    if unit.order == order.order:
        unit.order = None
        if unit.status in _STATUS_OF_STATE.values():
            unit.status, unit.status_since_ms = Status.AVAILABLE, e.at_ms
    if not order.binds:
        return
    if order.state in (OrderState.DECLINED, OrderState.EXPIRED) or e.reason == "stand_down":
        incident.passed.add(order.unit)


def _order_overdue(board: Board, e: ev.OrderOverdue) -> None:
    board.orders[e.order].overdue = e.what


def _queued(board: Board, e: ev.MessageQueued) -> None:
    board.terminals[e.enrolment].counter = e.counter
    board.outbound.setdefault(e.enrolment, []).append(
        Outbound(e.term, e.counter, e.before, e.message, e.expires_ms)
    )


def _drop_message(board: Board, enrolment: bytes, term: int, counter: int) -> None:
    waiting = board.outbound.get(enrolment, [])
    board.outbound[enrolment] = [m for m in waiting if (m.term, m.counter) != (term, counter)]


def _delivered(board: Board, e: ev.MessageDelivered) -> None:
    _drop_message(board, e.enrolment, e.term, e.counter)


def _message_expired(board: Board, e: ev.MessageExpired) -> None:
    _drop_message(board, e.enrolment, e.term, e.counter)


def _request_done(board: Board, e: ev.RequestDone) -> None:
    for key, done in list(board.requests.items()):  # oldest first: stop at the first young one
        if done.at_ms >= e.at_ms - REQUEST_KEPT_MS:
            break
        del board.requests[key]
    board.requests[e.enrolment, e.request_id] = Done(e.at_ms, e.digest, e.manager, e.reply)
    incident = board.incidents.get(e.incident)
    if incident is not None:
        incident.changed_by = e.person


_APPLY: Final[dict[type[Any], Callable[[Board, Any], None]]] = {
    **apply_alerts.APPLY,
    **apply_book.APPLY,
    **apply_desk.APPLY,
    **apply_sos.APPLY,
    **apply_crew.APPLY,
    ev.TermBegan: _term_began,
    ev.FleetConfigured: _fleet_configured,
    ev.IdentitiesTaken: _identities_taken,
    ev.LoggedOn: _logged_on,
    ev.LoggedOff: _logged_off,
    ev.UnitStatusSet: _status_set,
    ev.UnitHeld: _held,
    ev.IncidentOpened: _incident_opened,
    ev.PlanSet: _plan_set,
    ev.RuleStopped: _rule_stopped,
    ev.ModeSet: _mode_set,
    ev.IncidentMoved: _incident_moved,
    ev.IncidentWaits: _incident_waits,
    ev.Escalated: _escalated,
    ev.Decided: _decided,
    ev.OrderIssued: _order_issued,
    ev.OrderTook: _order_took,
    ev.OrderStepped: _order_stepped,
    ev.OrderOverdue: _order_overdue,
    ev.MessageQueued: _queued,
    ev.MessageDelivered: _delivered,
    ev.MessageExpired: _message_expired,
    ev.RequestDone: _request_done,
}
