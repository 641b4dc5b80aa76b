"""Births and welcomes: which boot and connection of a terminal is the newest, and what it needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from matcher.core.commands import RaiseTerm
from matcher.engine import Engine
from matcher.logbooks import Logbooks
from matcher.registry import TerminalPeer
from protocol import envelope, session
from protocol.envelope import Kind, Signer
from protocol.session import Birth, Welcome
from runtime.store import Store


class PublishUrgent(Protocol):
    def __call__(self, topic: str, payload: bytes, *, urgent: bool = False) -> bool: ...


@dataclass(frozen=True, slots=True)
class Session:
    """The newest birth of an enrolment."""

    boot: int
    connection: int
    nonce: bytes


def load_sessions(db: sqlite3.Connection) -> dict[bytes, Session]:
    found = db.execute("SELECT enrolment, boot, connection, nonce FROM session")
    return {
        enrolment: Session(boot, connection, nonce) for enrolment, boot, connection, nonce in found
    }


class Sessions:
    """Answers each birth; a repeated one gets the same answer."""

    def __init__(
        self,
        sessions: dict[bytes, Session],
        store: Store,
        engine: Engine,
        logbooks: Logbooks,
        key: Signer,
        publish: PublishUrgent,
        trust: Callable[[], tuple[int, bytes]],
        repeat: Callable[[bytes], None],
    ) -> None:
        self._sessions, self._store, self._engine = sessions, store, engine
        self._logbooks, self._key, self._publish = logbooks, key, publish
        self._trust, self._repeat = trust, repeat

    async def welcome(self, peer: TerminalPeer, birth: Birth, now_ms: int) -> None:
        """Keep the session, then say welcome and repeat what is not shown delivered."""
        last = self._sessions.get(peer.enrolment)
        highest = _highest_boot(last, birth)
        if highest < birth.boot and (last is None or last.nonce != birth.nonce):
            new = Session(birth.boot, birth.connection, birth.nonce)
            await self._store.commit(lambda db: _keep(db, peer.enrolment, new, birth.logbook))
            self._sessions[peer.enrolment] = new
        terminal = self._engine.board.terminals.get(peer.enrolment)
        if terminal is not None and _is_ahead(birth, self._engine.board.term, terminal.counter):
            await self._engine.run(RaiseTerm(now_ms, birth.term))
        version, trust = self._trust()
        if birth.versions.trust < version:
            self._publish(peer.topic_order, trust, urgent=True)
        state = self._logbooks.state(peer, birth.logbook)
        welcome = Welcome(
            birth.nonce, now_ms, self._engine.board.term, highest, birth.logbook,
            state.n, state.head, terminal.logon if terminal else None,
        )  # fmt: skip
        sealed = envelope.seal(
            Kind.WELCOME, peer.topic_order, peer.enrolment, session.encode(welcome), self._key
        )
        self._publish(peer.topic_order, sealed, urgent=True)
        self._repeat(peer.enrolment)


def _is_ahead(birth: Birth, term: int, counter: int) -> bool:
    """Whether the terminal has seen numbers that this journal has not given."""
    return birth.term > term or (birth.term == term and birth.order_floor > counter)


def _highest_boot(last: Session | None, birth: Birth) -> int:
    """The boot that the terminal must be above: its own, where this birth was overtaken."""
    if last is None:
        return 0
    if birth.nonce == last.nonce or (birth.boot, birth.connection) > (last.boot, last.connection):
        return min(last.boot, birth.boot - 1)
    return last.boot


def _keep(db: sqlite3.Connection, enrolment: bytes, new: Session, logbook_id: bytes) -> None:
    db.execute(
        "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)",
        (enrolment, new.boot, new.connection, new.nonce, logbook_id),
    )
