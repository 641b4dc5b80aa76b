"""Terminals' logbooks in the journal: heads verbatim, entries by (logbook, number), quarantine."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import cbor2

from matcher.core.chain_state import ChainState, Span
from matcher.journal.journal import spec
from protocol.logbook import Head, Item


@dataclass(frozen=True, slots=True)
class Arrived:
    """A verified batch on its way into the journal."""

    enrolment: bytes
    head: Head
    sealed_head: bytes
    items: tuple[Item, ...]
    kinds: tuple[int | None, ...]
    received_ms: int


class DigestDiffers(Exception):
    """An entry is there already under the same number with another digest: a twin terminal."""

    def __init__(self, n: int) -> None:
        super().__init__(f"entry {n}")
        self.n = n


def load_chains(db: sqlite3.Connection) -> dict[bytes, tuple[bytes, ChainState]]:
    """Logbook id -> (enrolment, state)."""
    found = db.execute("SELECT logbook, enrolment, n, head, is_held, spans FROM logbook")
    return {
        logbook: (
            enrolment,
            ChainState(
                logbook, n, head, tuple(Span(*s) for s in cbor2.loads(spans)), bool(is_held)
            ),
        )
        for logbook, enrolment, n, head, is_held, spans in found
    }


def known_numbers(db: sqlite3.Connection, batch: Arrived) -> set[int]:
    """Numbers of the batch that are kept already; raises DigestDiffers on a twin."""
    head = batch.head
    found = db.execute(
        "SELECT n, digest FROM entry WHERE logbook = ? AND n BETWEEN ? AND ?",
        (head.logbook, head.first, head.last),
    ).fetchall()
    for n, digest in found:
        if batch.items[n - head.first].digest != digest:
            raise DigestDiffers(n)
    return {n for n, _ in found}


def keep_batch(
    db: sqlite3.Connection, batch: Arrived, state: ChainState, new: Sequence[int]
) -> None:
    """Head, new entries, data of entries known as bare digests, and the logbook's state."""
    head, at = batch.head, batch.received_ms
    if new:
        db.execute(
            "INSERT INTO head (logbook, first, last, sealed, received_ms) VALUES (?, ?, ?, ?, ?)",
            (head.logbook, head.first, head.last, batch.sealed_head, at),
        )
    db.executemany(
        "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                head.logbook, n, batch.items[n - head.first].digest, batch.kinds[n - head.first],
                batch.items[n - head.first].data, at,
            )
            for n in new
        ],
    )  # fmt: skip
    db.executemany(
        # what was erased by a rule of the centre keeps its kind, and stays erased
        "UPDATE entry SET data = ?, kind = ? WHERE logbook = ? AND n = ? AND data IS NULL"
        " AND kind IS NULL",
        [
            (item.data, kind, head.logbook, n)
            for n, (item, kind) in enumerate(zip(batch.items, batch.kinds, strict=True), head.first)
            if item.data is not None and n not in new
        ],
    )
    keep_state(db, batch.enrolment, state)


def keep_state(db: sqlite3.Connection, enrolment: bytes, state: ChainState) -> None:
    db.execute(
        "INSERT OR REPLACE INTO logbook VALUES (?, ?, ?, ?, ?, ?)",
        (
            state.logbook, enrolment, state.n, state.head, int(state.is_held),
            spec(list(state.spans)),
        ),
    )  # fmt: skip


def quarantine(
    db: sqlite3.Connection, enrolment: bytes, reason: str, message: bytes, at_ms: int
) -> None:
    """Kept apart for a person: nothing that a terminal sealed is thrown away unseen."""
    db.execute(
        "INSERT INTO quarantine (enrolment, reason, message, received_ms) VALUES (?, ?, ?, ?)",
        (enrolment, reason, message, at_ms),
    )
