"""A journal on disk with a whole incident in it: the core's decisions, terminals' sealed logbooks,
receipts, positions, documents. Written in one go, so that tests of exports and retention are fast.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from matcher.core import events as ev
from matcher.core.chain_state import ChainState
from matcher.core.commands import Command, EntryCame
from matcher.core.positions import Verified
from matcher.evidence.chapter import payload_of
from matcher.evidence.collect import Source, collect
from matcher.evidence.documents import load_shelf
from matcher.evidence.scope import Scope
from matcher.journal.journal import Decision, Journal
from matcher.journal.logbooks import Arrived, keep_batch
from matcher.journal.schema import SCHEMA
from matcher.journal.witnesses import keep_positions, keep_receipt
from protocol import entry as entries
from protocol import evidence, position
from protocol.evidence_check import examine
from protocol.evidence_records import (
    About,
    IdentitiesDocument,
    Record,
    Root,
    TrustDocument,
)
from protocol.evidence_verdict import Verdict
from protocol.logbook import Item, digest
from protocol.track import CODEC, TrackPoint, pack
from runtime.store import Store
from tests.matcher.fleet import FleetUnderTest, enrolment_of
from tests.protocol.export import FLEET, NOW_MS, Terminal, key, papers

UNITS: Final = ("621", "622")
ROOT: Final = "root"


@dataclass
class KeptJournal(FleetUnderTest):
    """As the fleet under test; `write` puts all that happened into a journal at `path`."""

    now_ms: int = NOW_MS
    decisions: list[Decision] = field(default_factory=list)
    batches: list[Arrived] = field(default_factory=list)
    terminals: dict[str, Terminal] = field(default_factory=dict)

    def terminal(self, unit: str) -> Terminal:
        if unit not in self.terminals:
            enrolment = enrolment_of(unit)
            self.terminals[unit] = Terminal(
                f"t-{unit}", enrolment, enrolment[::-1], key(unit), key(f"{ROOT} roles")
            )
        return self.terminals[unit]

    def do(self, command: Command) -> list[ev.Event]:
        before = len(self.commands)
        found = super().do(command)
        if found:
            self.decisions.append(Decision(self.commands[before], tuple(found)))
        return found

    def entry(self, unit: str, body: entries.Body) -> list[ev.Event]:
        n = self.entry_n[unit] = self.entry_n.get(unit, 0) + 1
        data = entries.encode(entries.Entry(self.now_ms, 3, 1, 1000 * n, 1, body))
        self.keep(unit, data)
        return self.do(EntryCame(self.now_ms, enrolment_of(unit), f"t-{unit}", n, data, ()))

    def keep(self, unit: str, *data: bytes) -> None:
        """A batch of entries that mean nothing to the board, or whose meaning is done elsewhere."""
        one = self.terminal(unit)
        head = one.append(*data)
        kinds = tuple(int(entries.decode(each).kind) for each in data)
        items = tuple(Item(digest(each), each) for each in data)
        self.batches.append(Arrived(one.enrolment, head, one.heads[-1], items, kinds, self.now_ms))

    def drive(self, unit: str, seconds: int) -> None:
        """A track at 1 Hz in entries of a minute; time goes on."""
        for start in range(0, seconds, 60):
            points = [
                TrackPoint(self.now_ms + 1000 * i, 24_513_000 + start + i, 117_647_000, 90, 0, 2, 0)
                for i in range(min(60, seconds - start))
            ]
            self.now_ms += 1000 * len(points)
            n = self.entry_n[unit] = self.entry_n.get(unit, 0) + 1
            body = entries.Track(CODEC, len(points), pack(points))
            self.keep(unit, entries.encode(
                entries.Entry(self.now_ms, 3, 1, 1000 * n, 1, body)
            ))  # fmt: skip

    def write(self, path: Path) -> None:
        """Everything, with one receipt and one position for each terminal's last entry."""
        with Store(path, SCHEMA) as store:
            asyncio.run(Journal(store).append(self.decisions, self._beside))

    def _beside(self, db: sqlite3.Connection) -> None:
        for arrived in self.batches:
            head = arrived.head
            state = ChainState(head.logbook, head.last, head.head_last)
            keep_batch(db, arrived, state, range(head.first, head.last + 1))
        for one in self.terminals.values():
            last = len(one.entries)
            keep_receipt(db, one.book, last, one.receipt(last).sealed, self.now_ms)
            sealed = one.position(last).sealed
            at = position.decode(payload_of(sealed))
            keep_positions(db, [(one.enrolment, Verified(one.device, at, sealed, self.now_ms))])
        _, trust, listed = papers(ROOT, *self.terminals.values())
        assert isinstance(trust, TrustDocument)
        assert isinstance(listed, IdentitiesDocument)
        db.execute("INSERT INTO document VALUES ('trust', 4, ?)", (trust.message,))
        db.execute("INSERT INTO document VALUES ('identities', 9, ?)", (listed.message,))


def records_of(db: sqlite3.Connection, scope: Scope) -> list[Record]:
    """An export's records."""
    root = papers(ROOT)[0]
    assert isinstance(root, Root)
    role = key(f"{ROOT} roles").verify_key
    shelf = load_shelf(db, b"", FLEET, key(ROOT).verify_key)
    about = About(
        FLEET, NOW_MS, "clerk", "test", scope.order, scope.incident, scope.from_ms, scope.to_ms,
        scope.units, 1, bytes(32),
    )  # fmt: skip
    return collect(Source(db, FLEET, root.certificate, shelf, role), scope, about, lambda _: None)


def judged(records: list[Record]) -> Verdict:
    sealed = evidence.seal(records, FLEET, key(f"{ROOT} roles"))
    return examine(sealed, key(ROOT).verify_key)
