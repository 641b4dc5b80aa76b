"""The logbook's transactions: plain functions over a connection, run in the store's writer.

Invariant: an entry's number and chain value are computed from what the same transaction sees, so
they hold whatever is rolled back or tried twice. Called by `logbook` only.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.logbook_schema import N_BITS, SEEN_PER_DEVICE
from protocol import cbor, entry, logbook
from protocol.entry import Entry

RANGES_BYTES_MAX: Final = 4096
MIN_KEPT_ENTRIES: Final = 1


@dataclass(frozen=True, slots=True)
class Book:
    """One logbook: entries up to `base_n` are pruned, up to `receipted_n` receipted."""

    seq: int
    id: bytes
    enrolment: bytes
    base_n: int
    base_head: bytes
    receipted_n: int
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as it lies in the chain."""

    n: int
    head_before: bytes
    head: bytes
    data: bytes
    urgent: bool


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


def newest_book(c: sqlite3.Connection) -> Book | None:
    row = c.execute(
        "SELECT seq, id, enrolment, base_n, base_head, receipted_n, ranges FROM book"
        " ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    seq, book_id, enrolment, base_n, base_head, receipted_n, ranges = row
    return Book(
        seq, book_id, enrolment, base_n, base_head, receipted_n, _decode_ranges(ranges)
    )


def begin_book(c: sqlite3.Connection, book_id: bytes, enrolment: bytes, first_key: bytes) -> Book:
    start = logbook.chain_start(book_id, enrolment, first_key)
    c.execute(
        "INSERT INTO book (id, enrolment, first_key, base_n, base_head, receipted_n, ranges)"
        " VALUES (?, ?, ?, 0, ?, 0, ?)",
        (book_id, enrolment, first_key, start, cbor.encode([])),
    )
    book = newest_book(c)
    assert book is not None
    return book


def last_of(c: sqlite3.Connection, book: Book) -> tuple[int, bytes]:
    """(n, h(n)) of the newest entry."""
    row = c.execute(
        "SELECT id, head FROM entry WHERE id > ? ORDER BY id DESC LIMIT 1",
        (book.seq << N_BITS,),
    ).fetchone()
    return (book.base_n, book.base_head) if row is None else (_n_of(row[0]), row[1])


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


def append(
    c: sqlite3.Connection,
    book: Book,
    n: int,
    head: bytes,
    items: Iterable[tuple[bytes, bool, int]],
) -> tuple[Row, ...]:
    """Append (data, urgent, time) after entry `n` with h(n) = `head`."""
    rows: list[Row] = []
    for data, urgent, kept_ms in items:
        n, before = n + 1, head
        head = logbook.chain(before, n, logbook.digest(data))
        c.execute(
            "INSERT INTO entry (id, head, data, urgent, kept_ms) VALUES (?, ?, ?, ?, ?)",
            (_id_of(book, n), head, data, int(urgent), kept_ms),
        )
        rows.append(Row(n, before, head, data, urgent))
    return tuple(rows)


def put_meta(c: sqlite3.Connection, values: Mapping[str, object]) -> None:
    c.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", values.items())


def head_at(c: sqlite3.Connection, book: Book, n: int) -> bytes | None:
    """h(n), None where it is pruned or not there yet."""
    if n == book.base_n:
        return book.base_head
    row = c.execute("SELECT head FROM entry WHERE id = ?", (_id_of(book, n),)).fetchone()
    return None if row is None or n < book.base_n else bytes(row[0])


def read_rows(
    c: sqlite3.Connection, book: Book, first: int, last: int, bytes_max: int
) -> tuple[Row, ...]:
    """Entries first..last, as many as fit into `bytes_max`, at least one where there is one."""
    before = head_at(c, book, first - 1)
    rows: list[Row] = []
    size = 0
    found = c.execute(
        "SELECT id, head, data, urgent FROM entry WHERE id BETWEEN ? AND ? ORDER BY id",
        (_id_of(book, first), _id_of(book, last)),
    )
    for row_id, head, data, urgent in found:
        size += len(data) + 3
        if before is None or (rows and size > bytes_max):
            break
        rows.append(Row(_n_of(row_id), before, head, data, bool(urgent)))
        before = head
    return tuple(rows)


def urgent_after(c: sqlite3.Connection, book: Book, n: int, most: int) -> list[int]:
    """Numbers of the newest urgent entries beyond `n`, ascending."""
    rows = c.execute(
        "SELECT id FROM entry WHERE urgent AND id > ? ORDER BY id DESC LIMIT ?",
        (_id_of(book, n), most),
    ).fetchall()
    return sorted(_n_of(row[0]) for row in rows)


def put_receipt(
    c: sqlite3.Connection, book: Book, n: int, ranges: Sequence[tuple[int, int]]
) -> None:
    c.execute(
        "UPDATE book SET receipted_n = ?, ranges = ? WHERE seq = ?",
        (n, cbor.encode([list(one) for one in ranges]), book.seq),
    )


def prune(c: sqlite3.Connection, before_ms: int, most: int) -> Book:
    """Drop receipted entries older than `before_ms`, from the bottom up, and older logbooks'."""
    book = newest_book(c)
    assert book is not None
    rows = c.execute(
        "SELECT id, head, kept_ms FROM entry WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
        (book.seq << N_BITS, _id_of(book, book.receipted_n), most),
    ).fetchall()
    last, _ = last_of(c, book)
    base: tuple[int, bytes] | None = None
    for row_id, head, kept_ms in rows:
        if kept_ms >= before_ms or _n_of(row_id) > last - MIN_KEPT_ENTRIES:
            break
        base = _n_of(row_id), head
    if base is not None:
        c.execute(
            "DELETE FROM entry WHERE id > ? AND id <= ?",
            (book.seq << N_BITS, _id_of(book, base[0])),
        )
        c.execute("UPDATE book SET base_n = ?, base_head = ? WHERE seq = ?", (*base, book.seq))
    c.execute(
        "DELETE FROM entry WHERE id IN"
        " (SELECT id FROM entry WHERE id < ? AND kept_ms < ? ORDER BY id LIMIT ?)",
        (book.seq << N_BITS, before_ms, most),
    )
    fresh = newest_book(c)
    assert fresh is not None
    return fresh


def unreceipted(c: sqlite3.Connection, book: Book) -> list[tuple[bytes, bool, int]]:
    """(data, urgent, time) of what the centre has not committed of `book`."""
    found = c.execute(
        "SELECT id, data, urgent, kept_ms FROM entry WHERE id > ? AND id < ? ORDER BY id",
        (_id_of(book, book.receipted_n), (book.seq + 1) << N_BITS),
    )
    return [
        (data, bool(urgent), kept_ms)
        for row_id, data, urgent, kept_ms in found
        if not any(first <= _n_of(row_id) <= last for first, last in book.ranges)
    ]


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


def _id_of(book: Book, n: int) -> int:
    return book.seq << N_BITS | n


def _n_of(row_id: int) -> int:
    return row_id & ((1 << N_BITS) - 1)


def _decode_ranges(data: bytes) -> tuple[tuple[int, int], ...]:
    found = cbor.decode(data, RANGES_BYTES_MAX)
    assert isinstance(found, list)
    return tuple((first, last) for first, last in found)
