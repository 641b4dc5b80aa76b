"""The fleet's codebook on its way: from the authority's folder into force, and to every terminal.

A sealed file is opened, offered to the core, which takes it or keeps the last good one and tells,
and handed on as it is to whoever says that it holds an older one: some a second, after everything
that is urgent. Called by `documents_task`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from matcher.centre_keys import role_keys
from matcher.core.commands import RaiseAlert, TakeCodebook
from matcher.core.take_book import REFUSED
from matcher.engine import Engine
from matcher.registry import Registry
from protocol.codebook import DOCUMENT_BYTES_MAX, CodebookDocument, open_codebook
from protocol.identities import Trust
from protocol.refusal import Refused
from protocol.repeats import DISPATCH
from runtime.clock import Clock
from runtime.faults import ConfigFault
from runtime.files import read_small
from runtime.log import Log

FILE: Final = "codebook.cbor"
SENDINGS_MAX: Final = 6
AT_ONCE_MAX: Final = 20  # of up to 64 KiB each a look, so that no order waits behind them
TEXT_CHARACTERS_MAX: Final = 300


class Send(Protocol):
    def __call__(self, topic: str, payload: bytes, *, urgent: bool = False) -> bool: ...


@dataclass(slots=True)
class _Known:
    """What a terminal has shown to hold."""

    version: int
    sendings: int = 0
    due_ms: int = 0


class Codebooks:
    """`look` once a second."""

    def __init__(
        self, folder: Path, fleet: str, engine: Engine, send: Send, clock: Clock, log: Log
    ) -> None:
        self._path, self._fleet, self._engine = folder / FILE, fleet, engine
        self._send, self._clock, self._log = send, clock, log
        self._stamp = 0
        self._given: tuple[CodebookDocument, bytes] | None = None
        self._offered = b""
        self._told: tuple[str, str] | None = None  # alert of a refused file, and why
        self._known: dict[bytes, _Known] = {}

    def born(self, enrolment: bytes, version: int) -> None:
        """A terminal's birth says what it holds."""
        self._known[enrolment] = _Known(version)

    def taken(self, enrolment: bytes, version: int) -> None:
        """A terminal's entry says what it took."""
        known = self._known.setdefault(enrolment, _Known(version))
        known.version = max(known.version, version)

    def forget(self) -> None:
        """Open the file again: there is a new trust document."""
        self._stamp = 0

    async def look(self, trust: Trust, registry: Registry) -> None:
        """Raises StoreFull: it is tried again."""
        self._read(trust)
        await self._offer()
        self._hand_on(registry)

    def _read(self, trust: Trust) -> None:
        try:
            stamp = self._path.stat().st_mtime_ns
        except OSError:
            return
        if stamp == self._stamp:
            return
        self._stamp = stamp
        message = b""
        try:
            message = read_small(self._path, DOCUMENT_BYTES_MAX)
            key_for = role_keys(trust, self._engine.now_ms())
            document, _ = open_codebook(message, self._fleet, key_for)
        except (Refused, ConfigFault) as cause:
            self._log.warning(
                "document_refused", file=self._path, reason=str(cause), effect="old one holds"
            )
            self._told = (
                f"codebook-refused-{hashlib.sha256(message).hexdigest()[:16]}",
                str(cause),
            )
            return
        self._given = (document, message)

    async def _offer(self) -> None:
        """What is not in force is decided on once; the journal keeps the text."""
        now_ms = self._engine.now_ms()
        if self._told is not None:
            alert, why = self._told
            text = f"version {self._engine.board.book.version} stays in force; {why}"
            await self._engine.run(
                RaiseAlert(now_ms, alert, REFUSED, None, text[:TEXT_CHARACTERS_MAX])
            )
            self._told = None
        if self._given is None or self._given[0].digest == self._offered:
            return
        document = self._given[0]
        await self._engine.run(TakeCodebook(now_ms, document.text))
        self._offered = document.digest
        is_taken = self._is_in_force(document)
        self._log.info("codebook", version=document.version, taken=is_taken)
        if is_taken:
            for known in self._known.values():
                known.sendings = known.due_ms = 0

    def _is_in_force(self, document: CodebookDocument) -> bool:
        return self._engine.board.book.digest == document.digest

    def _hand_on(self, registry: Registry) -> None:
        if self._given is None or not self._is_in_force(self._given[0]):
            return
        document, message = self._given
        now_ms, left = self._clock.monotonic_ms(), AT_ONCE_MAX
        for enrolment, known in self._known.items():
            peer = registry.by_enrolment.get(enrolment)
            is_due = known.due_ms <= now_ms and known.sendings < SENDINGS_MAX
            if peer is None or known.version >= document.version or not is_due or not left:
                continue
            left -= 1
            self._send(peer.topic_order, message)
            known.due_ms = now_ms + DISPATCH.delay_ms(known.sendings, 1.0)
            known.sendings += 1
