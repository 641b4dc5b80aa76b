"""One logbook's part of an export: entries, the heads that carried them, and its witnesses.

What was not asked for but lies between the asked entries and a seal or a witness goes in as bare
digests, so that the chain joins and nothing more is told. Called by collect.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cbor2

from protocol import evidence_records as er
from protocol import logbook, position
from protocol.entry import EntryKind
from protocol.evidence_records import Held, Record
from protocol.evidence_seals import pruned_up_to
from protocol.logbook import Head
from protocol.refusal import Refused

REACH_MAX: Final = 2_000  # entries beyond the asked ones, to a witness


@dataclass(frozen=True, slots=True)
class Book:
    """A logbook as the journal knows it."""

    logbook: bytes
    enrolment: bytes
    device: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A sealed position with the count and the head that it names."""

    received_ms: int
    sealed: bytes
    count: int
    head: bytes


def chapter(
    db: sqlite3.Connection, book: Book, first: int, last: int, whole: set[int], to_ms: int
) -> list[Record]:
    """The records for entries first..last; of the others only `whole` ones are held whole."""
    seen = _positions(db, book.enrolment)
    end = _reach(db, book.logbook, last, seen)
    admitted = _admissions(db, book.logbook, first, end)
    whole, end = whole | admitted, max([end, *admitted])
    heads = _heads(db, book.logbook, first, end)
    if not heads:
        return []
    low, high = min(h.first for h, _ in heads), max(h.last for h, _ in heads)
    chains, rows = _chains(db, book.logbook, low, high, [head for head, _ in heads])
    missing = _gaps(low, chains)
    fitting = [
        one for one in seen
        if one.count in chains and chains[one.count][: position.HEAD_BYTES] == one.head
    ]  # fmt: skip
    beyond = _beyond(db, book, seen, high, to_ms)
    if beyond is not None:
        missing.append((high + 1, beyond.count))
        fitting.append(beyond)
    erased = _erased_spans(db, book.logbook, low, high)

    def held(n: int, data: bytes | None) -> Held:
        if not (first <= n <= last or n in whole):
            return Held.OUTSIDE
        if data is not None:
            return Held.WHOLE
        return Held.ERASED if any(a <= n <= b for a, b in erased) else Held.BARE

    entries: list[Record] = []
    for n, digest, data in rows:
        how = held(n, data)
        kept = data if how is Held.WHOLE and data is not None else digest
        entries.append(er.LoggedEntry(book.logbook, n, chains[n], how, kept))
    return [
        er.Logbook(book.logbook, book.enrolment, book.device, low, high, tuple(missing)),
        *(one for _, one in heads),
        *entries,
        *_receipts(db, book.logbook, chains),
        *(er.SealedPosition(book.logbook, one.received_ms, one.sealed) for one in fitting),
    ]


def _reach(db: sqlite3.Connection, book: bytes, last: int, seen: Iterable[Seen]) -> int:
    """The nearest entry from `last` on that a receipt or a position witnesses."""
    receipted = db.execute(
        "SELECT min(n) FROM receipt WHERE logbook = ? AND n >= ?", (book, last)
    ).fetchone()[0]
    counts = [one.count for one in seen if one.count >= last]
    known = db.execute("SELECT n FROM logbook WHERE logbook = ?", (book,)).fetchone()
    nearest = min([n for n in (receipted, *counts) if n is not None], default=last)
    joined = known[0] if known else last
    return nearest if nearest <= min(joined, last + REACH_MAX) else last


def _admissions(db: sqlite3.Connection, book: bytes, first: int, last: int) -> set[int]:
    """Entries in which the terminal says that the centre, restored from a copy, had lost some."""
    found = db.execute(
        "SELECT n, data FROM entry WHERE logbook = ? AND kind = ? AND n BETWEEN ? AND ?",
        (book, EntryKind.PRUNED, first, last + REACH_MAX),
    )
    return {n for n, data in found if data is not None and pruned_up_to(data, Held.WHOLE) >= first}


