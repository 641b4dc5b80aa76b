"""Logbooks at both ends, read from the files: is the chain one, and is each receipt true?

Reads a copy of the terminal's store (its daemon holds the file alone) and the journal as it lies
there. The copy must be the younger one. Called by bench/checker.py.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cbor2

from protocol import entry as entries
from protocol import position as positions
from protocol import track
from protocol.entry import Entry, Track
from protocol.refusal import Refused

N_BITS: Final = 32
_N_MASK: Final = (1 << N_BITS) - 1


@dataclass(frozen=True, slots=True)
class OwnBook:
    """One logbook of a terminal, chained again from its bytes."""

    name: str
    id: bytes
    enrolment: bytes
    base_n: int
    receipted_n: int
    ranges: tuple[tuple[int, int], ...]
    data: dict[int, bytes]
    heads: dict[int, bytes]  # h(n), h(base_n) included
    faults: tuple[str, ...]

    @property
    def last_n(self) -> int:
        return max(self.heads)


def own_books(device: str, store: Path) -> list[OwnBook]:
    """Every logbook of a store, oldest first; the last one is written on."""
    with closing(sqlite3.connect(store)) as db:
        books = db.execute(
            "SELECT seq, id, enrolment, base_n, base_head, receipted_n, ranges FROM book"
            " ORDER BY seq"
        ).fetchall()
        return [_read(device, db, *book) for book in books]


def _read(
    device: str,
    db: sqlite3.Connection,
    seq: int,
    book_id: bytes,
    enrolment: bytes,
    base_n: int,
    base_head: bytes,
    receipted_n: int,
    ranges: bytes,
) -> OwnBook:
    name = f"{device} logbook {book_id.hex()[:8]}"
    data, heads, faults = {}, {base_n: bytes(base_head)}, []
    found = db.execute(
        "SELECT id, head, data FROM entry WHERE id > ? AND id < ? ORDER BY id",
        (seq << N_BITS, (seq + 1) << N_BITS),
    )
    n = base_n
    for row_id, head, body in found:
        if row_id & _N_MASK != n + 1:
            faults.append(f"{name}: entry {n + 1} is missing")
            break
        n += 1
        data[n] = bytes(body)
        heads[n] = _chained(heads[n - 1], n, data[n])
        if head is not None and bytes(head) != heads[n]:
            faults.append(f"{name}: entry {n} does not join its chain")
    spans = tuple((first, last) for first, last in cbor2.loads(ranges))
    if receipted_n > n:
        faults.append(f"{name}: receipted to {receipted_n}, written to {n}")
    return OwnBook(
        name, bytes(book_id), bytes(enrolment), base_n, receipted_n, spans, data, heads,
        tuple(faults),
    )  # fmt: skip


def _chained(before: bytes, n: int, data: bytes) -> bytes:
    """h(n) as the wire contract has it: SHA-256(h(n-1) || n || SHA-256(entry))."""
    return hashlib.sha256(before + n.to_bytes(8, "big") + hashlib.sha256(data).digest()).digest()


class Centre:
    """The journal's side: what it holds of each logbook."""

    def __init__(self, journal: Path) -> None:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=5)) as db:
            db.execute("BEGIN")  # one view of all tables
            self.books: dict[bytes, tuple[bytes, int, bytes, bool]] = {
                bytes(book): (bytes(owner), n, bytes(head), bool(is_held))
                for book, owner, n, head, is_held in db.execute(
                    "SELECT logbook, enrolment, n, head, is_held FROM logbook"
                )
            }
            # without a body where an entry was thinned or erased to its digest
            self.data: dict[bytes, dict[int, bytes | None]] = {book: {} for book in self.books}
            for book, n, body in db.execute("SELECT logbook, n, data FROM entry"):
                self.data.setdefault(bytes(book), {})[n] = None if body is None else bytes(body)
            self.quarantined = [r for (r,) in db.execute("SELECT reason FROM quarantine")]
            self.positions = {
                bytes(owner): positions.decode(cbor2.loads(sealed)[2])
                for owner, sealed in db.execute("SELECT enrolment, sealed FROM position")
            }

    def entries(self) -> Iterator[tuple[bytes, bytes, int, Entry]]:
        """(enrolment, logbook, n, entry) of all that can be read, each logbook in its order."""
        for book, (owner, _, _, _) in sorted(self.books.items()):
            for n in sorted(self.data[book]):
                found = _entry(self.data[book][n])
                if found is not None:
                    yield owner, book, n, found

    def whole(self) -> list[str]:
        """Each logbook without a gap, none held, none twice."""
        faults = [f"quarantine: {reason}" for reason in self.quarantined]
        for book, (_, n, _, is_held) in self.books.items():
            name, numbers = f"logbook {book.hex()[:8]} at the centre", sorted(self.data[book])
            if is_held:
                faults.append(f"{name}: held as a twin's")
            if numbers[:n] != list(range(1, n + 1)):
                faults.append(f"{name}: contiguous to {n}, but entries are missing")
            faults += [
                f"{name}: entry {one} cannot be read"
                for one, data in self.data[book].items()
                if data is not None and _entry(data) is None
            ]
        faults += [
            f"entries of logbook {book.hex()[:8]}, which has no state"
            for book in set(self.data) - set(self.books)
        ]
        return faults

    def track_faults(self) -> list[str]:
        """No fix twice in a logbook, and none out of order within a boot."""
        faults: list[str] = []
        newest: dict[tuple[bytes, int], int] = {}
        seen: set[tuple[bytes, int]] = set()
        for _, book, n, entry in self.entries():
            if not isinstance(entry.body, Track):
                continue
            for fix in track.unpack(entry.body.packed, entry.body.count):
                where = f"logbook {book.hex()[:8]} entry {n}: fix of {fix.time_ms}"
                if (book, fix.time_ms) in seen:
                    faults.append(f"{where} is there twice")
                elif fix.time_ms < newest.get((book, entry.boot), 0):
                    faults.append(f"{where} came after a later one")
                seen.add((book, fix.time_ms))
                newest[book, entry.boot] = fix.time_ms
        return faults


