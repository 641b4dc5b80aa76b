"""One-time codes and fingerprints: what people read out, type in and compare. Pure.

A code is 80 random bits in four groups of RFC 4648's base32 (no 0, 1, 8, 9, so nothing is misread).
The authority keeps `code_key`, from which the code cannot be had back; requests and approvals carry
HMACs under it, so neither file holds the code. A fingerprint is 20 digits (66 bits) of a SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final, TextIO

from protocol import cbor
from protocol.refusal import Reason, Refused

CODE_BYTES: Final = 10
_CODE_CHARACTERS: Final = 16
_GROUP: Final = 4
_MISREAD: Final = str.maketrans("018", "OIB", "- \t")
_FINGERPRINT_DIGITS: Final = 20
_DIGITS_OF_GROUP: Final = 5


def code_text(random: bytes) -> str:
    """`ABCD-EFGH-IJKL-MNOP` of CODE_BYTES random bytes."""
    return _grouped(base64.b32encode(random).decode("ascii"), _GROUP, "-")


def normal(code: str) -> str:
    """The code as it is hashed, whatever its case and grouping; raises Refused(malformed)."""
    characters = code.upper().translate(_MISREAD)
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    if len(characters) != _CODE_CHARACTERS or not set(characters) <= alphabet:
        # the value is a secret and stays out of the message
        raise Refused(Reason.MALFORMED, "code: wanted 16 letters and digits, as in ABCD-EFGH-…")
    return characters


def code_key(fleet: str, name: str, code: str) -> bytes:
    """Key of the HMACs: bound to fleet and name. 80 random bits need no slow hash."""
    fields = ["outrider/1", "enrolment code", fleet, name, normal(code)]
    return hashlib.sha256(cbor.encode(fields)).digest()


def proof(key: bytes, purpose: str, *fields: object) -> bytes:
    """HMAC-SHA256 over `fields`; `purpose` keeps one use from standing in for another."""
    return hmac.digest(key, cbor.encode(["outrider/1", purpose, *fields]), "sha256")


def fits(one: bytes, other: bytes) -> bool:
    """Equal, in constant time."""
    return hmac.compare_digest(one, other)


def fingerprint(data: bytes) -> str:
    """`12345 67890 12345 67890` of SHA-256 of `data`."""
    return digits_of(hashlib.sha256(data).digest())


def digits_of(digest: bytes) -> str:
    """A fingerprint of a digest that is there already."""
    number = int.from_bytes(digest, "big") % 10**_FINGERPRINT_DIGITS
    return _grouped(f"{number:0{_FINGERPRINT_DIGITS}}", _DIGITS_OF_GROUP, " ")


def same_fingerprint(shown: str, typed: str) -> bool:
    """Whether a person's typing means `shown`; spaces and hyphens do not count."""
    return "".join(typed.replace("-", " ").split()) == shown.replace(" ", "")


def typed_line(stream: TextIO) -> str:
    """One line that a person typed; raises Refused(malformed) for bytes that are no text."""
    try:
        return stream.readline().strip()
    except UnicodeDecodeError as cause:
        raise Refused(Reason.MALFORMED, "stdin: that is no text") from cause


def _grouped(text: str, size: int, between: str) -> str:
    return between.join(text[at : at + size] for at in range(0, len(text), size))
