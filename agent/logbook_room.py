"""Room on a full disk: old track without its data, told by an entry of the same transaction.

Plain functions over a connection, run in the store's writer. Called by `logbook` only; the rule is
core/thinning.py.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from agent import logbook_file as file
from agent.core import thinning
from agent.core.thinning import NEWEST_KEPT, RULES, Progress
from agent.logbook_chain import Book, Row, newest_book
from agent.logbook_file import Change
from agent.logbook_schema import N_BITS
from protocol import cbor, logbook
from protocol.entry import Body, EntryKind, Thinned

_PROGRESS: Final = "thinning"
_TRACK: Final = bytes([0x87, EntryKind.TRACK])  # how a track entry begins: 7 fields, its kind
_LOOKED_AT_MAX: Final = 1024  # of a round in one step
_N: Final = (1 << N_BITS) - 1


def thin(c: sqlite3.Connection, make: Callable[[Body], Change], most: int) -> tuple[Row, ...]:
    """Take the data of at most `most` entries and say so; no rows where none is left to take."""
    book = newest_book(c)
    assert book is not None, "begin comes first"
    progress = thinning.resumed(_progress(c), book.seq, book.receipted_n)
    last_id = _last_old(c, book)
    while not progress.is_over:
        tracks = _tracks(c, book, progress.after_n, last_id)
        choice = thinning.choose(progress, tracks, most)
        if choice.numbers:
            return _keep(c, book, choice, make)
        if len(tracks) == _LOOKED_AT_MAX and choice.progress.after_n > progress.after_n:
            progress = choice.progress
        else:
            progress = Progress(book.seq, progress.round + 1, book.receipted_n)
    return ()


def _keep(
    c: sqlite3.Connection, book: Book, choice: thinning.Choice, make: Callable[[Body], Change]
) -> tuple[Row, ...]:
    ids = [book.seq << N_BITS | n for n in choice.numbers]
    rows = [
        c.execute("SELECT id, head, data, urgent, kept_s FROM entry WHERE id = ?", (at,)).fetchone()
        for at in ids
    ]
    # out and in again: SQLite joins pages where rows are deleted, not where they shrink
    c.executemany("DELETE FROM entry WHERE id = ?", [(at,) for at in ids])
    c.executemany(
        "INSERT INTO entry (id, head, data, urgent, kept_s, thinned) VALUES (?, ?, ?, ?, ?, 1)",
        [(at, head, logbook.digest(data), urgent, kept) for at, head, data, urgent, kept in rows],
    )
    rule, ranges = RULES[choice.progress.round], thinning.ranges_of(choice.numbers)
    change = make(Thinned(rule, len(choice.numbers), ranges))
    progress = choice.progress
    state = cbor.encode([progress.book, progress.round, progress.after_n])
    return file.apply(c, lambda _n: replace(change, meta={**change.meta, _PROGRESS: state}))


def _progress(c: sqlite3.Connection) -> Progress | None:
    row = c.execute("SELECT value FROM meta WHERE key = ?", (_PROGRESS,)).fetchone()
    if row is None:
        return None
    book, number, after_n = cbor.array(cbor.decode(bytes(row[0])), 3, "stored thinning")
    return Progress(int(book), int(number), int(after_n))


def _last_old(c: sqlite3.Connection, book: Book) -> int:
    """Id of the youngest track entry that may be thinned; 0: none is old enough."""
    row = c.execute(
        "SELECT id FROM entry WHERE id > ? AND NOT thinned AND substr(data, 1, 2) = ?"
        " ORDER BY id DESC LIMIT 1 OFFSET ?",
        (book.seq << N_BITS | book.receipted_n, _TRACK, NEWEST_KEPT),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _tracks(
    c: sqlite3.Connection, book: Book, after_n: int, last_id: int
) -> list[tuple[int, bool]]:
    found = c.execute(
        "SELECT id, thinned FROM entry WHERE id > ? AND id <= ?"
        " AND (thinned OR substr(data, 1, 2) = ?) ORDER BY id LIMIT ?",
        (book.seq << N_BITS | after_n, last_id, _TRACK, _LOOKED_AT_MAX),
    )
    return [(row_id & _N, not thinned) for row_id, thinned in found]
