"""What a terminal's logbook entry means for the board; a late or repeated one is history."""

from __future__ import annotations

import re

from matcher.core import events as ev
from matcher.core import messages, sos, sos_call, statuses, welfare
from matcher.core.board import Board, Order, Terminal
from matcher.core.codes import known_or_other
from matcher.core.commands import EntryCame, Estimates
from matcher.core.draft import Draft
from matcher.core.events import NO_ENTRY, EntryOrder
from matcher.core.late_touch import tell_late_touch
from matcher.core.offers import accept, close, settle
from matcher.core.updates import on_read
from matcher.core.visibility import is_open
from protocol import dispatch
from protocol import entry as entries
from protocol.order import (
    OFFERED,
    STEP_OF_ANSWER,
    Answer,
    AnswerMeans,
    OrderState,
    OrderStep,
    allows,
)
from protocol.words import Status

SAME_MOMENT_MS = 5_000
_CODE = re.compile(r"[a-z0-9_-]{1,32}", re.ASCII)
_REACHED = ("shown",)  # `kept` is followed by `shown` once the terminal trusts its clock
_DEPARTS = (Answer.EN_ROUTE, Answer.ON_SCENE)


def on_entry(draft: Draft, command: EntryCame, estimates: dict[str, Estimates]) -> None:
    """Decide on one entry of an enrolled terminal."""
    terminal = draft.board.terminals[command.enrolment]
    entry = entries.decode(command.entry)
    call = sos_call.call_of(draft.board, command, entry)
    if call is not None:
        statuses.on_call(draft, terminal, order_of(entry, command.n), entry.body, call, estimates)
        return
    match entry.body:
        case entries.Logon() as body:
            _on_logon(draft, terminal, order_of(entry, command.n), body)
        case entries.Logoff() as body:
            _on_logoff(draft, terminal, order_of(entry, command.n), body)
        case entries.StatusChange() as body:
            statuses.on_status(draft, terminal, order_of(entry, command.n), body, command.here)
        case entries.Delivered() as body:
            _on_delivered(draft, terminal, body, entry.time_ms)
        case entries.OrderAnswer() as body:
            _on_answer(draft, terminal, body, entry.time_ms)
        case entries.MessageAnswer() as body if terminal.unit is not None:
            messages.on_answer(draft, draft.board.units[terminal.unit], body)
        case entries.Alarm() as body:
            _on_alarm(draft, terminal, f"{entry.boot}-{command.n}", body)
        case _:
            return
    welfare.heard(draft, terminal.unit, entry.body)


def order_of(entry: entries.Entry, n: int) -> EntryOrder:
    """Later is greater, whatever the clock does and whichever logbook it is in."""
    return entry.boot, entry.uptime_ms, n


def matters(entry: entries.Entry) -> bool:
    """Whether an entry may change the board; all others are journaled and nothing more."""
    body = entry.body
    if isinstance(body, entries.DeviceEvent):
        return body.name == "sos"
    return isinstance(
        body,
        entries.Logon | entries.Logoff | entries.StatusChange | entries.Delivered
        | entries.OrderAnswer | entries.MessageAnswer | entries.Alarm,
    )  # fmt: skip


def may_free_a_unit(entry: entries.Entry) -> bool:
    """Whether somebody may be sent after this entry; without it travel times are wasted bytes."""
    body = entry.body
    if isinstance(body, entries.Delivered):
        return body.outcome not in (*_REACHED, "kept")
    return not isinstance(body, entries.Alarm)


def _on_alarm(draft: Draft, terminal: Terminal, number: str, body: entries.Alarm) -> None:
    """A terminal's own alarm; its code stands in a topic, so only a code is taken as one."""
    code = body.code if _CODE.fullmatch(body.code) else "terminal_alarm"
    text = f"{terminal.unit or terminal.device}: {body.text}"
    alert = f"alarm-{terminal.device}-{number}"
    if alert not in draft.board.alerts:
        draft.emit(ev.AlertRaised(draft.now_ms, alert, code, terminal.unit, None, None, text))


