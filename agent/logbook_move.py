"""From one logbook to its successor: what the centre has not committed, told where thinned.

Plain functions over a connection, run in the store's writer. Called by `logbook` only.
"""

import sqlite3
from collections.abc import Callable
from typing import Final

from agent import logbook_file as file
from agent.core.thinning import ranges_of
from agent.logbook_chain import Book, append
from agent.logbook_file import Change
from agent.logbook_schema import N_BITS
from protocol.entry import Body, Thinned

MOVED_AT_ONCE: Final = 500
RANGES_MAX: Final = 128  # of one `thinned` entry
RULE: Final = "thinned-before-moved"
_N: Final = (1 << N_BITS) - 1


def move_unreceipted(
    c: sqlite3.Connection,
    old: Book,
    book: Book,
    end: tuple[int, bytes],
    make: Callable[[Body], Change],
) -> tuple[int, bytes]:
    """Append to `book` after its `end` (n, h(n)) what the centre has not of `old`; the new end.

    A part at a time: after a long silence it may be a whole shift's. Entries get new numbers, so
    those without data are named anew.
    """
    (n, head), thinned = end, []
    at = old.seq << N_BITS | old.receipted_n
    while part := c.execute(
        "SELECT id, data, urgent, kept_s, thinned FROM entry WHERE id > ? AND id < ?"
        " ORDER BY id LIMIT ?",
        (at, (old.seq + 1) << N_BITS, MOVED_AT_ONCE),
    ).fetchall():
        at = part[-1][0]
        for row_id, data, urgent, kept_s, is_thinned in part:
            if any(first <= row_id & _N <= last for first, last in old.ranges):
                continue
            item = (data, bool(urgent), kept_s * 1000)
            row = append(c, book, n, head, [item], is_thinned=bool(is_thinned))[0]
            n, head = row.n, row.head
            if is_thinned:
                thinned.append(n)
    ranges = ranges_of(thinned)
    for first in range(0, len(ranges), RANGES_MAX):
        some = ranges[first : first + RANGES_MAX]
        count = sum(last - first + 1 for first, last in some)
        row = file.apply(c, lambda _n, some=some, count=count: make(Thinned(RULE, count, some)))[-1]  # type: ignore[misc]
        n, head = row.n, row.head
    return n, head
