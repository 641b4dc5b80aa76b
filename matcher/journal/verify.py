"""Does the journal hold together: chain, decisions made again, holdings, logbooks' and
erasures' chains."""

from __future__ import annotations

import sqlite3

import cbor2

from matcher.core import records
from matcher.core.apply import apply
from matcher.core.board import Board
from matcher.core.decide import decide
from matcher.journal.erasures import erasures
from matcher.journal.journal import rows
from protocol.evidence_rest import erasure_bytes
from protocol.journal_chain import CHAIN_START, next_chain, next_record
from protocol.logbook import chain

FAULTS_MAX = 20


def verify(db: sqlite3.Connection) -> list[str]:
    """Faults found, at most FAULTS_MAX, each naming its place; empty: whole."""
    faults = _check_transactions(db)
    faults += _check_holdings(db)
    faults += _check_logbooks(db)
    faults += _check_erasures(db)
    return faults[:FAULTS_MAX]


def _check_transactions(db: sqlite3.Connection) -> list[str]:
    """Each row joins the chain, and its command, decided again, gives the same events."""
    faults: list[str] = []
    board, applied, seq, link = Board(), Board(), 0, CHAIN_START
    for row in rows(db):
        if row.seq != seq + 1:
            faults.append(f"transaction {seq + 1}: missing")
        seq, link = row.seq, next_chain(link, row.seq, row.command, row.events)
        if link != row.chain:
            return [*faults, f"transaction {row.seq}: does not join the chain"]
        again = records.encode_all(decide(board, row.decision().command))
        if again != row.events:
            return [*faults, f"transaction {row.seq}: the core decides otherwise"]
        for event in row.decision().events:
            apply(applied, event)
    if board.digest() != applied.digest():
        faults.append("the events alone do not give the state that was decided on")
    return faults


def _check_holdings(db: sqlite3.Connection) -> list[str]:
    """The unique indexes say what the events say."""
    board = Board()
    for row in rows(db):
        decide(board, row.decision().command)
    held = {(u.unit, u.order) for u in board.units.values() if u.order is not None}
    kept = set(db.execute("SELECT unit, order_id FROM held").fetchall())
    return [f"unit {unit}: held {order} in one place only" for unit, order in sorted(held ^ kept)]


def _check_logbooks(db: sqlite3.Connection) -> list[str]:
    """Entries lead from each kept head to the next: altered, missing or added ones are named."""
    faults = []
    heads = db.execute("SELECT logbook, first, last, sealed FROM head ORDER BY id").fetchall()
    for logbook, first, last, sealed in heads:
        _, before, at_last = _head_values(sealed)
        found = db.execute(
            "SELECT n, digest FROM entry WHERE logbook = ? AND n BETWEEN ? AND ? ORDER BY n",
            (logbook, first, last),
        ).fetchall()
        if [n for n, _ in found] != list(range(first, last + 1)):
            faults.append(f"logbook {logbook.hex()[:8]}: entries {first}..{last} are not all there")
            continue
        for n, digest in found:
            before = chain(before, n, digest)
        if before != at_last:
            faults.append(f"logbook {logbook.hex()[:8]}: entries {first}..{last} were altered")
    return faults


def _check_erasures(db: sqlite3.Connection) -> list[str]:
    """Erasures join their chain and none in the middle was taken out."""
    link = CHAIN_START
    for number, one in enumerate(erasures(db), 1):
        link = next_record(link, erasure_bytes(one))
        if one.number != number or link != one.chain:
            return [f"erasure {number}: does not join the chain"]
    return []


def _head_values(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    logbook, _, before, _, at_last = cbor2.loads(cbor2.loads(sealed)[2])
    return logbook, before, at_last
