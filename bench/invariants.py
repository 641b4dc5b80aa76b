"""Orders and requests after any faults, followed in the journal as it grows.

Written apart from the core's own bookkeeping: events are counted here by the words of the wire
contract, so that a mistake in `apply` does not excuse itself. Each check returns faults in words.
The whole check of a world is bench/checker.py.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from matcher.core import events as ev
from matcher.journal.journal import rows
from protocol import entry as entries
from protocol.entry import Delivered, EntryKind
from protocol.order import OPEN, IllegalStep, OrderState, OrderStep, advance

UNDELIVERED_MS_MAX: Final = 20_000  # no kill takes a part away for so long
OWN_CHANNEL: Final = "terminal"  # an SOS, or a unit that is busy with something of its own
UNASKED: Final = "nobody asked for it"
_PLACES: Final = ("assign", "backup")
_WANTS_REASON: Final = (OrderStep.EXPIRE, OrderStep.CANCEL, OrderStep.SUPERSEDE, OrderStep.DECLINE)


@dataclass(slots=True)
class OrderLife:
    """One order as the events tell it."""

    unit: str
    incident: str
    slot: int
    issued_ms: int
    state: OrderState = OrderState.ISSUED
    last_ms: int = 0  # of its newest step
    attached: bool = False
    reason: str | None = None
    was_delivered: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def holds_place(self) -> bool:
        held = (OrderState.CONFIRMED, OrderState.EN_ROUTE, OrderState.ON_SCENE)
        return self.state in held and not self.attached


@dataclass(slots=True)
class Journal:
    """The events of a journal, followed as it grows."""

    path: Path
    seq: int = 0
    orders: dict[str, OrderLife] = field(default_factory=dict)
    incidents: dict[str, str] = field(default_factory=dict)
    reported: set[str] = field(default_factory=set)  # incidents that somebody called in
    requests: Counter[str] = field(default_factory=Counter)
    terms: int = 0
    double: list[str] = field(default_factory=list)

    def follow(self) -> None:
        """Take what was committed since."""
        try:
            with closing(
                sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=0.05)
            ) as db:
                found = list(rows(db, self.seq))
        except sqlite3.OperationalError:
            return  # the matcher is just being started: its log has no index yet; look again later
        for row in found:
            for event in row.decision().events:
                self.take(event)
            self.seq = row.seq

    @property
    def open_incidents(self) -> list[str]:
        return [i for i, state in self.incidents.items() if state not in ("cleared", "cancelled")]

    def states(self) -> Counter[str]:
        return Counter(order.state.value for order in self.orders.values())

    def take(self, event: ev.Event) -> None:
        match event:
            case ev.TermBegan():
                self.terms += 1
            case ev.IncidentOpened():
                self.incidents[event.incident] = "pending"
                if event.channel != OWN_CHANNEL:
                    self.reported.add(event.incident)
            case ev.IncidentMoved():
                self.incidents[event.incident] = event.state
            case ev.RequestDone():
                self.requests[event.request_id] += 1
            case ev.OrderIssued() if event.kind in _PLACES:
                self.orders[event.order] = OrderLife(
                    event.unit, event.incident, event.slot, event.at_ms
                )
                self._look_for_double(event.order)
            case ev.OrderStepped() if event.order in self.orders:
                self._step(event)

    def _step(self, event: ev.OrderStepped) -> None:
        order, step = self.orders[event.order], OrderStep(event.step)
        try:
            order.state, order.last_ms = advance(order.state, step), event.at_ms
        except IllegalStep as illegal:
            self.double.append(f"order {event.order}: {illegal}")
        order.attached = order.attached or event.attached
        order.was_delivered = order.was_delivered or step in (OrderStep.DELIVER, OrderStep.ACCEPT)
        if step in _WANTS_REASON:
            order.reason = event.reason
        self._look_for_double(event.order)

    def _look_for_double(self, changed: str) -> None:
        one = self.orders[changed]
        for name, other in self.orders.items():
            if name == changed:
                continue
            if one.is_open and other.is_open and one.unit == other.unit:
                self.double.append(f"unit {one.unit}: orders {name} and {changed} at once")
            same_place = (one.incident, one.slot) == (other.incident, other.slot)
            if same_place and one.holds_place and other.holds_place:
                self.double.append(f"{one.incident} place {one.slot}: held by {name} and {changed}")


def lost_orders(journal: Journal, patience_ms: int = UNDELIVERED_MS_MAX) -> list[str]:
    """Orders that ended nowhere: undelivered, closed without a reason, or still open."""
    faults = []
    for name, order in journal.orders.items():
        what = f"order {name} to {order.unit}"
        if order.is_open:
            faults.append(f"{what}: still {order.state}")
        elif not order.was_delivered and order.reason is None:
            faults.append(f"{what}: {order.state} without delivery and without a reason")
        elif not order.was_delivered and order.last_ms - order.issued_ms > patience_ms:
            faults.append(f"{what}: {order.state} undelivered, while everything was up again")
    return faults


def doubled_requests(journal: Journal, asked: Mapping[str, str | None]) -> list[str]:
    """`asked`: request id -> incident of its reply, None where no reply came."""
    faults = [f"request {r}: done {n} times" for r, n in journal.requests.items() if n > 1]
    for request, incident in asked.items():
        if incident is None:
            faults.append(f"request {request}: no reply")
        elif incident not in journal.incidents:
            faults.append(f"request {request}: its reply names {incident}, which is not journaled")
    made, wanted = journal.reported, {i for i in asked.values() if i is not None}
    return faults + [f"incident {i}: {UNASKED}" for i in sorted(made - wanted)]


def delivered_entries(path: Path) -> Iterable[tuple[bytes, Delivered]]:
    """(logbook, body) of all `delivered` entries at the centre."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        found = db.execute(
            "SELECT logbook, data FROM entry WHERE kind = ?", (int(EntryKind.DELIVERED),)
        ).fetchall()
    for logbook, data in found:
        body = entries.decode(data).body
        assert isinstance(body, Delivered)
        yield logbook, body
