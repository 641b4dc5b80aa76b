"""The journal read as history: every order, incident, term and number, transaction by transaction.

Counts by the words of the wire contract, apart from the core's own bookkeeping, so that a mistake
in `apply` does not excuse itself. `faults` grows while it reads. Called by bench/checker.py.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from matcher.core import events as ev
from matcher.journal.journal import rows
from protocol import dispatch
from protocol.order import OPEN, IllegalStep, OrderState, OrderStep, advance

SILENT_MS_MAX: Final = 3_000  # a tick looks four times a second; the rest is a slow machine
LATE_MS_MAX: Final = 8_000  # a limit may pass while the matcher is being started
_PLACES: Final = ("assign", "backup")
_CLOSED: Final = ("cleared", "cancelled")
_UNDELIVERED_MS: Final = {0: 5_000, 1: 5_000, 2: 10_000, 3: 30_000, 4: 60_000}
Number = tuple[bytes, int, int]  # enrolment, term, counter


@dataclass(slots=True)
class OrderPast:
    """One order: `states` with the time of each, in the order of the journal."""

    unit: str
    incident: str
    kind: str
    slot: int
    issued_ms: int
    expires_ms: int
    answer_s: int
    states: list[tuple[OrderState, int]]
    overdue: set[str] = field(default_factory=set)

    @property
    def state(self) -> OrderState:
        return self.states[-1][0]

    def left_ms(self, state: OrderState) -> tuple[int, int] | None:
        """When it came into `state` and when it left it."""
        for (one, begun_ms), (_, ended_ms) in zip(self.states, self.states[1:], strict=False):
            if one == state:
                return begun_ms, ended_ms
        return None


@dataclass(slots=True)
class IncidentPast:
    priority: int
    plan_units: int
    states: list[str] = field(default_factory=lambda: ["pending"])
    waits: str | None = None
    silent_since_ms: int | None = None


class History:
    """What a journal tells; `faults` are sentences."""

    def __init__(self) -> None:
        self.orders: dict[str, OrderPast] = {}
        self.incidents: dict[str, IncidentPast] = {}
        self.messages: dict[Number, dispatch.Body] = {}
        self.requests: Counter[tuple[bytes, str]] = Counter()
        self.terms: list[int] = []
        self.faults: list[str] = []
        self._newest: dict[tuple[bytes, str], ev.EntryOrder] = {}

    @classmethod
    def of(cls, journal: Path) -> History:
        """All that is committed now."""
        history = cls()
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=5)) as db:
            for row in rows(db):
                decision = row.decision()
                history.transaction(decision.events, decision.command.now_ms)
        history.at_the_end()
        return history

    def transaction(self, events: tuple[ev.Event, ...], now_ms: int) -> None:
        for event in events:
            self._take(event)
        self._look_for_silence(now_ms)

    def at_the_end(self) -> None:
        """What can only be said of whole lives."""
        for (_, request), count in self.requests.items():
            if count > 1:
                self.faults.append(f"request {request}: done {count} times")
        for name, order in self.orders.items():
            self._look_for_lateness(name, order)

    # --- one event -------------------------------------------------------------------------------

    def _take(self, event: ev.Event) -> None:
        match event:
            case ev.TermBegan():
                self._began(event.term)
            case ev.IncidentOpened():
                self.incidents[event.incident] = IncidentPast(event.priority, event.plan_units)
            case ev.PlanSet():
                self.incidents[event.incident].plan_units = event.units
            case ev.IncidentMoved():
                self.incidents[event.incident].states.append(event.state)
            case ev.IncidentWaits():
                self.incidents[event.incident].waits = event.reason
            case ev.OrderIssued():
                self._issued(event)
            case ev.OrderStepped():
                self._stepped(event)
            case ev.OrderOverdue():
                self.orders[event.order].overdue.add(event.what)
            case ev.MessageQueued():
                self._queued(event)
            case ev.RequestDone():
                self.requests[event.enrolment, event.request_id] += 1
            case ev.LoggedOn() | ev.LoggedOff() | ev.UnitStatusSet() if event.enrolment:
                self._ordered(event)

    def _began(self, term: int) -> None:
        if self.terms and term <= self.terms[-1]:
            self.faults.append(f"term {term} after {self.terms[-1]}")
        self.terms.append(term)

    def _issued(self, event: ev.OrderIssued) -> None:
        if event.order in self.orders:
            self.faults.append(f"order {event.order}: issued twice")
        began = [(OrderState.ISSUED, event.at_ms)]
        self.orders[event.order] = OrderPast(
            event.unit, event.incident, event.kind, event.slot, event.at_ms, event.expires_ms,
            event.answer_s, began,
        )  # fmt: skip

    def _stepped(self, event: ev.OrderStepped) -> None:
        order = self.orders[event.order]
        try:
            after = advance(order.state, OrderStep(event.step))
        except IllegalStep as illegal:
            self.faults.append(f"order {event.order}: {illegal}")
        else:
            order.states.append((after, event.at_ms))

    def _queued(self, event: ev.MessageQueued) -> None:
        body = dispatch.decode(event.message).body
        for term, counter in ((event.term, event.counter), *event.before):
            known = self.messages.setdefault((event.enrolment, term, counter), body)
            if known != body:
                self.faults.append(f"number {term}/{counter}: given to two messages")

    def _ordered(self, event: ev.LoggedOn | ev.LoggedOff | ev.UnitStatusSet) -> None:
        """One terminal's own entries act in its own order, whenever they arrive."""
        what = "status" if isinstance(event, ev.UnitStatusSet) else "log-on"
        before = self._newest.get((event.enrolment, what), ev.NO_ENTRY)
        if event.order <= before:
            name = event.enrolment.hex()[:8]
            self.faults.append(f"{what} of {name}: {event.order} acted after {before}")
        self._newest[event.enrolment, what] = max(event.order, before)

    # --- nobody waits in silence -----------------------------------------------------------------

    def _look_for_silence(self, now_ms: int) -> None:
        """An incident short of its plan has an open offer, or the journal says why it waits."""
        for name, incident in self.incidents.items():
            if incident.states[-1] in _CLOSED or not self._is_silent(name, incident):
                incident.silent_since_ms = None
            elif incident.silent_since_ms is None:
                incident.silent_since_ms = now_ms
            elif now_ms - incident.silent_since_ms > SILENT_MS_MAX:
                self.faults.append(f"incident {name}: short of its plan, and nothing says why")
                incident.silent_since_ms = now_ms + 3_600_000  # said once

    def _is_silent(self, name: str, incident: IncidentPast) -> bool:
        if incident.waits is not None:
            return False
        filled = {
            order.slot
            for order in self.orders.values()
            if order.incident == name and (order.state in OPEN or order.state is OrderState.CLEARED)
        }
        return not set(range(1, incident.plan_units + 1)) <= filled

    def _look_for_lateness(self, name: str, order: OrderPast) -> None:
        """An order that nobody answered was told to a person in time, or closed."""
        incident = self.incidents.get(order.incident)
        if incident is None:
            self.faults.append(f"order {name}: no incident {order.incident}")
            return
        if order.kind not in _PLACES:
            return  # what neighbours hear needs no answer
        limits = (
            (OrderState.ISSUED, "undelivered", _UNDELIVERED_MS[incident.priority]),
            (OrderState.DELIVERED, "unanswered", order.answer_s * 1000),
        )
        for state, what, limit_ms in limits:
            times = order.left_ms(state)
            if times is None or order.overdue:
                continue
            if times[1] - times[0] > limit_ms + LATE_MS_MAX:
                self.faults.append(f"order {name}: {what}, and nobody was told")
