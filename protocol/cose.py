"""Others' COSE_Sign1 (RFC 9052 section 4.2), tagged 18 or not, verified whatever made them.

    [ protected: bstr, unprotected: map, payload: bstr, signature: bstr .size 64 ]
    signed: ["Signature1", protected as it came, external aad, payload]   (section 4.4)

Algorithms: -8 EdDSA with Ed25519 keys, -19 Ed25519 (RFC 9864), -7 ES256 (r || s, RFC 9053 section
2.1). The key's kind fixes the algorithm, so that a header can only agree or be refused. Encodings
need not be deterministic, but definite, bounded, and each label there once. Our own messages take
the narrower way of protocol/envelope.py. Called by `outrider cose verify`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import cbor2
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from protocol import cbor
from protocol.keys import SIGNATURE_BYTES, VerifyKey
from protocol.refusal import Reason, Refused

MESSAGE_BYTES_MAX: Final = 16 << 20
HEADER_BYTES_MAX: Final = 65536
HEADS_MAX: Final = 4096

EDDSA, ED25519, ES256 = -8, -19, -7
ALGORITHMS: Final[Mapping[int, str]] = {EDDSA: "EdDSA", ED25519: "Ed25519", ES256: "ES256"}

_ALG, _CRIT, _CONTENT_TYPE, _KID = 1, 2, 3, 4
_UNDERSTOOD: Final = frozenset({_ALG, _CRIT, _CONTENT_TYPE, _KID})
_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_SIGN1_TAG: Final = 18
_OTHER_TAGS: Final[Mapping[int, str]] = {
    16: "COSE_Encrypt0", 17: "COSE_Mac0", 61: "a CWT", 96: "COSE_Encrypt", 97: "COSE_Mac",
    98: "COSE_Sign", 55799: "self-described CBOR",
}  # fmt: skip
_NULL: Final = b"\xf6"

Label: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class Es256Key:
    """A P-256 public key; the library has checked that it lies on the curve."""

    _key: EllipticCurvePublicKey = field(repr=False)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """`signature` is r || s, 32 bytes each."""
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            self._key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


Key: TypeAlias = VerifyKey | Es256Key


@dataclass(frozen=True, slots=True)
class Verified:
    """A message whose signature holds."""

    algorithm: int
    is_algorithm_protected: bool  # False: only the key's kind vouches for it
    kid: bytes | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Parts:
    protected: bytes
    payload: bytes
    signature: bytes
    algorithm: Label | None
    is_algorithm_protected: bool
    kid: bytes | None


def key_from_pem(pem: bytes) -> Key:
    """The public key in `pem`; raises Refused for anything but Ed25519 and P-256."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise Refused(Reason.MALFORMED, "not a PEM public key") from cause
    if isinstance(key, Ed25519PublicKey):
        return VerifyKey(key.public_bytes_raw())
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return Es256Key(key)
    kind = type(key).__name__.replace("PublicKey", "").lstrip("_")
    raise Refused(Reason.WRONG_ALGORITHM, f"{kind} key; wanted Ed25519 or P-256")


def key_from_hex(text: str) -> VerifyKey | None:
    """An Ed25519 key from its 64 hex digits; None where `text` is something else."""
    return VerifyKey(bytes.fromhex(text)) if re.fullmatch(r"[0-9A-Fa-f]{64}", text) else None


def sig_structure(protected: bytes, external_aad: bytes, payload: bytes) -> bytes:
    """What is signed; an empty protected map counts as no bytes at all (section 4.4)."""
    signed = b"" if protected == b"\xa0" else protected
    return cbor2.dumps(["Signature1", signed, external_aad, payload])


def verify(message: bytes, key: Key, external_aad: bytes = b"") -> Verified:
    """Verify a COSE_Sign1 by `key`; raises Refused with the reason."""
    if len(message) > MESSAGE_BYTES_MAX:
        raise Refused(Reason.TOO_LARGE, f"{len(message)} bytes; at most {MESSAGE_BYTES_MAX}")
    parts = _take_apart(message)
    algorithm = _check_algorithm(parts.algorithm, key)
    if len(parts.signature) != SIGNATURE_BYTES:
        raise Refused(Reason.BAD_SEAL, f"signature of {len(parts.signature)} bytes, wanted 64")
    if not key.verifies(
        parts.signature, sig_structure(parts.protected, external_aad, parts.payload)
    ):
        raise Refused(Reason.BAD_SEAL, "signature does not fit key, headers, aad and payload")
    return Verified(algorithm, parts.is_algorithm_protected, parts.kid, parts.payload)


def _check_algorithm(algorithm: Label | None, key: Key) -> int:
    if algorithm is None:
        raise Refused(Reason.WRONG_ALGORITHM, "no header names an algorithm")
    if not isinstance(algorithm, int) or algorithm not in ALGORITHMS:
        known = ", ".join(f"{number} {name}" for number, name in ALGORITHMS.items())
        raise Refused(Reason.WRONG_ALGORITHM, f"algorithm {algorithm!r:.40}; known are {known}")
    if (algorithm == ES256) != isinstance(key, Es256Key):
        kind = "a P-256 key" if isinstance(key, Es256Key) else "an Ed25519 key"
        detail = f"algorithm {algorithm} {ALGORITHMS[algorithm]} with {kind}"
        raise Refused(Reason.WRONG_ALGORITHM, detail)
    return algorithm


