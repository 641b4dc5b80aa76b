"""Takes a new identities document from its folder: journal first, then the broker's lists.

The matcher's own key list changes in the same transaction as the journal; the broker's access list
and revocation list follow it, written whole and replaced at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from matcher.centre_keys import CentreKeys, Documents
from matcher.core.access_list import access_list
from matcher.core.commands import TakeIdentities
from matcher.engine import Engine
from matcher.registry import Registry
from runtime.faults import ConfigFault, StoreFull
from runtime.log import Log
from runtime.store import atomic_write

LOOK_S = 1.0
_WATCHED = ("trust.cbor", "identities.cbor", "crl.pem")


class IdentitiesTask:
    """Holds the documents in force; `on_change` gets the registry of each new version."""

    def __init__(
        self,
        folder: Path,
        broker: Path | None,
        fleet: str,
        keys: CentreKeys,
        engine: Engine,
        on_change: Callable[[Registry], None],
        log: Log,
    ) -> None:
        self._folder, self._broker, self._fleet, self._keys = folder, broker, fleet, keys
        self._engine, self._on_change, self._log = engine, on_change, log
        self._seen: tuple[float, ...] = ()
        self.documents: Documents | None = None

    async def take_first(self) -> None:
        """At start; raises ConfigFault where the documents are missing or refused."""
        self._seen = self._stamps()
        await self._take(self._load())

    async def run(self) -> None:
        """Look for a change once a second; a bad document is said and the last good one holds."""
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

        command = TakeIdentities(
            self._engine.now_ms(), document.version, hashlib.sha256(message).digest(),
            registry.active_terminals(),
        )  # fmt: skip
        await self._engine.run(command, beside=keep)
        self.documents = documents
        self._on_change(registry)
        self._write_lists(documents)
        self._log.info(
            "identities", version=document.version, terminals=len(registry.terminals),
            managers=len(registry.managers),
        )  # fmt: skip

    def _write_lists(self, documents: Documents) -> None:
        if self._broker is None:
            return
        crl = self._folder / "crl.pem"
        if crl.exists():
            _replace(self._broker / "crl.pem", crl.read_bytes())
        _replace(self._broker / "acl", access_list(documents.identities).encode())


def _replace(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        atomic_write(path, content, 0o640)
