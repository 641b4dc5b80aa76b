"""Group commit of the newest positions: at most 100 ms, then they show and decide."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from matcher.core.positions import PositionBook, Verified
from matcher.journal.witnesses import changed_counts, keep_positions
from matcher.registry import Registry
from protocol import position as positions
from protocol.refusal import Refused
from runtime.faults import StoreFull
from runtime.log import Log
from runtime.store import Store


def load_floors(db: sqlite3.Connection) -> dict[bytes, tuple[int, int]]:
    """Replay floors: what was taken before a restart stays taken."""
    found = db.execute("SELECT enrolment, boot, sequence FROM position")
    return {enrolment: (boot, sequence) for enrolment, boot, sequence in found}


class PositionTask:
    """Moves positions from `waiting` to `committed`."""

    def __init__(self, book: PositionBook, store: Store, interval_s: float, log: Log) -> None:
        self._book, self._store, self._interval_s, self._log = book, store, interval_s, log
        self.on_committed: Callable[[Sequence[bytes]], None] = lambda _: None

    def reload(self, kept: Iterable[tuple[bytes, bytes, int]], registry: Registry) -> None:
        """The last known positions of terminals that are still enrolled, as old as they are."""
        for enrolment, sealed, received_ms in kept:
            peer = registry.by_enrolment.get(enrolment)
            if peer is None:
                continue
            try:
                position = positions.decode(peer.opener.open(sealed))
            except Refused as refused:
                self._log.warning(
                    "position_unreadable", terminal=peer.identity.name, reason=str(refused)
                )
            else:
                name = peer.identity.name
                self._book.done({enrolment: Verified(name, position, sealed, received_ms)})

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            batch = self._book.take_waiting()
            if not batch:
                continue
            changed = changed_counts(batch, self._book.committed)
            try:
                await self._store.commit(partial(_keep, batch=batch, changed=changed))
            except StoreFull as full:
                self._log.limited("positions_not_kept", str(full), remedy="free space")
                continue
            self._book.done(batch)
            self.on_committed(list(batch))


def _keep(
    db: sqlite3.Connection, batch: dict[bytes, Verified], changed: list[tuple[bytes, Verified]]
) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)",
        [
            (enrolment, v.position.boot, v.position.sequence, v.sealed, v.received_ms)
            for enrolment, v in batch.items()
        ],
    )
    keep_positions(db, changed)
