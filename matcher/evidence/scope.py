"""What an export is about: which transactions, which terminals, from when to when.

By order: the whole incident that the order belongs to, all its units, from the report to the close.
By time: everything in between. Reads the journal's `tx` only. Called by collect.py and by the
retention task for orders that are held.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cbor2

from matcher.core import events as ev
from matcher.core.board import INCIDENT_CLOSED
from matcher.core.commands import EntryCame, ManagerRequest
from matcher.journal.journal import Decision, Row
from runtime.faults import OutriderFault


class NoSuchOrder(OutriderFault):
    """The journal knows no order of that id."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`enrolments` None: every terminal. Times are the centre's, both ends included."""

    order: str | None
    incident: str | None
    orders: tuple[str, ...]
    units: tuple[str, ...]
    enrolments: frozenset[bytes] | None
    from_ms: int
    to_ms: int
    rows: tuple[Row, ...]
    is_open: bool  # the incident is not closed yet


def by_order(db: sqlite3.Connection, order: str) -> Scope:
    """Raises NoSuchOrder."""
    incident = next(
        (
            event.incident
            for row in _mentioning(db, [order])
            for event in row.decision().events
            if isinstance(event, ev.OrderIssued) and event.order == order
        ),
        None,
    )
    if incident is None:
        remedy = "see `outrider matcher board` for orders' ids"
        raise NoSuchOrder("--order", "is in no transaction of this journal", order, remedy)
    orders, units = {order}, set[str]()
    for row in _mentioning(db, [incident]):
        for event in row.decision().events:
            if isinstance(event, ev.OrderIssued) and event.incident == incident:
                orders.add(event.order)
                units.add(event.unit)
    ids = [incident, *sorted(orders)]
    rows = tuple(row for row in _mentioning(db, ids) if _concerns(row.decision(), ids))
    decisions = [row.decision() for row in rows]
    times = [decision.command.now_ms for decision in decisions]
    closed = [at for d in decisions for e in d.events if (at := _closed_ms(e, incident))]
    from_ms, to_ms = min(times), max(closed) if closed else max(times)
    answered = {d.command.enrolment for d in decisions if isinstance(d.command, EntryCame)}
    enrolments = answered | _terminals_of(db, units, from_ms, to_ms)
    return Scope(
        order, incident, tuple(sorted(orders)), tuple(sorted(units)), frozenset(enrolments),
        from_ms, to_ms, rows, not closed,
    )  # fmt: skip


def by_time(db: sqlite3.Connection, from_ms: int, to_ms: int) -> Scope:
    found = db.execute(
        "SELECT seq, command, events, chain FROM tx WHERE at_ms BETWEEN ? AND ? ORDER BY seq",
        (from_ms, to_ms),
    )
    rows = tuple(Row(*fields) for fields in found)
    return Scope(None, None, (), (), None, from_ms, to_ms, rows, False)


def _closed_ms(event: ev.Event, incident: str) -> int | None:
    if not isinstance(event, ev.IncidentMoved) or event.incident != incident:
        return None
    return event.at_ms if event.state in INCIDENT_CLOSED else None


def _mentioning(db: sqlite3.Connection, ids: Iterable[str]) -> Iterator[Row]:
    """Transactions whose bytes hold one of the ids, found without decoding the others.

    An id stands in CBOR behind its length, so `o-1-1` is not found in `o-1-17`; in a request's JSON
    it stands in quotes.
    """
    needles = [needle for one in ids for needle in (cbor2.dumps(one), json.dumps(one).encode())]
    tests = " OR ".join(["instr(events, ?) > 0 OR instr(command, ?) > 0"] * len(needles))
    found = db.execute(
        f"SELECT seq, command, events, chain FROM tx WHERE {tests} ORDER BY seq",  # noqa: S608
        [needle for one in needles for needle in (one, one)],
    )
    for fields in found:
        yield Row(*fields)


def _concerns(decision: Decision, ids: list[str]) -> bool:
    """Its events are about one of them, or it is an entry or request that names one."""
    if isinstance(decision.command, EntryCame | ManagerRequest):
        return True
    return any(
        getattr(event, name, None) in ids
        for event in decision.events
        for name in ("order", "incident")
    )


def _terminals_of(db: sqlite3.Connection, units: set[str], from_ms: int, to_ms: int) -> set[bytes]:
    """Terminals that were logged on as one of the units at some time in between."""
    found = db.execute(
        "SELECT seq, command, events, chain FROM tx WHERE at_ms <= ? AND "
        "(instr(events, ?) > 0 OR instr(events, ?) > 0) ORDER BY seq",
        (to_ms, cbor2.dumps("LoggedOn"), cbor2.dumps("LoggedOff")),
    )
    since: dict[bytes, str] = {}
    there = set[bytes]()
    for fields in found:
        for event in Row(*fields).decision().events:
            if not isinstance(event, ev.LoggedOn | ev.LoggedOff):
                continue
            if event.at_ms >= from_ms and since.get(event.enrolment) in units:
                there.add(event.enrolment)
            since.pop(event.enrolment, None)
            if isinstance(event, ev.LoggedOn):
                since[event.enrolment] = event.unit
    return there | {enrolment for enrolment, unit in since.items() if unit in units}
