"""Ways in which a world could break a promise, done by hand to a copy of one that held.

Each takes the copied evidence and spoils one thing; beside it stands the check that must name it
and a part of its sentence. Used by test_checker.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cbor2

from bench.chains import Centre
from bench.checker import Evidence
from bench.history import History
from matcher.core import events as ev
from matcher.core import records
from matcher.core.commands import Tick
from protocol import dispatch
from protocol import entry as entries
from protocol.dispatch import Numbered, Order
from protocol.entry import Delivered, Entry, EntryKind
from protocol.order import OrderState, OrderStep

Damage = Callable[[Evidence], None]


# --- tools ---------------------------------------------------------------------------------------


def sql(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        changed = db.execute(statement, values).rowcount
        assert changed != 0, f"the damage did nothing: {statement}"


def ask(path: Path, query: str, *values: object) -> Any:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query, values).fetchone()


def store_of(evidence: Evidence) -> Path:
    return next(iter(evidence.stores.values()))


def journaled(evidence: Evidence, *events: ev.Event) -> None:
    """One more transaction, a minute after the last."""
    seq, at_ms = ask(evidence.journal, "SELECT max(seq) + 1, max(at_ms) + 60000 FROM tx")
    command = cbor2.dumps(records.encode(Tick(at_ms, ())), canonical=True)
    row = (seq, at_ms, command, records.encode_all(events), bytes(32))
    sql(evidence.journal, "INSERT INTO tx VALUES (?, ?, ?, ?, ?)", *row)


def entered(evidence: Evidence, owner: bytes, body: entries.Body, time_ms: int = 0) -> None:
    """One more entry at the centre, of that terminal's logbook."""
    centre = Centre(evidence.journal)
    book = next(b for b, (enrolment, *_) in centre.books.items() if enrolment == owner)
    last = list(centre.data[book])[-1]
    data = centre.data[book][last]
    assert data is not None
    known = entries.decode(data)
    made = Entry(time_ms or known.time_ms, 3, known.boot, known.uptime_ms, known.logon, body)
    kind = int(EntryKind.DELIVERED)
    row = (book, last + 1, bytes(32), kind, entries.encode(made), 0)
    sql(evidence.journal, "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", *row)


def an_order(evidence: Evidence, state: OrderState = OrderState.CLEARED) -> str:
    history = History.of(evidence.journal)
    return next(name for name, order in history.orders.items() if order.state is state)


def its_message(evidence: Evidence, order: str) -> tuple[bytes, int, int, Order]:
    """(enrolment, term, counter, order) of the message that told it."""
    for (owner, term, counter), body in History.of(evidence.journal).messages.items():
        if isinstance(body, Order) and body.order == order:
            return owner, term, counter, body
    raise AssertionError(order)


def issued_again(evidence: Evidence, order: str, name: str, *, other_unit: bool) -> ev.OrderIssued:
    past = History.of(evidence.journal).orders[order]
    unit = "699" if other_unit else past.unit
    at_ms = past.issued_ms
    return ev.OrderIssued(at_ms, name, past.incident, unit, "assign", past.slot, 1,
                          past.expires_ms, past.answer_s, "rule:auto", 5)  # fmt: skip


def stepped(order: str, step: OrderStep, at_ms: int = 0) -> ev.OrderStepped:
    return ev.OrderStepped(at_ms, order, step, "unit", 1, False, "test", None)


# --- orders --------------------------------------------------------------------------------------


def a_unit_with_two_open_orders(evidence: Evidence) -> None:
    order = an_order(evidence)
    journaled(evidence, issued_again(evidence, order, "o-9-1", other_unit=False),
              issued_again(evidence, order, "o-9-2", other_unit=False))  # fmt: skip


def a_place_with_two_holders(evidence: Evidence) -> None:
    order = an_order(evidence)
    for name, other in (("o-9-1", False), ("o-9-2", True)):
        journaled(evidence, issued_again(evidence, order, name, other_unit=other),
                  stepped(name, OrderStep.ACCEPT), stepped(name, OrderStep.CONFIRM))  # fmt: skip


def an_order_that_ends_nowhere(evidence: Evidence) -> None:
    journaled(evidence, issued_again(evidence, an_order(evidence), "o-9-1", other_unit=True))


def an_order_that_goes_back(evidence: Evidence) -> None:
    journaled(evidence, stepped(an_order(evidence), OrderStep.ACCEPT))


def an_order_issued_twice(evidence: Evidence) -> None:
    order = an_order(evidence)
    journaled(evidence, issued_again(evidence, order, order, other_unit=False))


