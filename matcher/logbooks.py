"""Terminals' batches into the journal, and the receipts that follow each commit.

One transaction holds the entries, the chain's new state and what the entries mean for the board.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from matcher.core.answers import matters
from matcher.core.chain_state import ChainState, Join, bridged, heads_of, join
from matcher.core.commands import EntryCame, RaiseAlert
from matcher.engine import Engine
from matcher.journal import logbooks as tables
from matcher.journal.logbooks import Arrived, DigestDiffers
from matcher.journal.witnesses import keep_receipt
from matcher.refusals import Refusals
from matcher.registry import TerminalPeer
from protocol import cbor, envelope, logbook
from protocol import entry as entries
from protocol.cbor import BATCH_BYTES_MAX
from protocol.envelope import Kind, Signer, keys_by_kid
from protocol.pruned import Pruned
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
        self.on_entries: Callable[[TerminalPeer, Mapping[int, entries.Entry]], None] = (
            lambda _peer, _entries: None
        )
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
        state = _bound(self.state(peer, head.logbook), peer, head)
        after, verdict = join(state, head, heads_of(head, opened.batch.items))
        if verdict is Join.TWIN and state.is_held:
            await self._take_twin(peer, message, opened, after, now_ms)
        elif verdict is not Join.FULL:
            try:
                await self._commit(peer, opened, state, after, now_ms)
            except DigestDiffers:
                after = replace(state, is_held=True)
                await self._take_twin(peer, message, opened, after, now_ms)
            self.on_entries(peer, opened.entries)
        self.send_receipt(peer, head.logbook)

    def send_receipt(self, peer: TerminalPeer, logbook_id: bytes) -> None:
        """The current receipt; duplicates are answered too."""
        sealed = self._sealed_receipt(peer, self.state(peer, logbook_id))
        self._publish(peer.topic_order, sealed, key=f"receipt/{logbook_id.hex()}")

    def _sealed_receipt(self, peer: TerminalPeer, state: ChainState) -> bytes:
        payload = logbook.encode_receipt(state.receipt())
        return envelope.seal(Kind.RECEIPT, peer.topic_order, peer.enrolment, payload, self._key)

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
        after, alerts = self._bridged(peer, opened, after, now_ms)

        receipt = self._sealed_receipt(peer, after)

        def keep(db: sqlite3.Connection) -> None:
            known = tables.known_numbers(db, arrived)
            tables.keep_batch(db, arrived, after, [n for n in new if n not in known])
            keep_receipt(db, head.logbook, after.n, receipt, now_ms)

        commands = [self._command(peer, opened, n, now_ms) for n in new if self._acts(opened, n)]
        if after.is_held and not state.is_held:
            alerts = [self.twin_alert(peer, now_ms)]
        await self._engine.run(*commands, *alerts, beside=keep)
        self._chains[head.logbook] = (peer.enrolment, after)
        self.entries_taken += len(new)

    def twin_alert(self, peer: TerminalPeer, now_ms: int) -> RaiseAlert:
        """Its unit is held with it: a person decides who stands where."""
        name, terminal = peer.identity.name, self._engine.board.terminals.get(peer.enrolment)
        unit = None if terminal is None else terminal.unit
        text = f"{name}: two terminals write one logbook; take one out of service"
        return RaiseAlert(now_ms, f"twin-terminal-{name}", "twin_terminal", unit, text)

    def _bridged(
        self, peer: TerminalPeer, opened: _Opened, state: ChainState, now_ms: int
    ) -> tuple[ChainState, list[RaiseAlert]]:
        """A terminal says that we once knew more: people are told, and what nobody holds any more
        is stepped over."""
        told: list[RaiseAlert] = []
        for one in opened.entries.values():
            if not isinstance(one.body, Pruned) or state.is_held:
                continue
            receipt = self._own_receipt(peer, state.logbook, one.body)
            if receipt is not None and receipt.n > state.n:
                term = self._engine.board.term
                told.append(_restored_alert(peer, state.n, receipt.n, term, now_ms))
            if one.body.last > state.n:
                proven = receipt is not None and receipt.n >= one.body.last
                told.append(_lost_alert(peer, state.n, one.body.last, now_ms, is_proven=proven))
                state = bridged(state, one.body.last, one.body.head)
        return state, told

    def _own_receipt(
        self, peer: TerminalPeer, logbook_id: bytes, pruned: Pruned
    ) -> logbook.Receipt | None:
        """The receipt that our present key gave: sealed again it is the same."""
        try:
            payload = bytes(cbor.array(cbor.decode(pruned.proof), 4, "proof")[2] or b"")
            receipt = logbook.decode_receipt(payload)
        except Refused:
            return None
        again = envelope.seal(Kind.RECEIPT, peer.topic_order, peer.enrolment, payload, self._key)
        return receipt if again == pruned.proof and receipt.logbook == logbook_id else None

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

        await self._engine.run(*sos, self.twin_alert(peer, now_ms), beside=keep)
        self._chains[after.logbook] = (peer.enrolment, after)


def _bound(state: ChainState, peer: TerminalPeer, head: logbook.Head) -> ChainState:
    """h(0) of a new logbook: it names the key that was in use when it began, old or new."""
    if state.n or head.first != 1:
        return state
    starts = (
        logbook.chain_start(state.logbook, peer.enrolment, public) for public in peer.identity.keys
    )
    return replace(state, head=head.head_before) if head.head_before in starts else state


def _is_known(state: ChainState, n: int) -> bool:
    return n <= state.n or any(span.first <= n <= span.last for span in state.spans)


def _restored_alert(
    peer: TerminalPeer, known_n: int, receipt_n: int, term: int, now_ms: int
) -> RaiseAlert:
    text = (
        f"{peer.identity.name} holds our receipt for {receipt_n} entries, this journal knows"
        f" {known_n}: it is an older copy"
    )
    return RaiseAlert(now_ms, f"restored-journal-{term}", "restored_journal", None, text)


def _lost_alert(
    peer: TerminalPeer, known_n: int, last: int, now_ms: int, *, is_proven: bool
) -> RaiseAlert:
    name = peer.identity.name
    proof = "its receipt proves it" if is_proven else "no receipt of the present key proves it"
    text = f"{name}: entries {known_n + 1} to {last} are lost here and pruned there; {proof}"
    return RaiseAlert(now_ms, f"entries-lost-{name}-{last}", "entries_lost", None, text)
