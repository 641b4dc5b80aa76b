"""A change of the terminal's file: entries and rows of its state, committed together.

Plain functions over a connection, run in the store's writer. Called by `logbook` only.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.logbook_chain import Row, append, last_of, newest_book
from agent.logbook_schema import SEEN_PER_DEVICE
from protocol import entry
from protocol.entry import Entry


@dataclass(frozen=True, slots=True)
class Change:
    """What one decision commits together: entries, and rows of the terminal's state."""

    entries: tuple[Entry, ...] = ()
    meta: Mapping[str, object] = field(default_factory=dict)
    cards: Mapping[str, bytes | None] = field(default_factory=dict)  # None: forget
    cancels: Mapping[str, int | None] = field(default_factory=dict)
    seen: tuple[str, int, int] | None = None  # device, boot, event
    drop_scratch: bool = False


MakeChange = Callable[[int], Change]  # from the number of its first entry


class EventSeen(Exception):
    """The device's event is in the logbook already."""


def read_meta(c: sqlite3.Connection) -> dict[str, object]:
    return dict(c.execute("SELECT key, value FROM meta").fetchall())


def apply(c: sqlite3.Connection, make: MakeChange) -> tuple[Row, ...]:
    """Commit a change as the newest entries; raises EventSeen, Refused (an impossible entry)."""
    book = newest_book(c)
    assert book is not None, "begin comes first"
    n, head = last_of(c, book)
    change = make(n + 1)
    if change.seen is not None:
        _remember(c, *change.seen)
    rows = append(c, book, n, head, ((_encoded(one), entry.is_urgent(one.body), one.time_ms)
                                     for one in change.entries))  # fmt: skip
    put_meta(c, change.meta)
    _put_cards(c, change)
    if change.drop_scratch:
        c.execute("DELETE FROM scratch")
    return rows


def put_meta(c: sqlite3.Connection, values: Mapping[str, object]) -> None:
    c.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", values.items())


def read_orders(c: sqlite3.Connection) -> tuple[list[bytes], dict[str, int]]:
    cards = [bytes(row[0]) for row in c.execute("SELECT data FROM card")]
    return cards, dict(c.execute('SELECT "order", expires_ms FROM cancel').fetchall())


def put_scratch(c: sqlite3.Connection, data: bytes) -> None:
    c.execute("INSERT OR REPLACE INTO scratch (id, data) VALUES (1, ?)", (data,))


def read_scratch(c: sqlite3.Connection) -> bytes | None:
    row = c.execute("SELECT data FROM scratch").fetchone()
    return None if row is None else bytes(row[0])


def _remember(c: sqlite3.Connection, device: str, boot: int, event: int) -> None:
    """Raises EventSeen. The oldest beyond the last 1,024 of a device are forgotten."""
    key = (device, boot, event)
    if c.execute("SELECT 1 FROM seen WHERE device=? AND boot=? AND event=?", key).fetchone():
        raise EventSeen
    c.execute("INSERT INTO seen (device, boot, event) VALUES (?, ?, ?)", key)
    c.execute(
        "DELETE FROM seen WHERE device = ?1 AND id <= (SELECT id FROM seen WHERE device = ?1"
        " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        (device, SEEN_PER_DEVICE),
    )


def _put_cards(c: sqlite3.Connection, change: Change) -> None:
    for order, data in change.cards.items():
        if data is None:
            c.execute('DELETE FROM card WHERE "order" = ?', (order,))
        else:
            c.execute("INSERT OR REPLACE INTO card VALUES (?, ?)", (order, data))
    for order, expires_ms in change.cancels.items():
        if expires_ms is None:
            c.execute('DELETE FROM cancel WHERE "order" = ?', (order,))
        else:
            c.execute("INSERT OR REPLACE INTO cancel VALUES (?, ?)", (order, expires_ms))


def _encoded(one: Entry) -> bytes:
    """Bytes of an entry that the centre will take; raises Refused for any other."""
    data = entry.encode(one)
    entry.decode(data)
    return data
