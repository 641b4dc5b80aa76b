"""A codebook is offered to the centre: taken where it may follow the one in force, else told.

Called by `decide` for TakeCodebook. Running orders keep what they were issued with.
"""

from __future__ import annotations

from matcher.core import events as ev
from matcher.core.book import book_of, digest_of
from matcher.core.commands import TakeCodebook
from matcher.core.draft import Draft
from protocol.codebook_change import compare
from protocol.codebook_fault import WrongCodebook

REFUSED = "codebook_refused"
TEXT_CHARACTERS_MAX = 300


def take_codebook(draft: Draft, command: TakeCodebook) -> None:
    """The first is taken as it is; a further one must keep what journals name."""
    held, digest = draft.board.book, digest_of(command.text)
    if digest == held.digest and held.is_journaled:
        return
    try:
        offered = book_of(command.text)
    except WrongCodebook as cause:
        _tell(draft, digest, str(cause))
        return
    if digest != held.digest:
        faults = compare(held.codes, offered.codes).faults
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            _tell(draft, digest, f"version {offered.version}: {faults[0]}{more}")
            return
    draft.emit(ev.CodebookTaken(draft.now_ms, offered.version, digest, command.text))


def _tell(draft: Draft, digest: bytes, why: str) -> None:
    draft.alert(
        REFUSED, digest.hex()[:16],
        f"version {draft.board.book.version} stays in force; {why}"[:TEXT_CHARACTERS_MAX],
    )  # fmt: skip
