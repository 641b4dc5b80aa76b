"""All records of an export, read from the journal beside a running matcher.

Called by matcher/evidence/command.py; the pure half is protocol/evidence*.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import cbor2

from matcher.evidence.chapter import Book, chapter
from matcher.evidence.documents import Shelf, needed
from matcher.evidence.scope import Scope
from matcher.journal.erasures import erasures
from protocol import evidence_records as er
from protocol.entry import EntryKind
from protocol.envelope import Kind
from protocol.evidence_records import Held, Record
from protocol.evidence_rest import media_of
from protocol.journal_chain import CHAIN_START
from protocol.keys import VerifyKey
from protocol.words import TimeTrust

EARLY_MS: Final = 600_000  # a terminal's clock may be so far ahead of the centre's
LATE_MS: Final = 30 * 86_400_000  # what was kept offline comes at most so much later
TRACK_MS: Final = 60_000  # an entry's fixes lie before it
_NAMES_AN_ORDER: Final = {EntryKind.ANSWER: 0, EntryKind.DELIVERED: 2, EntryKind.DEVICE: 8}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """Whence an export is made."""

    db: sqlite3.Connection
    fleet: str
    root_certificate: bytes
    shelf: Shelf
    evidence_key: VerifyKey


def collect(source: Source, scope: Scope, about: er.About, say: Say) -> list[Record]:
    """The whole file's records, in order."""
    chapters: list[Record] = []
    for book in _books(source, scope):
        span = _span(source.db, book.logbook, scope)
        if span is None:
            continue
        first, last, named = span
        say(f"{book.device}: entries {first} to {last} of logbook {book.logbook.hex()[:8]}")
        found = chapter(source.db, book, first, last, named, scope.to_ms + TRACK_MS)
        chapters += [
            one
            for one in found
            if not isinstance(one, er.SealedReceipt)
            or source.shelf.has_role_key(Kind.RECEIPT, one.sealed)
        ]
    logged = [one for one in chapters if isinstance(one, er.LoggedEntry)]
    media = [file for one in logged if (file := media_of(one)) is not None]
    say(f"{len(logged)} entries, {len(scope.rows)} transactions")
    return [
        about,
        er.Root(source.root_certificate),
        *needed(source.shelf, chapters, source.fleet, source.evidence_key),
        *chapters,
        *media,
        *_decisions(source.db, scope),
        *_erasures(source.db, logged),
        *_thinned(source.db, logged),
    ]


def _books(source: Source, scope: Scope) -> Iterator[Book]:
    found = source.db.execute("SELECT logbook, enrolment FROM logbook ORDER BY enrolment, logbook")
    for logbook, enrolment in found.fetchall():
        if scope.enrolments is None or enrolment in scope.enrolments:
            device = source.shelf.device_of(enrolment)
            if device is not None:
                yield Book(logbook, enrolment, device)


def _span(db: sqlite3.Connection, logbook: bytes, scope: Scope) -> tuple[int, int, set[int]] | None:
    """(first, last) entry of the asked time, and the entries that name one of its orders."""
    timely, named = list[int](), set[int]()
    rows = db.execute(
        "SELECT n, data, received_ms FROM entry WHERE logbook = ? "
        "AND received_ms BETWEEN ? AND ? ORDER BY n",
        (logbook, scope.from_ms - EARLY_MS, scope.to_ms + LATE_MS),
    )
    for n, data, received_ms in rows:
        at_ms, orders = _read(data, received_ms)
        kind_ms = TRACK_MS if orders is None else 0
        if scope.from_ms <= at_ms <= scope.to_ms + kind_ms:
            timely.append(n)
        if orders and set(orders) & set(scope.orders):
            named.add(n)
    if not timely and not named:
        return None
    all_of_them = timely or sorted(named)
    return min(all_of_them), max(all_of_them), named


def _read(data: bytes | None, received_ms: int) -> tuple[int, list[object] | None]:
    """(the entry's instant, orders that it names; None for a track).

    Where the terminal had no good clock, or the entry is gone, the instant of receipt.
    """
    if data is None:
        return received_ms, []
    try:
        kind, time_ms, trust, _, _, _, body = cbor2.loads(data)
    except (cbor2.CBORError, ValueError, TypeError):
        return received_ms, []
    at_ms = time_ms if trust >= TimeTrust.NTP else received_ms
    if kind == EntryKind.TRACK:
        return at_ms, None
    place = _NAMES_AN_ORDER.get(kind)
    return at_ms, [] if place is None else [body[place]]


def _decisions(db: sqlite3.Connection, scope: Scope) -> Iterator[Record]:
    for row in scope.rows:
        before = db.execute("SELECT chain FROM tx WHERE seq = ?", (row.seq - 1,)).fetchone()
        chain_before = before[0] if before else CHAIN_START
        yield er.DecisionRow(row.seq, chain_before, row.command, row.events, row.chain)


def _erased(logged: Iterable[er.LoggedEntry]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for one in logged:
        if one.held is Held.ERASED:
            found.setdefault(one.logbook, []).append(one.n)
    return found


def _erasures(db: sqlite3.Connection, logged: Iterable[er.LoggedEntry]) -> Iterator[Record]:
    """The erasures of the erased entries."""
    gone = _erased(logged)
    for one in erasures(db) if gone else ():
        if any(one.first <= n <= one.last for n in gone.get(one.logbook, ())):
            yield one


def _thinned(db: sqlite3.Connection, logged: Iterable[er.LoggedEntry]) -> Iterator[Record]:
    """What is left of erased tracks: the centre's own extract."""
    for logbook, numbers in _erased(logged).items():
        rows = db.execute(
            "SELECT n, time_ms, lat_e6, lon_e6 FROM thinned_track WHERE logbook = ? "
            "AND n BETWEEN ? AND ? ORDER BY minute",
            (logbook, min(numbers), max(numbers)),
        )
        for n, time_ms, lat_e6, lon_e6 in rows:
            if n in numbers:
                yield er.ThinnedPoint(logbook, n, time_ms, lat_e6, lon_e6)
