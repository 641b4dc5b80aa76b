"""Takes a new identities document from its folder: journal first, then the broker's lists.

The matcher's own key list changes in the same transaction as the journal; the broker's access list
and revocation list follow it (`matcher.broker`).
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from matcher.broker.guard import BrokerGuard
from matcher.centre_keys import CentreKeys, Documents
from matcher.core.commands import TakeIdentities
from matcher.engine import Engine
from matcher.registry import Registry
from runtime.faults import ConfigFault, StoreFull
from runtime.log import Log

LOOK_S = 0.25
_WATCHED = ("trust.cbor", "identities.cbor")


class IdentitiesTask:
    """Holds the documents in force; `on_change` gets the registry of each new version."""

    def __init__(
        self,
        folder: Path,
        guard: BrokerGuard | None,
        fleet: str,
        keys: CentreKeys,
        engine: Engine,
        on_change: Callable[[Registry], None],
        log: Log,
    ) -> None:
        self._folder, self._guard, self._fleet, self._keys = folder, guard, fleet, keys
        self._engine, self._on_change, self._log = engine, on_change, log
        self._seen: tuple[float, ...] = ()
        self.documents: Documents | None = None

    async def take_first(self) -> None:
        """At start; raises ConfigFault where the documents are missing or refused."""
        self._seen = self._stamps()
        await self._take(self._load())
        if self._guard is not None:
            self._guard.write_first()

    async def run(self) -> None:
        """Look for a change; a bad document is said and the last good one holds."""
        while True:
            await asyncio.sleep(LOOK_S)
            stamps = self._stamps()
            if stamps == self._seen:
                continue
            try:
                await self._take(self._load())
            except (ConfigFault, StoreFull) as fault:
                self._log.limited("identities_refused", str(fault), effect="last good ones hold")
            else:
                self._seen = stamps

    def trust(self) -> tuple[int, bytes]:
        """Version and sealed document, as terminals get it."""
        assert self.documents is not None
        return self.documents.trust.version, self.documents.trust_message

    def _load(self) -> Documents:
        return Documents.load(self._folder, self._fleet, self._keys.root, self._engine.now_ms())

    def _stamps(self) -> tuple[float, ...]:
        paths = (self._folder / name for name in _WATCHED)
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)

    async def _take(self, documents: Documents) -> None:
        document, held = documents.identities, self._engine.board.identities_version
        if document.version < held:
            raise ConfigFault(
                self._folder / "identities.cbor", "is older than what holds",
                f"version {document.version}, holding {held}", "copy the newest document",
            )  # fmt: skip
        registry = Registry(document)
        message = documents.identities_message

        def keep(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT OR REPLACE INTO document VALUES ('identities', ?, ?)",
                (document.version, message),
            )
            db.execute(
                "INSERT OR REPLACE INTO document VALUES ('trust', ?, ?)",
                (documents.trust.version, documents.trust_message),
            )

        command = TakeIdentities(
            self._engine.now_ms(), document.version, hashlib.sha256(message).digest(),
            registry.active_terminals(),
        )  # fmt: skip
        await self._engine.run(command, beside=keep)
        self.documents = documents
        self._on_change(registry)
        if self._guard is not None:
            self._guard.take(documents.identities)
        self._log.info(
            "identities", version=document.version, terminals=len(registry.terminals),
            managers=len(registry.managers),
        )  # fmt: skip
