"""The codebook as a sealed document: the text travels, and only upright ones are opened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import cbor, codebook, envelope
from protocol.codebook import DOCUMENT_BYTES_MAX, CodebookDocument
from protocol.codebook_fault import WrongCodebook
from protocol.codebook_shipped import shipped, shipped_text
from protocol.envelope import Kind, keys_by_kid
from protocol.fields import plain
from protocol.keys import VerifyKey
from protocol.refusal import Reason, Refused
from tests.protocol.codebooks import SMALL, small
from tests.protocol.samples import CENTRE_KEY, FLEET, NOW_MS, OTHER_KEY

KEY_FOR = keys_by_kid({CENTRE_KEY.kid: VerifyKey(CENTRE_KEY.public)})
DOCUMENT = codebook.document(FLEET, SMALL, NOW_MS)


def test_there_and_back() -> None:
    for text, book in ((SMALL, small()), (shipped_text(), shipped())):
        made = codebook.document(FLEET, text, NOW_MS)
        sealed = codebook.seal(made, CENTRE_KEY)
        assert sealed == codebook.seal(made, CENTRE_KEY)
        assert len(sealed) <= DOCUMENT_BYTES_MAX
        assert codebook.open_codebook(sealed, FLEET, KEY_FOR) == (made, book)
        assert made.version == book.version


def test_the_text_travels_as_it_was_written() -> None:
    text = SMALL + "# 备注\r\n"
    made = codebook.document(FLEET, text, NOW_MS)
    opened, _ = codebook.open_codebook(codebook.seal(made, CENTRE_KEY), FLEET, KEY_FOR)
    assert opened.text == text
    assert opened.digest != DOCUMENT.digest


def test_nothing_wrong_is_made_into_a_document() -> None:
    with pytest.raises(WrongCodebook, match="version: is missing"):
        codebook.document(FLEET, SMALL.replace("version = 3", ""), NOW_MS)
    with pytest.raises(Refused, match="fleet"):
        codebook.document("Not A Name", SMALL, NOW_MS)


@pytest.mark.parametrize(
    ("payload", "reason", "detail"),
    [
        (cbor.encode([FLEET, 3, NOW_MS]), Reason.MALFORMED, "codebook: [.*an array of 4"),
        (cbor.encode([FLEET, 0, NOW_MS, SMALL]), Reason.OUT_OF_RANGE, "codebook.version: 0"),
        (cbor.encode([FLEET, 4, NOW_MS, SMALL]), Reason.MALFORMED, "version 4 outside, 3 in the"),
        (cbor.encode(["A B", 3, NOW_MS, SMALL]), Reason.MALFORMED, "codebook.fleet: 'A B' is no"),
        (cbor.encode([FLEET, 3, NOW_MS, "x = 1"]), Reason.MALFORMED, "codebook: x: is no known"),
        (cbor.encode([FLEET, 3, NOW_MS, b"x"]), Reason.MALFORMED, "codebook.text: b'x', wanted a"),
        (cbor.encode([FLEET, 3, NOW_MS, "#" * 60_001]), Reason.MALFORMED, "codebook.text: "),
        (cbor.encode([FLEET, 3, NOW_MS, "字" * 20_001]), Reason.MALFORMED, "is too large (60003 b"),
        (b"\x00" * (DOCUMENT_BYTES_MAX + 1), Reason.TOO_LARGE, "at most 65536"),
    ],
    ids=["short", "zero", "other", "fleet", "no-codebook", "bytes", "long", "wide", "huge"],
)
def test_a_wrong_payload_is_refused(payload: bytes, reason: Reason, detail: str) -> None:
    with pytest.raises(Refused) as caught:
        codebook.decode(payload)
    assert caught.value.reason is reason
    assert detail.partition("[")[0] in caught.value.detail
    assert detail.rpartition(".*")[2] in caught.value.detail


@given(st.binary(max_size=200))
def test_whatever_comes_is_refused(payload: bytes) -> None:
    with pytest.raises(Refused):
        codebook.decode(payload)


def test_another_fleets_another_key_another_kind() -> None:
    sealed = codebook.seal(DOCUMENT, CENTRE_KEY)
    cases = [
        (sealed, "elsewhere", Reason.BAD_SEAL),
        (codebook.seal(DOCUMENT, OTHER_KEY), FLEET, Reason.UNKNOWN_KEY),
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), FLEET, Reason.BAD_SEAL),
        (
            envelope.seal(Kind.CONFIGURATION, FLEET, b"", codebook.encode(DOCUMENT), CENTRE_KEY),
            FLEET, Reason.WRONG_KIND,
        ),
        (_bound_elsewhere(), FLEET, Reason.WRONG_ROLE),
        (sealed + b"\x00" * DOCUMENT_BYTES_MAX, FLEET, Reason.TOO_LARGE),
    ]  # fmt: skip
    for message, fleet, reason in cases:
        with pytest.raises(Refused) as caught:
            codebook.open_codebook(message, fleet, KEY_FOR)
        assert caught.value.reason is reason


def _bound_elsewhere() -> bytes:
    """Sealed for our fleet, but the document inside names another."""
    other = CodebookDocument("elsewhere", 3, NOW_MS, SMALL)
    return envelope.seal(Kind.CODEBOOK, FLEET, b"", cbor.encode(plain(other)), CENTRE_KEY)