def _on_logon(draft: Draft, terminal: Terminal, order: EntryOrder, body: entries.Logon) -> None:
    if order <= terminal.logon_order:
        return
    if body.unit not in draft.board.units:
        draft.alert(
            "unknown_unit", f"{terminal.device}-{order[2]}",
            f"{terminal.device} logged on as {body.unit}, which is no unit of this fleet",
        )  # fmt: skip
        return
    now_ms = draft.now_ms
    draft.emit(
        ev.LoggedOn(
            now_ms, terminal.enrolment, terminal.device, order, body.number, body.unit, body.crew,
            body.vehicle,
        )
    )  # fmt: skip
    unit = draft.board.units[body.unit]
    if unit.status == Status.OFF_DUTY:
        draft.emit(
            ev.UnitStatusSet(now_ms, unit.unit, Status.AVAILABLE, "logon", b"", NO_ENTRY, None)
        )
    if unit.order is not None and len(unit.terminals) == 1:
        draft.send_order(draft.board.orders[unit.order])


def _on_logoff(draft: Draft, terminal: Terminal, order: EntryOrder, _body: entries.Logoff) -> None:
    if order <= terminal.logon_order or terminal.logon is None:
        return
    unit = draft.board.units[terminal.unit or ""]
    draft.emit(ev.LoggedOff(draft.now_ms, terminal.enrolment, order, terminal.logon))
    if not unit.terminals:
        if sos.of_unit(draft.board, unit.unit) is None:  # who logs off in danger stays in danger
            draft.emit(
                ev.UnitStatusSet(
                    draft.now_ms, unit.unit, Status.OFF_DUTY, "logoff", b"", NO_ENTRY, None
                )
            )
        if unit.order is not None:
            draft.alert(
                "logged_off_with_order", f"{unit.order}", f"{unit.unit} logged off with an order",
                unit=unit.unit, order=unit.order,
            )  # fmt: skip


def _on_delivered(draft: Draft, terminal: Terminal, body: entries.Delivered, at_ms: int) -> None:
    number = (body.term, body.counter)
    for waiting in draft.board.outbound.get(terminal.enrolment, ()):
        if number == (waiting.term, waiting.counter) or number in waiting.before:
            draft.emit(
                ev.MessageDelivered(
                    draft.now_ms, terminal.enrolment, waiting.term, waiting.counter, body.outcome
                )
            )
            said = dispatch.decode(waiting.message).body
            if isinstance(said, dispatch.Message) and terminal.unit is not None:
                messages.on_shown(draft, said, terminal.unit)
            if isinstance(said, dispatch.Bind) and body.outcome not in _REACHED:
                _not_bound(draft, terminal, said, body)
            break
    order = draft.board.orders.get(body.order or "")
    if order is None or not _is_for(draft.board, order, terminal):
        return
    if body.outcome == "wrong_logon" and order.state in OFFERED:
        close(draft, order, OrderStep.SUPERSEDE, "wrong_logon", "rule:logon")
        draft.alert(
            "wrong_logon", order.order, f"{order.unit}: order was for another log-on",
            unit=order.unit, incident=order.incident, order=order.order,
        )  # fmt: skip
    elif (
        body.outcome in _REACHED
        and body.revision is not None
        and allows(OrderState(order.state), OrderStep.DELIVER)
    ):
        draft.step(
            order, OrderStep.DELIVER, f"terminal:{terminal.device}", AnswerMeans.AUTOMATIC,
            at_ms=_happened(draft, order, at_ms),
        )  # fmt: skip


def _not_bound(
    draft: Draft, terminal: Terminal, bind: dispatch.Bind, body: entries.Delivered
) -> None:
    """The desk's log-on found an order in hand at the terminal, or came too late."""
    draft.alert(
        "logon_refused", f"{terminal.device}-{body.term}-{body.counter}",
        f"{terminal.device} was not logged on as {bind.unit or 'nobody'}: {body.outcome}",
        unit=_named(draft.board, bind.unit, terminal.unit),
    )  # fmt: skip


