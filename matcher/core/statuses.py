"""A status that a crew sets, and an SOS by whatever button; called for entries of terminals."""

from __future__ import annotations

from matcher.core import events as ev
from matcher.core import self_initiated, sos
from matcher.core.board import Terminal
from matcher.core.codes import status_reason
from matcher.core.commands import Estimates
from matcher.core.draft import Draft
from matcher.core.events import EntryOrder
from matcher.core.sos_call import Call, is_seen, is_test
from protocol import entry as entries
from protocol.words import Status


def on_call(
    draft: Draft, terminal: Terminal, order: EntryOrder, body: entries.Body, call: Call,
    estimates: dict[str, Estimates],
) -> None:  # fmt: skip
    """An SOS, by whatever button; one that was told before, or is older than a status, is none."""
    by_status = isinstance(body, entries.StatusChange)
    if is_seen(draft.board, call) or (by_status and order <= terminal.status_order):
        return
    is_played = is_test(draft.board, call, draft.now_ms)
    if isinstance(body, entries.StatusChange) and terminal.unit is not None and not is_played:
        draft.emit(_status_set(draft, terminal, terminal.unit, order, body))
    sos.on_call(draft, call, estimates)


def _status_set(
    draft: Draft, terminal: Terminal, unit: str, order: EntryOrder, body: entries.StatusChange
) -> ev.UnitStatusSet:
    return ev.UnitStatusSet(
        draft.now_ms, unit, body.status, f"terminal:{terminal.device}", terminal.enrolment, order,
        status_reason(draft, body.reason, unit),
    )  # fmt: skip


def on_status(
    draft: Draft,
    terminal: Terminal,
    order: EntryOrder,
    body: entries.StatusChange,
    here: entries.Here | None,
) -> None:
    if order <= terminal.status_order or terminal.unit is None:
        return
    raised = sos.of_unit(draft.board, terminal.unit)
    if raised is not None:
        is_false_alarm = body.reason == sos.FALSE_ALARM
        said = ev.SosSaid(
            draft.now_ms, raised.incident, terminal.unit, terminal.enrolment, order, body.status,
            body.reason, is_false_alarm,
        )  # fmt: skip
        sos.on_said(draft, raised, said)
        return
    draft.emit(_status_set(draft, terminal, terminal.unit, order, body))
    self_initiated.on_status(draft, terminal.unit, body, here)


def wants_place_of(entry: entries.Entry) -> bool:
    """Whether an incident may be opened where the entry's unit is."""
    body = entry.body
    if isinstance(body, entries.DeviceEvent):
        return body.name == "sos" and body.here is None
    return isinstance(body, entries.StatusChange) and body.status in (Status.BUSY, Status.EMERGENCY)
