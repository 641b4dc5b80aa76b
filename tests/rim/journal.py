"""The journal as it lies on disk: terminals' tracks and logbooks, read beside the matcher."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from protocol import entry, track
from protocol.entry import Entry, EntryKind, Track
from protocol.track import TrackPoint

_ENTRIES = """SELECT entry.data FROM entry JOIN logbook USING (logbook)
WHERE logbook.enrolment = ? AND (? IS NULL OR entry.kind = ?) ORDER BY logbook, entry.n"""

_NUMBERS = """SELECT entry.n FROM entry JOIN logbook USING (logbook)
WHERE enrolment = ? ORDER BY entry.n"""


def entries_of(journal: Path, enrolment: bytes, kind: EntryKind | None = None) -> list[Entry]:
    """The committed entries of an enrolment, in order."""
    wanted = None if kind is None else int(kind)
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        found = db.execute(_ENTRIES, (enrolment, wanted, wanted)).fetchall()
    return [entry.decode(data) for (data,) in found]


def track_of(journal: Path, enrolment: bytes) -> list[TrackPoint]:
    """Every fix of the journaled track, in the order of the logbook."""
    fixes: list[TrackPoint] = []
    for one in entries_of(journal, enrolment, EntryKind.TRACK):
        assert isinstance(one.body, Track)
        fixes += track.unpack(one.body.packed, one.body.count)
    return fixes


def numbers_of_all(journal: Path) -> dict[bytes, list[int]]:
    """Entry numbers of every logbook."""
    numbers: dict[bytes, list[int]] = {}
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        for logbook, n in db.execute("SELECT logbook, n FROM entry ORDER BY logbook, n"):
            numbers.setdefault(logbook, []).append(n)
    return numbers


def numbers_of(journal: Path, enrolment: bytes) -> list[int]:
    """Entry numbers of an enrolment's only logbook."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        found = db.execute(
            _NUMBERS,
            (enrolment,),
        ).fetchall()
    return [n for (n,) in found]