def _entry(data: bytes | None) -> Entry | None:
    if data is None:
        return None
    try:
        return entries.decode(data)
    except Refused:
        return None


def differences(own: OwnBook, centre: Centre) -> list[str]:
    """Where a terminal's logbook and the centre's are not one, and receipts that are not true."""
    faults = list(own.faults)
    if own.id not in centre.books:
        return faults if own.receipted_n == 0 else [*faults, f"{own.name}: receipted, never came"]
    owner, n, head, _ = centre.books[own.id]
    found = centre.data[own.id]
    if owner != own.enrolment:
        faults.append(f"{own.name}: at the centre of another enrolment")
    faults += [
        f"{own.name}: entry {one} is another at the centre"
        for one, data in found.items()
        if data is not None and one in own.data and own.data[one] != data
    ]
    faults += [
        f"{own.name}: entry {one} is at the centre and gone here"
        for one in found
        if own.base_n < one <= own.last_n and one not in own.data
    ]
    if n in own.heads and own.heads[n] != head:
        faults.append(f"{own.name}: another head at {n}")
    if own.receipted_n > n:
        faults.append(f"{own.name}: receipt to {own.receipted_n}, committed to {n}")
    if own.base_n > n:
        faults.append(f"{own.name}: pruned to {own.base_n}, committed to {n}")
    faults += [
        f"{own.name}: {first}..{last} receipted, not committed"
        for first, last in own.ranges
        if not all(one in found for one in range(first, last + 1))
    ]
    return faults


def tail_faults(own: OwnBook, earlier: Centre) -> list[str]:
    """Nothing is sent before it is synced: what the centre has had is still here."""
    last = max(earlier.data.get(own.id, {0: None}), default=0)
    return [f"{own.name}: ends at {own.last_n}, the centre has {last}"] * (last > own.last_n)


def witness_faults(books: list[OwnBook], centre: Centre) -> list[str]:
    """The newest position's entry count and head are those of the terminal's own chain."""
    newest = books[-1]
    position = centre.positions.get(newest.enrolment)
    if position is None:
        return []
    heads = [
        book.heads[position.entry_count]
        for book in books
        if book.enrolment == newest.enrolment and position.entry_count in book.heads
    ]
    if not heads or any(one.startswith(position.entry_head) for one in heads):
        return []
    return [f"{newest.name}: a position's head of entry {position.entry_count} is not in it"]