def silence_that_nobody_was_told_of(evidence: Evidence) -> None:
    order = an_order(evidence)
    again = issued_again(evidence, order, "o-9-1", other_unit=True)
    late_ms = again.at_ms + 3_600_000
    journaled(evidence, again, stepped("o-9-1", OrderStep.CANCEL, late_ms))


def an_incident_that_waits_in_silence(evidence: Evidence) -> None:
    place = dispatch.Place(0, 0, "wgs84", "caller", None, "")
    opened = ev.IncidentOpened(1, "i-9-1", "24-9", "theft", 1, place, 1, 1, (), "", "phone", "p")
    journaled(evidence, opened)
    journaled(evidence, ev.IncidentWaits(2, next(iter(History.of(evidence.journal).incidents)), ""))


def a_term_that_falls(evidence: Evidence) -> None:
    journaled(evidence, ev.TermBegan(1, 1))


def a_number_given_twice(evidence: Evidence) -> None:
    order = an_order(evidence)
    owner, term, counter, body = its_message(evidence, order)
    other = dispatch.encode(Numbered(term, counter, replace(body, notes="other")))
    journaled(evidence, ev.MessageQueued(1, owner, term, counter, (), other, 2))


def a_request_done_twice(evidence: Evidence) -> None:
    owner, request = next(iter(History.of(evidence.journal).requests))
    journaled(evidence, ev.RequestDone(1, owner, request, bytes(32), "d01-desk", b"{}"))


def a_call_without_a_reply(evidence: Evidence) -> None:
    evidence.asked = {**evidence.asked, "call 99": None}


def an_incident_that_nobody_asked_for(evidence: Evidence) -> None:
    evidence.asked = dict(list(evidence.asked.items())[1:])


def an_old_entry_that_acts(evidence: Evidence) -> None:
    owner = its_message(evidence, an_order(evidence))[0]
    logon = ev.LoggedOn(1, owner, "t-601", (1, 1, 1), 1, "601", (), None)
    journaled(evidence, logon)


# --- what terminals took -------------------------------------------------------------------------


def an_order_shown_after_its_cancel(evidence: Evidence) -> None:
    owner, term, counter, body = its_message(evidence, an_order(evidence, OrderState.CANCELLED))
    again = (term, counter + 200)
    message = dispatch.encode(Numbered(*again, body))
    journaled(evidence, ev.MessageQueued(1, owner, *again, (), message, 2))
    entered(evidence, owner, Delivered(*again, body.order, body.revision, "shown"))


def an_order_shown_after_its_expiry(evidence: Evidence) -> None:
    owner, term, counter, body = its_message(evidence, an_order(evidence))
    late = replace(body, order="o-9-1")
    message = dispatch.encode(Numbered(term, counter + 200, late))
    journaled(evidence, ev.MessageQueued(1, owner, term, counter + 200, (), message, 2))
    told = Delivered(term, counter + 200, late.order, late.revision, "shown")
    entered(evidence, owner, told, late.expires_ms + 60_000)


def a_message_taken_twice(evidence: Evidence) -> None:
    owner, term, counter, body = its_message(evidence, an_order(evidence))
    entered(evidence, owner, Delivered(term, counter, body.order, body.revision, "shown"))


def a_message_that_nobody_sent(evidence: Evidence) -> None:
    owner = its_message(evidence, an_order(evidence))[0]
    entered(evidence, owner, Delivered(1, 9999, "o-9-9", 1, "shown"))


CASES: Final[tuple[tuple[Damage, str, str], ...]] = (
    (a_unit_with_two_open_orders, "double holdings", "at once"),
    (a_place_with_two_holders, "double holdings", "held by"),
    (an_order_that_ends_nowhere, "lost orders", "still issued"),
    (an_order_that_goes_back, "history", "cannot accept"),
    (an_order_issued_twice, "history", "issued twice"),
    (silence_that_nobody_was_told_of, "history", "nobody was told"),
    (an_incident_that_waits_in_silence, "history", "nothing says why"),
    (a_term_that_falls, "history", "term 1 after"),
    (a_number_given_twice, "history", "given to two messages"),
    (a_request_done_twice, "history", "done 2 times"),
    (an_old_entry_that_acts, "history", "acted after"),
    (a_call_without_a_reply, "requests", "no reply"),
    (an_incident_that_nobody_asked_for, "requests", "nobody asked"),
    (an_order_shown_after_its_cancel, "delivered", "shown after its cancel"),
    (an_order_shown_after_its_expiry, "delivered", "shown after its expiry"),
    (a_message_taken_twice, "delivered", "a second time"),
    (a_message_that_nobody_sent, "delivered", "was never given"),
)
