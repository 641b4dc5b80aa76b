"""The codebook that the centre hands on: taken upward only, kept over restarts, in use at once.

Sealed by the role `configuration` and bound to the fleet; opened by the uplink. Its text is read
again here by the same rules as where it was sealed. Wired by `agent.upkeep`; read by the screen's
state and by the device socket.
"""

from typing import Final

from pydantic import BaseModel

from agent.core import codes
from agent.logbook_file import Change
from agent.seals import Seals
from agent.terminal import Terminal
from protocol import codebook
from protocol.codebook import CodebookDocument
from protocol.codebook_model import Codebook
from protocol.entry import Configured
from protocol.envelope import Kind
from protocol.refusal import Reason, Refused
from runtime.log import get_log

log = get_log("codebook")

META: Final = "codebook"


class Codes:
    """`book` is None until the centre has handed one on."""

    def __init__(self, terminal: Terminal, seals: Seals, kept: object) -> None:
        """`kept`: the store's row; one that cannot be read (any more) is asked for anew."""
        self._terminal, self._seals = terminal, seals
        self._held: CodebookDocument | None = None
        self.book: Codebook | None = None
        if isinstance(kept, bytes):
            try:
                self._use(*codebook.decode(kept))
            except Refused as refused:
                log.error("codebook_unreadable", reason=str(refused), effect="codes are shown")

    async def take(self, payload: bytes) -> None:
        """A codebook whose seal holds. Raises Refused, StoreFull."""
        found, book = codebook.decode(payload)
        if found.fleet != self._seals.fleet:
            raise Refused(Reason.WRONG_ROLE, f"codebook of fleet {found.fleet}")
        if self._held is not None and found.digest == self._held.digest:
            return
        if self._held is not None and found.version <= self._held.version:
            detail = f"codebook {found.version} after {self._held.version}"
            raise Refused(Reason.STALE_VERSION, detail)
        entry = self._terminal.entry(Configured(Kind.CODEBOOK.value, found.version))
        await self._terminal.commit(lambda _n: Change((entry,), meta={META: payload}))
        self._use(found, book)
        log.info("codebook", version=found.version)
        self._terminal.changed()

    def check(self, command: BaseModel) -> None:
        """Raises CrewRefused for a code that is none."""
        codes.check(self.book, command)

    def _use(self, document: CodebookDocument, book: Codebook) -> None:
        self._held, self.book = document, book
        self._seals.codebook_version = document.version
