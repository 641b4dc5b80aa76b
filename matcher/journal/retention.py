"""The journal's side of retention: what is due, and its going, each step one small transaction.

The erasure is recorded in the same transaction as what went (matcher/journal/erasures.py). Content
is overwritten, not only unlinked. Called by matcher/retention_task.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from matcher.core.retention import Fate, Rules, before_ms, due_ms, fate, one_a_minute
from matcher.journal.erasures import record_erasure
from matcher.journal.witnesses import HOUR_MS
from protocol import entry as entries
from protocol import track
from protocol.entry import EntryKind
from protocol.refusal import Refused

NO_LOGBOOK: Final = bytes(16)  # of an erasure that is of no logbook
KINDS: Final = (EntryKind.TRACK, EntryKind.HEALTH)
Mark = tuple[int, bytes, int]  # received_ms, logbook, n
START: Final[Mark] = (0, b"", 0)


@dataclass(frozen=True, slots=True)
class Due:
    """An entry whose content is past its time."""

    received_ms: int
    logbook: bytes
    n: int
    enrolment: bytes

    @property
    def mark(self) -> Mark:
        return self.received_ms, self.logbook, self.n


def find_due(
    db: sqlite3.Connection, rules: Rules, kind: int, now_ms: int, after: Mark, most: int
) -> list[Due]:
    """Oldest first, behind `after`; reads an index only."""
    limit_ms = due_ms(rules, kind, now_ms)
    found = db.execute(
        "SELECT received_ms, entry.logbook, entry.n, enrolment FROM entry "
        "JOIN logbook ON logbook.logbook = entry.logbook "
        "WHERE kind = ? AND data IS NOT NULL AND received_ms < ? "
        "AND (received_ms, entry.logbook, entry.n) > (?, ?, ?) "
        "ORDER BY received_ms, entry.logbook, entry.n LIMIT ?",
        (kind, limit_ms or 0, *after, most),
    )
    return [Due(*fields) for fields in found]


def let_go(db: sqlite3.Connection, rules: Rules, kind: int, due: Sequence[Due], now_ms: int) -> int:
    """Thin or erase the content of these entries; how many went."""
    gone: dict[tuple[str, bytes], list[int]] = {}
    with _overwriting(db):
        for one in due:
            row = db.execute(
                "SELECT data FROM entry WHERE logbook = ? AND n = ?", (one.logbook, one.n)
            ).fetchone()
            if row is None or row[0] is None:
                continue
            what = fate(rules, kind, one.received_ms, now_ms)
            if what is Fate.KEEP:
                continue
            if what is Fate.THIN:
                _keep_extract(db, one.logbook, one.n, row[0])
            db.execute(
                "UPDATE entry SET data = NULL WHERE logbook = ? AND n = ?", (one.logbook, one.n)
            )
            rule = what.value if kind == EntryKind.TRACK else EntryKind(kind).name.lower()
            gone.setdefault((rule, one.logbook), []).append(one.n)
    for (rule, logbook), numbers in gone.items():
        record_erasure(db, now_ms, rule, logbook, min(numbers), max(numbers), len(numbers))
    return sum(map(len, gone.values()))


def _keep_extract(db: sqlite3.Connection, logbook: bytes, n: int, data: bytes) -> None:
    """One fix a minute of a track, as the centre's own record."""
    try:
        body = entries.decode(data).body
        points = track.unpack(body.packed, body.count) if isinstance(body, entries.Track) else ()
    except Refused:
        return  # it could never be read
    db.executemany(
        "INSERT OR IGNORE INTO thinned_track VALUES (?, ?, ?, ?, ?, ?)",
        [
            (logbook, minute, n, point.time_ms, point.lat_e6, point.lon_e6)
            for minute, point in one_a_minute(points).items()
        ],
    )


def drop_extracts(
    db: sqlite3.Connection,
    logbook: bytes,
    keep: Sequence[tuple[int, int]],
    rules: Rules,
    now_ms: int,
) -> int:
    """Minutes past their year, but for those inside the `keep` spans (ms)."""  # fmt: skip
    limit = before_ms(now_ms, rules.track_minute_days) // 60_000
    outside = "".join(" AND NOT minute BETWEEN ? AND ?" for _ in keep)
    spans = [bound // 60_000 for span in keep for bound in span]
    with _overwriting(db):
        numbers = [
            n
            for (n,) in db.execute(
                "DELETE FROM thinned_track WHERE logbook = ? AND minute < ?"  # noqa: S608
                f"{outside} RETURNING n",
                (logbook, limit, *spans),
            )
        ]
    if numbers:
        record_erasure(
            db, now_ms, "track_digest", logbook, min(numbers), max(numbers), len(numbers)
        )
    return len(numbers)


def drop_witnesses(db: sqlite3.Connection, kept: Sequence[str], rules: Rules, now_ms: int) -> int:
    """Positions and receipts past their time; those of orders under hold stay."""
    limit_ms = before_ms(now_ms, rules.witness_days)
    held = ",".join("?" * len(kept))
    with _overwriting(db):
        gone = db.execute(
            f"DELETE FROM witness WHERE received_ms < ? AND label NOT IN ({held})",  # noqa: S608
            (limit_ms, *kept),
        ).rowcount
        gone += db.execute("DELETE FROM receipt WHERE hour < ?", (limit_ms // HOUR_MS,)).rowcount
    return _recorded(db, now_ms, "witness", gone)


def drop_quarantine(db: sqlite3.Connection, rules: Rules, now_ms: int) -> int:
    """Messages set apart: past their time, and the oldest beyond the most that are kept."""
    limit_ms = before_ms(now_ms, rules.quarantine_days)
    with _overwriting(db):
        gone = db.execute(
            "DELETE FROM quarantine WHERE received_ms < ? OR id <= "
            "(SELECT id FROM quarantine ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (limit_ms, rules.quarantine_max),
        ).rowcount
    return _recorded(db, now_ms, "quarantine", gone)


def _recorded(db: sqlite3.Connection, now_ms: int, rule: str, count: int) -> int:
    if count:
        record_erasure(db, now_ms, rule, NO_LOGBOOK, 0, 0, count)
    return count


@contextmanager
def _overwriting(db: sqlite3.Connection) -> Iterator[None]:
    """Freed content is overwritten with zeros; elsewhere the store does not spend the writes."""
    db.execute("PRAGMA secure_delete=ON")
    try:
        yield
    finally:
        db.execute("PRAGMA secure_delete=FAST")
