"""The codebook as it travels: its TOML text in a document of role `configuration`, one a version.

Bound to the fleet, as trust and identities are. The text travels, not a table made of it: what a
person wrote, checked and signed is what a terminal reads, and its hash is the same everywhere.
Pure. Callers: authority (seals), matcher (journals, sends), agent (opens, shows names).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from protocol import cbor, envelope
from protocol.codebook_fault import WrongCodebook
from protocol.codebook_model import Codebook
from protocol.codebook_reading import TEXT_BYTES_MAX, read
from protocol.envelope import Kind, Signer
from protocol.fields import U32, integer, plain, record, text, time_ms
from protocol.identities import KeyFor
from protocol.names import name
from protocol.refusal import Reason, Refused

DOCUMENT_BYTES_MAX: Final = cbor.BATCH_BYTES_MAX


@dataclass(frozen=True, slots=True)
class CodebookDocument:
    """The payload, in wire order."""

    fleet: str
    version: int  # the same as in the text
    issued_ms: int
    text: str  # TOML

    @property
    def digest(self) -> bytes:
        """What journals and screens name the text by."""
        return hashlib.sha256(self.text.encode()).digest()


_decode = record(CodebookDocument, text(31), integer(1, U32), time_ms, text(TEXT_BYTES_MAX))


def document(fleet: str, written: str, issued_ms: int) -> CodebookDocument:
    """A document of a text; raises WrongCodebook, so that nothing wrong is ever sealed."""
    return CodebookDocument(name(fleet, "fleet"), read(written).version, issued_ms, written)


def encode(one: CodebookDocument) -> bytes:
    return cbor.encode(plain(one))


def decode(payload: bytes) -> tuple[CodebookDocument, Codebook]:
    """The document and the codebook in it; raises Refused."""
    found: CodebookDocument = _decode(cbor.decode(payload, DOCUMENT_BYTES_MAX), "codebook")
    name(found.fleet, "codebook.fleet")
    try:
        book = read(found.text)
    except WrongCodebook as cause:
        raise Refused(Reason.MALFORMED, f"codebook: {cause!s:.200}") from cause
    if book.version != found.version:
        detail = f"codebook: version {found.version} outside, {book.version} in the text"
        raise Refused(Reason.MALFORMED, detail)
    return found, book


def seal(one: CodebookDocument, key: Signer) -> bytes:
    return envelope.seal(Kind.CODEBOOK, one.fleet, b"", encode(one), key)


def open_codebook(message: bytes, fleet: str, key_for: KeyFor) -> tuple[CodebookDocument, Codebook]:
    """Raises Refused."""
    opened = envelope.open_sealed(
        message,
        kinds=frozenset({Kind.CODEBOOK}),
        bound_to=fleet,
        enrolment=b"",
        key_for=key_for,
        bytes_max=DOCUMENT_BYTES_MAX,
    )
    found, book = decode(opened.payload)
    if found.fleet != fleet:
        raise Refused(Reason.WRONG_ROLE, f"document of fleet {found.fleet}, not {fleet}")
    return found, book
