"""Births and welcomes: which boot and connection of a terminal is the newest, and what it needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from matcher.core.commands import RaiseTerm
from matcher.engine import Engine
from matcher.logbooks import Logbooks
from matcher.registry import TerminalPeer
from protocol import envelope, session
from protocol.envelope import Kind, Signer
from protocol.session import Birth, Welcome
from runtime.store import Store

TWIN_WITHIN_MS: Final = 600_000


class PublishUrgent(Protocol):
    def __call__(self, topic: str, payload: bytes, *, urgent: bool = False) -> bool: ...


@dataclass(frozen=True, slots=True)
class Session:
    """The newest birth of an enrolment."""

    boot: int
    connection: int
    nonce: bytes
    logbook: bytes


def load_sessions(db: sqlite3.Connection) -> dict[bytes, Session]:
    found = db.execute("SELECT enrolment, boot, connection, nonce, logbook FROM session")
    return {enrolment: Session(*fields) for enrolment, *fields in found}


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
        self._overtaken: dict[bytes, tuple[bytes, int]] = {}  # nonce and time of the last birth
        self.on_birth: Callable[[TerminalPeer, Birth, bytes], None] = lambda *_: None

    async def welcome(self, peer: TerminalPeer, birth: Birth, now_ms: int, kid: bytes) -> None:
        """Keep the session, then say welcome and repeat what is not shown delivered.

        `kid`: of the key that sealed the birth.
        """
        last = self._sessions.get(peer.enrolment)
        highest = _highest_boot(last, birth)
        if highest < birth.boot and (last is None or last.nonce != birth.nonce):
            new = Session(birth.boot, birth.connection, birth.nonce, birth.logbook)
            await self._store.commit(lambda db: _keep(db, peer.enrolment, new))
            self._sessions[peer.enrolment] = new
        elif highest >= birth.boot:
            await self._overtook(peer, birth.nonce, now_ms)
        terminal = self._engine.board.terminals.get(peer.enrolment)
        if terminal is not None and _is_ahead(birth, self._engine.board.term, terminal.counter):
            await self._engine.run(RaiseTerm(now_ms, birth.term))
        version, trust = self._trust()
        if birth.versions.trust < version:
            self._publish(peer.topic_order, trust, urgent=True)
        self._say(peer, birth.nonce, birth.logbook, highest, now_ms)
        self._repeat(peer.enrolment)
        self.on_birth(peer, birth, kid)

    async def _overtook(self, peer: TerminalPeer, nonce: bytes, now_ms: int) -> None:
        """A card that was set back is overtaken once; two that share one are in turn."""
        last_nonce, last_ms = self._overtaken.get(peer.enrolment, (nonce, now_ms))
        self._overtaken[peer.enrolment] = nonce, now_ms
        if last_nonce != nonce and now_ms - last_ms < TWIN_WITHIN_MS:
            await self._engine.run(self._logbooks.twin_alert(peer, now_ms))

    def remind(self, peer: TerminalPeer, now_ms: int) -> None:
        """The newest welcome again: the terminal says where it is and what is under way.

        Where no birth is known, as after a restore, one that echoes nothing asks for it.
        """
        last = self._sessions.get(peer.enrolment)
        if last is not None:
            self._say(peer, last.nonce, last.logbook, last.boot - 1, now_ms)
        else:
            self._say(peer, session.NO_NONCE, bytes(session.NONCE_BYTES), 0, now_ms)

    def _say(
        self, peer: TerminalPeer, nonce: bytes, logbook: bytes, highest: int, now_ms: int
    ) -> None:
        """Raises Refused where the logbook is another enrolment's."""
        terminal = self._engine.board.terminals.get(peer.enrolment)
        state = self._logbooks.state(peer, logbook)
        welcome = Welcome(
            nonce, now_ms, self._engine.board.term, highest, logbook,
            state.n, state.head, terminal.logon if terminal else None,
        )  # fmt: skip
        sealed = envelope.seal(
            Kind.WELCOME, peer.topic_order, peer.enrolment, session.encode(welcome), self._key
        )
        self._publish(peer.topic_order, sealed, urgent=True)


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


def _keep(db: sqlite3.Connection, enrolment: bytes, new: Session) -> None:
    db.execute(
        "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?)",
        (enrolment, new.boot, new.connection, new.nonce, new.logbook),
    )