def _named(board: Board, *units: str | None) -> str | None:
    """Whose alert it is: a unit that is not open to all comes first, since the text names it."""
    known = [board.units[unit] for unit in units if unit in board.units]
    hidden = [unit.unit for unit in known if not is_open(unit)]
    return hidden[0] if hidden else units[-1]


def _is_for(board: Board, order: Order, terminal: Terminal) -> bool:
    """Its unit's, or its vehicle's own where nobody has logged on."""
    is_home = terminal.unit is None and terminal.device in board.units[order.unit].home
    return is_home or terminal.unit == order.unit


def _happened(draft: Draft, order: Order, at_ms: int) -> int:
    """The terminal's time, kept within what is possible: after the issue, not after now."""
    return min(max(at_ms, order.issued_ms), draft.now_ms)


def _since_ms(body: entries.OrderAnswer) -> int:
    """An automatic answer bears the fix at which it became true; a touch counts from the touch."""
    if body.means != AnswerMeans.AUTOMATIC or body.here is None:
        return 0
    return body.here.age_ms


def _on_answer(draft: Draft, terminal: Terminal, body: entries.OrderAnswer, said_ms: int) -> None:
    order = draft.board.orders.get(body.order)
    if order is None or not _is_for(draft.board, order, terminal):
        return
    by, means = f"unit:{order.unit}", AnswerMeans(body.means)
    at_ms, answer = _happened(draft, order, said_ms - _since_ms(body)), Answer(body.answer)
    if answer is Answer.READ:
        on_read(draft, order, body.revision, by)
        return
    if _is_overruled(draft, order, terminal, answer):
        return
    _tell_other_terminals(draft, order, terminal, answer, counts=True)
    if answer is Answer.ACCEPT or (answer in _DEPARTS and order.state in OFFERED):
        accept(draft, order, by, means, at_ms)  # driving there counts as acceptance
    if answer is not Answer.ACCEPT:
        take_step(draft, order, STEP_OF_ANSWER[answer], by, means, at_ms, body)


def _is_overruled(draft: Draft, order: Order, terminal: Terminal, answer: Answer) -> bool:
    """Two screens of one unit at once: the first answer counts, the other is history, and told."""
    accepted_ms = order.times_ms.get(OrderState.ACCEPTED)
    if (
        answer is not Answer.DECLINE
        or order.answered_by in (None, terminal.device)
        or accepted_ms is None
        or draft.now_ms - accepted_ms > SAME_MOMENT_MS
    ):
        return False
    draft.alert(
        "two_answers", order.order,
        f"{order.unit}: {order.answered_by} accepted, {terminal.device} declined; accepted holds",
        unit=order.unit, incident=order.incident, order=order.order,
    )  # fmt: skip
    _tell_other_terminals(draft, order, terminal, answer, counts=False)
    return True


def _tell_other_terminals(
    draft: Draft, order: Order, terminal: Terminal, answer: Answer, *, counts: bool
) -> None:
    if counts and order.answered_by is None:
        draft.emit(ev.OrderAnsweredAt(draft.now_ms, order.order, terminal.device))
    draft.send_answered(order, terminal.device, answer, counts=counts, but_not=terminal.enrolment)


def take_step(
    draft: Draft,
    order: Order,
    step: OrderStep,
    by: str,
    means: AnswerMeans,
    at_ms: int,
    body: entries.OrderAnswer,
) -> None:
    """One of the crew's later steps, if the table allows it now; otherwise it is history."""
    if not allows(OrderState(order.state), step):
        tell_late_touch(draft, order, step)
        return
    disposition = known_or_other(draft, "dispositions", body.disposition, order.unit)
    reason = known_or_other(draft, "reasons", body.reason, order.unit)
    reason = disposition if step is OrderStep.CLEAR else reason
    draft.step(order, step, by, means, at_ms=at_ms, reason=reason, disposition=disposition)
    settle(draft, draft.board.incidents[order.incident])


def incident_of(board: Board, entry: entries.Entry) -> str | None:
    """The incident that an entry may leave short of its plan."""
    order = getattr(entry.body, "order", None)
    return board.orders[order].incident if order in board.orders else None
