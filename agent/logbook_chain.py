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
    proof: bytes = b""  # the centre's newest sealed words that it has them


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as it lies in the chain; `data` is only its digest where it was thinned."""

    n: int
    head_before: bytes
    head: bytes
    data: bytes
    urgent: bool
    is_thinned: bool = False

    @property
    def item(self) -> logbook.Item:
        """As it travels."""
        return logbook.Item(self.data, None) if self.is_thinned else logbook.Item(b"", self.data)


def newest_book(c: sqlite3.Connection) -> Book | None:
    row = c.execute(
        "SELECT seq, id, enrolment, base_n, base_head, receipted_n, ranges, receipt FROM book"
        " ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    seq, book_id, enrolment, base_n, base_head, receipted_n, ranges, proof = row
    ranges = _decode_ranges(ranges)
    return Book(seq, book_id, enrolment, base_n, base_head, receipted_n, ranges, proof or b"")


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
    *,
    is_thinned: bool = False,
) -> tuple[Row, ...]:
    """Append (data, urgent, time) after entry `n` with h(n) = `head`; thinned: digests as data."""
    rows: list[Row] = []
    for data, urgent, kept_ms in items:
        n, before = n + 1, head
        head = logbook.chain(before, n, _digest(data, is_thinned))
        c.execute(
            "INSERT INTO entry (id, head, data, urgent, kept_s, thinned) VALUES (?, ?, ?, ?, ?, ?)",
            (
                _id_of(book, n),
                None if n % HEAD_EVERY else head,
                data,
                int(urgent),
                kept_ms // 1000,
                int(is_thinned),
            ),
        )
        rows.append(Row(n, before, head, data, urgent, is_thinned))
    return tuple(rows)


def head_at(c: sqlite3.Connection, book: Book, n: int) -> bytes | None:
    """h(n), None where it is pruned or not there yet."""
    if n == book.base_n:
        return book.base_head
    rows = c.execute(
        "SELECT id, head, data, thinned FROM entry WHERE id > ? AND id <= ?"
        " ORDER BY id DESC LIMIT ?",
        (book.seq << N_BITS, _id_of(book, n), HEAD_EVERY),
    ).fetchall()
    if not rows or _n_of(rows[0][0]) != n or n < book.base_n:
        return None
    behind: list[bytes] = []
    for row_id, head, data, thinned in rows:
        if head is not None:
            return logbook.chain_over(bytes(head), _n_of(row_id) + 1, reversed(behind))
        behind.append(_digest(data, thinned))
    return logbook.chain_over(book.base_head, book.base_n + 1, reversed(behind))


def broken_at(c: sqlite3.Connection, book: Book) -> int | None:
    """The first of the newest entries that the stored chain values contradict, None: whole.

    From the newest but one stored value on: what a power cut could have torn.
    """
    stored = c.execute(
        "SELECT id, head FROM entry WHERE id > ? AND id < ? AND head IS NOT NULL"
        " ORDER BY id DESC LIMIT 2",
        (_id_of(book, book.base_n), (book.seq + 1) << N_BITS),
    ).fetchall()
    n, head = (_n_of(stored[-1][0]), bytes(stored[-1][1])) if stored else (book.base_n, b"")
    head = head or book.base_head
    found = c.execute(
        "SELECT id, head, data, thinned FROM entry WHERE id > ? AND id < ? ORDER BY id",
        (_id_of(book, n), (book.seq + 1) << N_BITS),
    )
    for row_id, kept, data, thinned in found:
        n, head = n + 1, logbook.chain(head, n + 1, _digest(data, thinned))
        if _n_of(row_id) != n or (kept is not None and bytes(kept) != head):
            return n
    return None


def read_rows(
    c: sqlite3.Connection, book: Book, first: int, last: int, bytes_max: int
) -> tuple[Row, ...]:
    """Entries first..last, as many as fit into `bytes_max`, at least one where there is one."""
    before = head_at(c, book, first - 1)
    rows: list[Row] = []
    size = 0
    found = c.execute(
        "SELECT id, data, urgent, thinned FROM entry WHERE id BETWEEN ? AND ? ORDER BY id",
        (_id_of(book, first), _id_of(book, last)),
    )
    for row_id, data, urgent, thinned in found:
        size += len(data) + 3
        if before is None or (rows and size > bytes_max):
            break
        n = _n_of(row_id)
        head = logbook.chain(before, n, _digest(data, thinned))
        rows.append(Row(n, before, head, data, bool(urgent), bool(thinned)))
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
    c: sqlite3.Connection, book: Book, n: int, ranges: Sequence[tuple[int, int]], proof: bytes
) -> None:
    """`proof` is kept where it says more than the one before."""
    proof = proof if n >= book.receipted_n else book.proof
    c.execute(
        "UPDATE book SET receipted_n = ?, ranges = ?, receipt = ? WHERE seq = ?",
        (n, cbor.encode([list(one) for one in ranges]), proof or book.proof, book.seq),
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


def _digest(data: bytes, thinned: object) -> bytes:
    return data if thinned else logbook.digest(data)


def _id_of(book: Book, n: int) -> int:
    return book.seq << N_BITS | n


def _n_of(row_id: int) -> int:
    return row_id & ((1 << N_BITS) - 1)


def _decode_ranges(data: bytes) -> tuple[tuple[int, int], ...]:
    found = cbor.decode(data, RANGES_BYTES_MAX)
    assert isinstance(found, list)
    return tuple((first, last) for first, last in found)
