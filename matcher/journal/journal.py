"""The event log on the one store: append a transaction, read it back, and its chain
(protocol/journal_chain.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cbor2

from matcher.core import events as ev
from matcher.core import records
from matcher.core.apply import apply
from matcher.core.board import Board
from matcher.core.commands import COMMANDS, Command
from matcher.journal.holdings import keep_holdings
from matcher.journal.witnesses import keep_last_position
from protocol.fields import plain
from protocol.journal_chain import CHAIN_START, next_chain
from runtime.store import Store

_decode_event: Callable[[list[Any]], ev.Event] = records.decoder(ev.EVENTS)
_decode_command: Callable[[list[Any]], Command] = records.decoder(COMMANDS)


@dataclass(frozen=True, slots=True)
class Decision:
    """A command and what followed from it: one transaction of the journal."""

    command: Command
    events: tuple[ev.Event, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A transaction as it is kept."""

    seq: int
    command: bytes
    events: bytes
    chain: bytes

    def decision(self) -> Decision:
        command = _decode_command(cbor2.loads(self.command))
        return Decision(command, tuple(_decode_event(e) for e in cbor2.loads(self.events)))


class Journal:
    """Appends decisions; `seq` and `chain` are those of the last one committed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.seq, self.chain = 0, CHAIN_START

    def load(self) -> Board:
        """The board from the whole journal; blocks, for start-up and after a full disk."""
        board, self.seq, self.chain = self._store.commit_now(_replayed)
        return board

    def newest_ms(self) -> int:
        """When the newest transaction was decided, 0 for none; blocks, for start-up."""
        return self._store.commit_now(_newest_ms)

    async def append(
        self,
        decisions: Sequence[Decision],
        beside: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        """Commit decisions, and what `beside` writes, in one synced transaction."""
        rows, seq, chain = [], self.seq, self.chain
        for decision in decisions:
            seq += 1
            command = cbor2.dumps(records.encode(decision.command), canonical=True)
            events = records.encode_all(decision.events)
            chain = next_chain(chain, seq, command, events)
            rows.append((seq, decision.command.now_ms, command, events, chain))

        def work(db: sqlite3.Connection) -> None:
            db.executemany("INSERT INTO tx VALUES (?, ?, ?, ?, ?)", rows)
            for decision in decisions:
                keep_holdings(db, decision.events)
                keep_last_position(db, decision.command, decision.events)
            if beside is not None:
                beside(db)

        await self._store.commit(work)
        self.seq, self.chain = seq, chain


def rows(db: sqlite3.Connection, after: int = 0) -> Iterator[Row]:
    """Transactions in order."""
    found = db.execute(
        "SELECT seq, command, events, chain FROM tx WHERE seq > ? ORDER BY seq", (after,)
    )
    for seq, command, events, chain in found:
        yield Row(seq, command, events, chain)


def _replayed(db: sqlite3.Connection) -> tuple[Board, int, bytes]:
    board, seq, chain = Board(), 0, CHAIN_START
    for row in rows(db):
        for event in row.decision().events:
            apply(board, event)
        seq, chain = row.seq, row.chain
    return board, seq, chain


def _newest_ms(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT at_ms FROM tx ORDER BY seq DESC LIMIT 1").fetchone()
    return 0 if found is None else int(found[0])


def spec(value: object) -> bytes:
    """Small structures kept in a column."""
    return cbor2.dumps(plain(value), canonical=True)
