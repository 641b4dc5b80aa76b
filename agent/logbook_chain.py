"""The chain of entries in the store: append, read back, receipts, pruning, new logbooks.

Plain functions over a connection, run in the store's writer. Invariant: an entry's number and
chain value are computed from what the same transaction sees, so they hold whatever is rolled back
or tried twice. Called by `logbook` and `logbook_file`.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.logbook_schema import HEAD_EVERY, N_BITS
from protocol import cbor, logbook

RANGES_BYTES_MAX: Final = 4096
MIN_KEPT_ENTRIES: Final = 1
MOVED_AT_ONCE: Final = 500


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


def newest_book(c: sqlite3.Connection) -> Book | None:
    row = c.execute(
        "SELECT seq, id, enrolment, base_n, base_head, receipted_n, ranges FROM book"
        " ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    seq, book_id, enrolment, base_n, base_head, receipted_n, ranges = row
    return Book(seq, book_id, enrolment, base_n, base_head, receipted_n, _decode_ranges(ranges))


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
        "SELECT id FROM entry WHERE id > ? ORDER BY id DESC LIMIT 1", (book.seq << N_BITS,)
    ).fetchone()
    if row is None:
        return book.base_n, book.base_head
    head = head_at(c, book, _n_of(row[0]))
    assert head is not None
    return _n_of(row[0]), head


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
            "INSERT INTO entry (id, head, data, urgent, kept_s) VALUES (?, ?, ?, ?, ?)",
            (
                _id_of(book, n),
                None if n % HEAD_EVERY else head,
                data,
                int(urgent),
                kept_ms // 1000,
            ),
        )
        rows.append(Row(n, before, head, data, urgent))
    return tuple(rows)


def head_at(c: sqlite3.Connection, book: Book, n: int) -> bytes | None:
    """h(n), None where it is pruned or not there yet."""
    if n == book.base_n:
        return book.base_head
    rows = c.execute(
        "SELECT id, head, data FROM entry WHERE id > ? AND id <= ? ORDER BY id DESC LIMIT ?",
        (book.seq << N_BITS, _id_of(book, n), HEAD_EVERY),
    ).fetchall()
    if not rows or _n_of(rows[0][0]) != n or n < book.base_n:
        return None
    behind: list[bytes] = []
    for row_id, head, data in rows:
        if head is not None:
            return logbook.chain_over(bytes(head), _n_of(row_id) + 1, reversed(behind))
        behind.append(logbook.digest(data))
    return logbook.chain_over(book.base_head, book.base_n + 1, reversed(behind))


def read_rows(
    c: sqlite3.Connection, book: Book, first: int, last: int, bytes_max: int
) -> tuple[Row, ...]:
    """Entries first..last, as many as fit into `bytes_max`, at least one where there is one."""
    before = head_at(c, book, first - 1)
    rows: list[Row] = []
    size = 0
    found = c.execute(
        "SELECT id, data, urgent FROM entry WHERE id BETWEEN ? AND ? ORDER BY id",
        (_id_of(book, first), _id_of(book, last)),
    )
    for row_id, data, urgent in found:
        size += len(data) + 3
        if before is None or (rows and size > bytes_max):
            break
        n = _n_of(row_id)
        head = logbook.chain(before, n, logbook.digest(data))
        rows.append(Row(n, before, head, data, bool(urgent)))
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
    before_s = before_ms // 1000
    rows = c.execute(
        "SELECT id, kept_s FROM entry WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
        (book.seq << N_BITS, _id_of(book, book.receipted_n), most),
    ).fetchall()
    last, _ = last_of(c, book)
    base_n = book.base_n
    for row_id, kept_s in rows:
        if kept_s >= before_s or _n_of(row_id) > last - MIN_KEPT_ENTRIES:
            break
        base_n = _n_of(row_id)
    if base_n > book.base_n:
        base_head = head_at(c, book, base_n)
        c.execute(
            "DELETE FROM entry WHERE id > ? AND id <= ?",
            (book.seq << N_BITS, _id_of(book, base_n)),
        )
        c.execute(
            "UPDATE book SET base_n = ?, base_head = ? WHERE seq = ?",
            (base_n, base_head, book.seq),
        )
    c.execute(
        "DELETE FROM entry WHERE id IN"
        " (SELECT id FROM entry WHERE id < ? AND kept_s < ? ORDER BY id LIMIT ?)",
        (book.seq << N_BITS, before_s, most),
    )
    fresh = newest_book(c)
    assert fresh is not None
    return fresh


def move_unreceipted(
    c: sqlite3.Connection, old: Book, book: Book, n: int, head: bytes
) -> tuple[int, bytes]:
    """Append to `book` after (n, h(n)) what the centre has not committed of `old`; its end.

    A part at a time: after a long silence it may be a whole shift's.
    """
    at = _id_of(old, old.receipted_n)
    while part := c.execute(
        "SELECT id, data, urgent, kept_s FROM entry WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
        (at, (old.seq + 1) << N_BITS, MOVED_AT_ONCE),
    ).fetchall():
        at = part[-1][0]
        rows = append(c, book, n, head, [
            (data, bool(urgent), kept_s * 1000)
            for row_id, data, urgent, kept_s in part
            if not any(first <= _n_of(row_id) <= last for first, last in old.ranges)
        ])  # fmt: skip
        if rows:
            n, head = rows[-1].n, rows[-1].head
    return n, head


def _id_of(book: Book, n: int) -> int:
    return book.seq << N_BITS | n


def _n_of(row_id: int) -> int:
    return row_id & ((1 << N_BITS) - 1)


def _decode_ranges(data: bytes) -> tuple[tuple[int, int], ...]:
    found = cbor.decode(data, RANGES_BYTES_MAX)
    assert isinstance(found, list)
    return tuple((first, last) for first, last in found)
