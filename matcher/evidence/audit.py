"""Look-ups of the past: who asked for what, when and why, in a hash chain beside the journal.

A command that only reads cannot write into the matcher's journal, so look-ups have a file of their
own, `audit.db` in the journal's folder (docs/decisions/0014). Appended before anything is read.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol import cbor
from protocol.fields import plain
from protocol.journal_chain import CHAIN_START, next_record
from runtime.faults import StoreBusy
from runtime.sqlite_file import Schema, open_reader
from runtime.store import Store

TRIES, AGAIN_S = 50, 0.1
SCHEMA: Final = Schema(
    application_id=0x6F757461,  # "outa"
    migrations=(
        (
            """CREATE TABLE look_up (
    number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, by TEXT NOT NULL, act TEXT NOT NULL,
    what TEXT NOT NULL, reason TEXT NOT NULL, chain BLOB NOT NULL
)""",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class LookUp:
    """One look at the past. `act`: export, or exported with the file's digest in `what`."""

    number: int
    at_ms: int
    by: str
    act: str
    what: str
    reason: str


def audit_file(journal: Path) -> Path:
    return journal.with_name("audit.db")


def record_look_up(
    journal: Path, at_ms: int, by: str, act: str, what: str, reason: str
) -> tuple[int, bytes]:
    """Append and sync; (number, chain value). Raises StoreFault.

    Two commands at once take turns: each holds the file for one commit.
    """

    def work(db: sqlite3.Connection) -> tuple[int, bytes]:
        newest = db.execute("SELECT number, chain FROM look_up ORDER BY number DESC LIMIT 1")
        number, chain = newest.fetchone() or (0, CHAIN_START)
        one = LookUp(number + 1, at_ms, by, act, what, reason)
        chain = next_record(chain, cbor.encode(plain(one)))
        db.execute(
            "INSERT INTO look_up VALUES (?, ?, ?, ?, ?, ?, ?)",
            (one.number, at_ms, by, act, what, reason, chain),
        )
        return one.number, chain

    with _opened(audit_file(journal)) as store:
        return store.commit_now(work)


def _opened(path: Path) -> Store:
    for _ in range(TRIES):
        try:
            return Store(path, SCHEMA)
        except StoreBusy:
            threading.Event().wait(AGAIN_S)  # the other one syncs and goes
    return Store(path, SCHEMA)


def look_ups(db: sqlite3.Connection) -> Iterator[tuple[LookUp, bytes]]:
    """All, in order, each with its chain value."""
    found = db.execute(
        "SELECT number, at_ms, by, act, what, reason, chain FROM look_up ORDER BY number"
    )
    for number, at_ms, by, act, what, reason, chain in found:
        yield LookUp(number, at_ms, by, act, what, reason), chain


def verify_audit(journal: Path) -> list[str]:
    """Faults of the chain, naming the first place; none where nothing was ever looked up."""
    path = audit_file(journal)
    if not path.exists():
        return []
    db = open_reader(path, SCHEMA)
    try:
        link = CHAIN_START
        for number, (one, chain) in enumerate(look_ups(db), 1):
            link = next_record(link, cbor.encode(plain(one)))
            if one.number != number or link != chain:
                return [f"look-up {number}: does not join the chain"]
    finally:
        db.close()
    return []