def _heads(
    db: sqlite3.Connection, book: bytes, first: int, last: int
) -> list[tuple[Head, er.SealedHead]]:
    """Heads that carried one of first..last, as they came."""
    found = db.execute(
        "SELECT sealed, received_ms FROM head WHERE logbook = ? AND first <= ? AND last >= ? "
        "ORDER BY id",
        (book, last, first),
    )
    return [
        (logbook.decode_head(payload_of(sealed)), er.SealedHead(book, received_ms, sealed))
        for sealed, received_ms in found
    ]


def payload_of(sealed: bytes) -> bytes:
    """The payload of a message that was opened when it came in."""
    payload: bytes = cbor2.loads(sealed)[2]
    return payload


def _chains(
    db: sqlite3.Connection, book: bytes, low: int, high: int, heads: Sequence[Head]
) -> tuple[dict[int, bytes], list[tuple[int, bytes, bytes | None]]]:
    """The chain's value behind each entry, from the heads' own word at their beginnings."""
    before = {head.first: head.head_before for head in heads}
    chains: dict[int, bytes] = {}
    rows = db.execute(
        "SELECT n, digest, data FROM entry WHERE logbook = ? AND n BETWEEN ? AND ? ORDER BY n",
        (book, low, high),
    ).fetchall()
    for n, digest, _ in rows:
        start = chains.get(n - 1) or before.get(n)
        if start is not None:
            chains[n] = logbook.chain(start, n, digest)
    return chains, [row for row in rows if row[0] in chains]


def _gaps(low: int, chains: dict[int, bytes]) -> list[tuple[int, int]]:
    """Ranges from `low` on, between entries, that the centre has not got."""
    found, expected = [], low
    for n in sorted(chains):
        if n > expected:
            found.append((expected, n - 1))
        expected = n + 1
    return found


def _erased_spans(
    db: sqlite3.Connection, book: bytes, low: int, high: int
) -> list[tuple[int, int]]:
    found = db.execute(
        "SELECT first, last FROM erasure WHERE logbook = ? AND first <= ? AND last >= ?",
        (book, high, low),
    )
    return [(first, last) for first, last in found]


def _receipts(db: sqlite3.Connection, book: bytes, chains: dict[int, bytes]) -> list[Record]:
    found = db.execute(
        "SELECT n, at_ms, sealed FROM receipt WHERE logbook = ? AND n BETWEEN ? AND ? ORDER BY n",
        (book, min(chains), max(chains)),
    )
    return [er.SealedReceipt(book, at_ms, sealed) for n, at_ms, sealed in found if n in chains]


def _positions(db: sqlite3.Connection, enrolment: bytes) -> list[Seen]:
    """Kept positions of a terminal, the newest one too, by count."""
    found = db.execute(
        "SELECT received_ms, sealed FROM witness WHERE enrolment = ? UNION "
        "SELECT received_ms, sealed FROM position WHERE enrolment = ?",
        (enrolment, enrolment),
    )
    seen = []
    for received_ms, sealed in found:
        try:
            one = position.decode(payload_of(sealed))
        except Refused:
            continue  # kept by a release that read positions otherwise
        seen.append(Seen(received_ms, sealed, one.entry_count, one.entry_head))
    return sorted(seen, key=lambda one: (one.count, one.received_ms))


def _beyond(
    db: sqlite3.Connection, book: Book, seen: Sequence[Seen], high: int, to_ms: int
) -> Seen | None:
    """A position that names entries which never came, where this is the terminal's last logbook."""
    newest = db.execute(
        "SELECT logbook FROM head WHERE logbook IN "
        "(SELECT logbook FROM logbook WHERE enrolment = ?) ORDER BY id DESC LIMIT 1",
        (book.enrolment,),
    ).fetchone()
    kept = db.execute("SELECT max(n) FROM entry WHERE logbook = ?", (book.logbook,)).fetchone()[0]
    if newest is None or newest[0] != book.logbook or kept != high:
        return None
    lost = [one for one in seen if one.count > high and one.received_ms <= to_ms]
    return max(lost, key=lambda one: one.count, default=None)
