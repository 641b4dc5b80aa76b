"""Terminals' batches into the journal, and the receipts that follow each commit.

One transaction holds the entries, the chain's new state and what the entries mean for the board.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Protocol

from matcher.core.answers import matters
from matcher.core.chain_state import ChainState, Join, heads_of, join
from matcher.core.commands import EntryCame, RaiseAlert
from matcher.engine import Engine
from matcher.journal import logbooks as tables
from matcher.journal.logbooks import Arrived, DigestDiffers
from matcher.refusals import Refusals
from matcher.registry import TerminalPeer
from protocol import entry as entries
from protocol import envelope, logbook
from protocol.cbor import BATCH_BYTES_MAX
from protocol.envelope import Kind, Signer, keys_by_kid
from protocol.refusal import Reason, Refused

LOGBOOKS_MAX = 64  # of one enrolment; each re-begun logbook is an event of its own


class PublishReceipt(Protocol):
    def __call__(self, topic: str, payload: bytes, *, key: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Opened:
    """A batch whose seal and chain hold within itself."""

    head: logbook.Head
    batch: logbook.Batch
    entries: dict[int, entries.Entry]


class Logbooks:
    """Chain states of all logbooks; the journal's tables hold the same."""

    def __init__(
        self,
        engine: Engine,
        chains: dict[bytes, tuple[bytes, ChainState]],
        key: Signer,
        publish: PublishReceipt,
        refusals: Refusals,
    ) -> None:
        self._engine, self._chains = engine, chains
        self._key, self._publish, self._refusals = key, publish, refusals
        self.entries_taken = 0

    def state(self, peer: TerminalPeer, logbook_id: bytes) -> ChainState:
        """Where the centre stands with a logbook; a new one starts at h(0)."""
        owner, state = self._chains.get(logbook_id, (peer.enrolment, None))
        if owner != peer.enrolment:
            raise Refused(Reason.TWIN_TERMINAL, "logbook of another enrolment")
        if state is None:
            if sum(1 for e, _ in self._chains.values() if e == peer.enrolment) >= LOGBOOKS_MAX:
                raise Refused(Reason.TOO_LARGE, f"more than {LOGBOOKS_MAX} logbooks")
            first_key = peer.identity.keys[0]
            start = logbook.chain_start(logbook_id, peer.enrolment, first_key)
            state = ChainState(logbook_id, 0, start)
        return state

    async def take(self, peer: TerminalPeer, topic: str, message: bytes, now_ms: int) -> None:
        """Check, commit, receipt; raises Refused, or what the store raises."""
        opened = self._open(peer, topic, message)
        head = opened.head
        state = self.state(peer, head.logbook)
        after, verdict = join(state, head, heads_of(head, opened.batch.items))
        if verdict is Join.TWIN and state.is_held:
            await self._take_twin(peer, message, opened, after, now_ms)
        elif verdict is not Join.FULL:
            try:
                await self._commit(peer, opened, state, after, now_ms)
            except DigestDiffers:
                after = replace(state, is_held=True)
                await self._take_twin(peer, message, opened, after, now_ms)
        self.send_receipt(peer, head.logbook)

    def send_receipt(self, peer: TerminalPeer, logbook_id: bytes) -> None:
        """The current receipt; duplicates are answered too."""
        payload = logbook.encode_receipt(self.state(peer, logbook_id).receipt())
        sealed = envelope.seal(Kind.RECEIPT, peer.topic_order, peer.enrolment, payload, self._key)
        self._publish(peer.topic_order, sealed, key=f"receipt/{logbook_id.hex()}")

    def _open(self, peer: TerminalPeer, topic: str, message: bytes) -> _Opened:
        batch = logbook.decode_batch(message)
        opened = envelope.open_sealed(
            batch.sealed_head,
            kinds=frozenset({Kind.BATCH}),
            bound_to=topic,
            enrolment=peer.enrolment,
            key_for=keys_by_kid(peer.keys),
            bytes_max=BATCH_BYTES_MAX,
        )
        head = logbook.decode_head(opened.payload)
        logbook.check_joins(head, batch.items)
        return _Opened(head, batch, self._decoded(head, batch, topic))

    def _decoded(
        self, head: logbook.Head, batch: logbook.Batch, topic: str
    ) -> dict[int, entries.Entry]:
        """Entries that can be read; one that cannot is kept as it is, counted, and stops nobody."""
        found = {}
        for n, item in enumerate(batch.items, head.first):
            if item.data is not None:
                try:
                    found[n] = entries.decode(item.data)
                except Refused as refused:
                    self._refusals.count(refused, f"{topic} entry {n}")
        return found

    async def _commit(
        self,
        peer: TerminalPeer,
        opened: _Opened,
        state: ChainState,
        after: ChainState,
        now_ms: int,
    ) -> None:
        head, items = opened.head, opened.batch.items
        new = [n for n in range(head.first, head.last + 1) if not _is_known(state, n)]
        kinds = tuple(
            int(opened.entries[n].kind) if n in opened.entries else None
            for n in range(head.first, head.last + 1)
        )
        arrived = Arrived(peer.enrolment, head, opened.batch.sealed_head, items, kinds, now_ms)

        def keep(db: sqlite3.Connection) -> None:
            known = tables.known_numbers(db, arrived)
            tables.keep_batch(db, arrived, after, [n for n in new if n not in known])

        commands = [self._command(peer, opened, n, now_ms) for n in new if self._acts(opened, n)]
        alerts = [_twin_alert(peer, now_ms)] if after.is_held and not state.is_held else []
        await self._engine.run(*commands, *alerts, beside=keep)
        self._chains[head.logbook] = (peer.enrolment, after)
        self.entries_taken += len(new)

    @staticmethod
    def _acts(opened: _Opened, n: int) -> bool:
        return n in opened.entries and matters(opened.entries[n])

    @staticmethod
    def _command(peer: TerminalPeer, opened: _Opened, n: int, now_ms: int) -> EntryCame:
        data = opened.batch.items[n - opened.head.first].data or b""
        return EntryCame(now_ms, peer.enrolment, peer.identity.name, n, data, ())

    async def _take_twin(
        self, peer: TerminalPeer, message: bytes, opened: _Opened, after: ChainState, now_ms: int
    ) -> None:
        """Two writers of one logbook: kept apart for a person; an SOS is acted on all the same."""
        refused = Refused(Reason.TWIN_TERMINAL, f"{peer.identity.name}: logbook held")
        self._refusals.count(refused, peer.topic_order)
        sos = [
            self._command(peer, opened, n, now_ms)
            for n, entry in opened.entries.items()
            if isinstance(entry.body, entries.DeviceEvent) and entry.body.name == "sos"
        ]

        def keep(db: sqlite3.Connection) -> None:
            tables.quarantine(db, peer.enrolment, Reason.TWIN_TERMINAL, message, now_ms)
            tables.keep_state(db, peer.enrolment, after)

        await self._engine.run(*sos, _twin_alert(peer, now_ms), beside=keep)
        self._chains[after.logbook] = (peer.enrolment, after)


def _is_known(state: ChainState, n: int) -> bool:
    return n <= state.n or any(span.first <= n <= span.last for span in state.spans)


def _twin_alert(peer: TerminalPeer, now_ms: int) -> RaiseAlert:
    name = peer.identity.name
    text = f"{name}: two terminals write one logbook; take one out of service"
    return RaiseAlert(now_ms, f"twin-terminal-{name}", "twin_terminal", None, text)