def _take_apart(message: bytes) -> _Parts:
    at, major, number = _head(message, 0, "message")
    if major == _TAG:
        if number != _SIGN1_TAG:
            name = _OTHER_TAGS.get(number, "something else")
            raise Refused(Reason.WRONG_KIND, f"tag {number} is {name}; COSE_Sign1 is 18 or none")
        at, major, number = _head(message, at, "message")
    if major != _ARRAY or number != 4:
        raise Refused(Reason.MALFORMED, "not an array of four, as a COSE_Sign1 is")
    at, protected = _byte_string(message, at, "protected header")
    start, at = at, cbor.skip_item(message, at, heads_max=HEADS_MAX)
    unprotected = _header(message[start:at], "unprotected header")
    if message[at : at + 1] == _NULL:
        raise Refused(Reason.MALFORMED, "payload is detached; give the message with its payload")
    at, payload = _byte_string(message, at, "payload")
    at, signature = _byte_string(message, at, "signature")
    if at != len(message):
        raise Refused(Reason.MALFORMED, f"{len(message) - at} bytes behind the message")
    held = _protected_header(protected)
    both = held.keys() & unprotected.keys()
    if both:
        raise Refused(Reason.MALFORMED, f"header {min(both, key=str)!r:.40} is there twice")
    _check_critical(held, unprotected)
    headers = held | unprotected
    algorithm = _label(headers[_ALG], 0, "algorithm")[1] if _ALG in headers else None
    kid = _byte_string(headers[_KID], 0, "key id")[1] if _KID in headers else None
    return _Parts(protected, payload, signature, algorithm, _ALG in held, kid)


def _protected_header(protected: bytes) -> dict[Label, bytes]:
    if not protected:
        return {}
    cbor_end = cbor.skip_item(protected, 0, heads_max=HEADS_MAX)
    if cbor_end != len(protected):
        raise Refused(Reason.MALFORMED, "protected header: bytes behind the map")
    return _header(protected, "protected header")


def _header(data: bytes, place: str) -> dict[Label, bytes]:
    """Labels and undecoded values of a header map whose extent is known to be sound."""
    if len(data) > HEADER_BYTES_MAX:
        raise Refused(Reason.TOO_LARGE, f"{place}: {len(data)} bytes; at most {HEADER_BYTES_MAX}")
    at, major, count = _head(data, 0, place)
    if major != _MAP:
        raise Refused(Reason.MALFORMED, f"{place}: not a map")
    found: dict[Label, bytes] = {}
    for _ in range(count):
        at, label = _label(data, at, place)
        if label in found:
            raise Refused(Reason.MALFORMED, f"{place}: label {label!r:.40} is there twice")
        start, at = at, cbor.skip_item(data, at)
        found[label] = data[start:at]
    return found


def _check_critical(held: Mapping[Label, bytes], unprotected: Mapping[Label, bytes]) -> None:
    """RFC 9052 section 3.1: what is critical must be protected, there, and understood."""
    if _CRIT in unprotected:
        raise Refused(Reason.MALFORMED, "critical headers are listed unprotected")
    if _CRIT not in held:
        return
    at, major, count = _head(held[_CRIT], 0, "critical headers")
    if major != _ARRAY or count == 0:
        raise Refused(Reason.MALFORMED, "critical headers: not an array of labels")
    for _ in range(count):
        at, label = _label(held[_CRIT], at, "critical headers")
        if label not in _UNDERSTOOD:
            raise Refused(Reason.MALFORMED, f"critical header {label!r:.40} is not understood")
        if label not in held:
            raise Refused(Reason.MALFORMED, f"critical header {label!r:.40} is not protected")


def _label(data: bytes, at: int, place: str) -> tuple[int, Label]:
    """An integer or text: (next index, it)."""
    start, major, number = _head(data, at, place)
    if major == _UINT:
        return start, number
    if major == _NINT:
        return start, -1 - number
    if major != _TEXT or start + number > len(data):
        raise Refused(Reason.MALFORMED, f"{place}: neither integer nor text at byte {at}")
    try:
        return start + number, data[start : start + number].decode()
    except UnicodeDecodeError as cause:
        raise Refused(Reason.MALFORMED, f"{place}: text is not UTF-8 at byte {at}") from cause


def _byte_string(data: bytes, at: int, place: str) -> tuple[int, bytes]:
    start, major, size = _head(data, at, place)
    if major != _BYTES or start + size > len(data):
        raise Refused(Reason.MALFORMED, f"{place}: not a whole byte string at byte {at}")
    return start + size, data[start : start + size]


def _head(data: bytes, at: int, place: str) -> tuple[int, int, int]:
    """(next index, major type, number); shortest form is not asked for."""
    info = data[at] & 31 if at < len(data) else 31
    if info >= 28:
        raise Refused(Reason.MALFORMED, f"{place}: cut short or of indefinite length at byte {at}")
    if info < 24:
        return at + 1, data[at] >> 5, info
    size = 1 << (info - 24)
    if at + 1 + size > len(data):
        raise Refused(Reason.MALFORMED, f"{place}: cut short at byte {at}")
    return at + 1 + size, data[at] >> 5, int.from_bytes(data[at + 1 : at + 1 + size], "big")
