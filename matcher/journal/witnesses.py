"""What proves how long a logbook was: receipts that were sealed, positions that named a count.

Bounded: of each logbook one receipt an hour, of each terminal one position an hour and one for the
end of each order that it answered. Retention deletes the old ones (matcher/retention_task.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from matcher.core import events as ev
from matcher.core.commands import Command, EntryCame
from matcher.core.positions import Verified
from protocol.order import OrderStep

HOUR_MS = 3_600_000
_ENDS = frozenset({OrderStep.CLEAR, OrderStep.CANCEL, OrderStep.SUPERSEDE, OrderStep.EXPIRE})


def keep_receipt(db: sqlite3.Connection, logbook: bytes, n: int, sealed: bytes, at_ms: int) -> None:
    """The newest of its hour, in the transaction of the commit that it confirms."""
    db.execute(
        "INSERT OR REPLACE INTO receipt VALUES (?, ?, ?, ?, ?)",
        (logbook, at_ms // HOUR_MS, n, sealed, at_ms),
    )


def keep_positions(db: sqlite3.Connection, changed: Iterable[tuple[bytes, Verified]]) -> None:
    """The newest of its hour and enrolment."""
    db.executemany(
        "INSERT OR REPLACE INTO witness VALUES (?, ?, ?, ?)",
        [
            (enrolment, f"hour {one.received_ms // HOUR_MS}", one.sealed, one.received_ms)
            for enrolment, one in changed
        ],
    )


def changed_counts(
    batch: Mapping[bytes, Verified], known: Mapping[bytes, Verified]
) -> list[tuple[bytes, Verified]]:
    """Positions that name another count of entries than the last committed one of the terminal."""
    return [
        (enrolment, one)
        for enrolment, one in batch.items()
        if enrolment not in known
        or known[enrolment].position.entry_count != one.position.entry_count
    ]


def keep_last_position(
    db: sqlite3.Connection, command: Command, events: Sequence[ev.Event]
) -> None:
    """At an order's end, by its terminal's own word: the newest position stays as its witness."""
    if not isinstance(command, EntryCame):
        return
    for event in events:
        if isinstance(event, ev.OrderStepped) and event.step in _ENDS:
            db.execute(
                "INSERT OR REPLACE INTO witness "
                "SELECT enrolment, ?, sealed, received_ms FROM position WHERE enrolment = ?",
                (event.order, command.enrolment),
            )
