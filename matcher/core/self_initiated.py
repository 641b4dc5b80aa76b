"""One touch `busy`: the unit is on an incident that it began itself, at its own place.

A reason that is a kind of incident is its kind; one that is none (a meal, fuel) opens nothing. The
terminal shows no order for it: its status says all, and `available` ends both.
"""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core.board import Unit
from matcher.core.codes import own_kind
from matcher.core.draft import Draft
from matcher.core.events import NO_ENTRY
from matcher.core.leaving import own_incident
from matcher.core.numbers import next_numbers
from matcher.core.offers import settle
from protocol import entry as entries
from protocol.dispatch import Place
from protocol.order import AnswerMeans, OrderKind, OrderStep
from protocol.words import Status

PRIORITY: Final = 3
POSITION_MS_MAX: Final = 300_000  # an older one says too little about where it stands
RULE: Final = "self-initiated"
_ENDS: Final = frozenset({Status.AVAILABLE, Status.OUT_OF_SERVICE, Status.OFF_DUTY})


def on_status(
    draft: Draft, unit_id: str, body: entries.StatusChange, here: entries.Here | None
) -> None:
    unit, own = draft.board.units[unit_id], own_incident(draft.board, draft.board.units[unit_id])
    if body.status in _ENDS and own is not None:
        _end(draft, unit, body.reason)
    elif body.status == Status.BUSY and unit.order is None:
        kind = own_kind(draft.board, body.reason)
        if kind is not None and here is not None and here.age_ms <= POSITION_MS_MAX:
            _begin(draft, unit, kind, here)


def _begin(draft: Draft, unit: Unit, kind: str, here: entries.Here) -> None:
    now_ms, by = draft.now_ms, f"unit:{unit.unit}"
    accuracy_m = None if here.accuracy_dm is None else here.accuracy_dm // 10
    place = Place(here.lat_e7, here.lon_e7, "wgs84", "terminal", accuracy_m, "")
    incident_id = draft.new_id("incident")
    numbers = next_numbers(draft.board, now_ms, is_exercise=unit.exercise)
    draft.emit(
        ev.IncidentOpened(
            now_ms, incident_id, numbers.radio, kind, PRIORITY, place, 1, 0, (), "", "terminal", by,
            exercise=unit.exercise, long_number=numbers.whole, serial_day=numbers.day,
            serial=numbers.serial,
        )
    )  # fmt: skip
    draft.emit(ev.SelfInitiated(now_ms, incident_id, unit.unit))
    order_id = draft.new_id("order")
    draft.emit(ev.Decided(now_ms, incident_id, order_id, RULE, (), ()))
    draft.emit(
        ev.OrderIssued(
            now_ms, order_id, incident_id, unit.unit, OrderKind.ASSIGN.value, 1, unit.logon,
            now_ms + draft.board.book.offer_life_ms(PRIORITY), 0, by, 0, by_radio=True,
        )
    )  # fmt: skip
    order = draft.board.orders[order_id]
    for step in (OrderStep.ACCEPT, OrderStep.CONFIRM, OrderStep.ARRIVE):
        draft.step(order, step, by, AnswerMeans.TOUCH)
    settle(draft, draft.board.incidents[incident_id])
    # on scene, and yet free for what is urgent: `busy` stays its status
    draft.emit(ev.UnitStatusSet(now_ms, unit.unit, Status.BUSY, RULE, b"", NO_ENTRY, None))


def _end(draft: Draft, unit: Unit, disposition: str | None) -> None:
    order = draft.board.orders[unit.order or ""]
    draft.step(
        order, OrderStep.CLEAR, f"unit:{unit.unit}", AnswerMeans.TOUCH,
        reason=disposition, disposition=disposition,
    )  # fmt: skip
    settle(draft, draft.board.incidents[order.incident])
