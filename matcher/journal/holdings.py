"""Unique indexes under the decisions: whoever holds twice breaks the transaction.

`held`: a unit's one open order. `place`: who holds a place of a plan. An IntegrityError here is an
error of ours, and ends the process before anybody is told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from matcher.core import events as ev
from protocol.order import OrderKind, OrderStep

_CLOSES = frozenset(
    {
        OrderStep.CLEAR,
        OrderStep.DECLINE,
        OrderStep.EXPIRE,
        OrderStep.CANCEL,
        OrderStep.SUPERSEDE,
    }
)
_PLACES = (OrderKind.ASSIGN.value, OrderKind.BACKUP.value)


def keep_holdings(db: sqlite3.Connection, events: Sequence[ev.Event]) -> None:
    """Follow `events` in the two index tables; raises sqlite3.IntegrityError on a double hold."""
    for event in events:
        if isinstance(event, ev.OrderIssued) and event.kind in _PLACES:
            db.execute("INSERT INTO order_of VALUES (?, ?, ?, ?)",
                       (event.order, event.unit, event.incident, event.slot))  # fmt: skip
            db.execute("INSERT INTO held VALUES (?, ?)", (event.unit, event.order))
        elif isinstance(event, ev.OrderIssued):
            db.execute("INSERT INTO order_of VALUES (?, ?, ?, ?)",
                       (event.order, event.unit, event.incident, 0))  # fmt: skip
        elif isinstance(event, ev.OrderTook):
            _took(db, event)
        elif isinstance(event, ev.OrderStepped):
            _step(db, event)


def _took(db: sqlite3.Connection, event: ev.OrderTook) -> None:
    """An alert that was taken binds its unit from now."""
    db.execute("UPDATE order_of SET slot = ? WHERE order_id = ?", (event.slot, event.order))
    db.execute(
        "INSERT INTO held SELECT unit, order_id FROM order_of WHERE order_id = ?", (event.order,)
    )


def _step(db: sqlite3.Connection, event: ev.OrderStepped) -> None:
    if event.step in _CLOSES:
        db.execute("DELETE FROM held WHERE order_id = ?", (event.order,))
        db.execute("DELETE FROM place WHERE order_id = ?", (event.order,))
    elif event.step == OrderStep.ACCEPT:  # a late accept takes the unit again
        db.execute(
            "INSERT INTO held SELECT unit, order_id FROM order_of WHERE order_id = ? AND slot > 0 "
            "AND NOT EXISTS (SELECT 1 FROM held WHERE order_id = ?)",
            (event.order, event.order),
        )
    elif event.step == OrderStep.CONFIRM and not event.attached:
        db.execute(
            "INSERT INTO place SELECT incident, slot, order_id FROM order_of WHERE order_id = ?",
            (event.order,),
        )
