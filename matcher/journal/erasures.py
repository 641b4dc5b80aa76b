"""What went by rule, in a chain of its own: written in the transaction of the erasure, read back by
exports and by `outrider matcher verify`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from protocol.evidence_records import Erasure
from protocol.evidence_rest import erasure_bytes
from protocol.journal_chain import CHAIN_START, next_record


def record_erasure(
    db: sqlite3.Connection, at_ms: int, rule: str, logbook: bytes, first: int, last: int, count: int
) -> None:
    """One more link; `count` entries (or records) of first..last are gone."""
    newest = db.execute("SELECT number, chain FROM erasure ORDER BY number DESC LIMIT 1").fetchone()
    number, chain = newest or (0, CHAIN_START)
    bare = Erasure(number + 1, at_ms, rule, logbook, first, last, count, chain, chain)
    one = replace(bare, chain=next_record(chain, erasure_bytes(bare)))
    db.execute(
        "INSERT INTO erasure VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (one.number, at_ms, rule, logbook, first, last, count, one.chain),
    )


def erasures(db: sqlite3.Connection) -> Iterator[Erasure]:
    """All, in order, each with the chain's value before it; none in a journal of before."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'erasure'").fetchone() is None:
        return
    before = CHAIN_START
    found = db.execute(
        "SELECT number, at_ms, rule, logbook, first, last, count, chain FROM erasure "
        "ORDER BY number"
    )
    for number, at_ms, rule, logbook, first, last, count, chain in found:
        yield Erasure(number, at_ms, rule, logbook, first, last, count, before, chain)
        before = chain
