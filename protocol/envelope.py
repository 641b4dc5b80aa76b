"""The one envelope: COSE_Sign1 (RFC 9052 section 4.2), untagged, Ed25519 (alg -19, RFC 9864).

    [ protected: bstr, {}, payload: bstr, signature: bstr .size 64 ]
    protected  {1: -19, 4: kid, -65537: kind}; for a position {1: -19}: its topic fixes the rest
    aad        ["outrider/1", kind, bound_to, enrolment id]

`bound_to` is the topic, or the fleet's name for documents that an offline role seals once for all
(trust, identities, configuration, codebook); their enrolment id is empty. The enrolment id is that
of the terminal or manager named in the topic, whichever side seals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import cbor2

from protocol import cbor
from protocol.keys import KID_BYTES, SIGNATURE_BYTES, VerifyKey
from protocol.refusal import Reason, Refused

ALG_ED25519: Final = -19
_LABEL_KIND: Final = -65537
_VERSION: Final = "outrider/1"
_POSITION_PROTECTED: Final = bytes.fromhex("a10132")  # {1: -19}
_POSITION_HEAD: Final = b"\x84\x43" + _POSITION_PROTECTED + b"\xa0"
_SIGNATURE_HEAD: Final = b"\x58\x40"


class Kind(StrEnum):
    """What a message is; stands in the protected header and in the aad."""

    POSITION = "position"
    BATCH = "batch"
    BIRTH = "birth"
    WILL = "will"
    DISPATCH = "dispatch"
    WELCOME = "welcome"
    RECEIPT = "receipt"
    REQUEST = "request"
    REPLY = "reply"
    TRUST = "trust"
    IDENTITIES = "identities"
    CONFIGURATION = "configuration"
    CODEBOOK = "codebook"
    ROSTER = "roster"
    PICTURE = "picture"
    ENROL = "enrol"
    EVIDENCE = "evidence"
    RENEWAL = "renewal"
    CERTIFICATE = "certificate"


DOCUMENT_KINDS: Final = frozenset({Kind.TRUST, Kind.IDENTITIES, Kind.CONFIGURATION, Kind.CODEBOOK})


class Signer(Protocol):
    """Who can seal: a key in memory, later one in a token."""

    @property
    def kid(self) -> bytes: ...
    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A message whose seal holds."""

    kind: Kind
    kid: bytes
    payload: bytes


def aad(kind: Kind, bound_to: str, enrolment: bytes) -> bytes:
    """External additional data of a message."""
    return cbor.encode([_VERSION, kind.value, bound_to, enrolment])


def _bytes(data: bytes) -> bytes:
    return cbor2.dumps(data)


def _signature_prefix(protected: bytes, external: bytes) -> bytes:
    """Sig_structure up to the payload (RFC 9052 section 4.4)."""
    return b"\x84" + cbor2.dumps("Signature1") + _bytes(protected) + _bytes(external)


def seal(kind: Kind, bound_to: str, enrolment: bytes, payload: bytes, key: Signer) -> bytes:
    """Seal `payload`; the same input and key give the same bytes."""
    if kind is Kind.POSITION:
        protected = cbor.encode({1: ALG_ED25519})
    else:
        protected = cbor.encode({1: ALG_ED25519, 4: key.kid, _LABEL_KIND: kind.value})
    body = _bytes(payload)
    signature = key.sign(_signature_prefix(protected, aad(kind, bound_to, enrolment)) + body)
    return b"\x84" + _bytes(protected) + b"\xa0" + body + _SIGNATURE_HEAD + signature


def peek(message: bytes, bytes_max: int = cbor.MESSAGE_BYTES_MAX) -> tuple[Kind, bytes]:
    """Kind and key id that a message claims, before its seal is checked; raises Refused."""
    kind, kid, _, _, _ = _take_apart(message, bytes_max)
    return kind, kid


def open_sealed(
    message: bytes,
    *,
    kinds: frozenset[Kind],
    bound_to: str,
    enrolment: bytes,
    key_for: Callable[[Kind, bytes], VerifyKey | None],
    bytes_max: int = cbor.MESSAGE_BYTES_MAX,
) -> Opened:
    """Check structure, kind, key and seal, in this order; raises Refused.

    `key_for(kind, kid)` gives the key that may seal this kind, or None.
    """
    kind, kid, protected, body, signature = _take_apart(message, bytes_max)
    if kind not in kinds:
        raise Refused(Reason.WRONG_KIND, f"{kind} where {', '.join(sorted(kinds))} belongs")
    key = key_for(kind, kid)
    if key is None:
        raise Refused(Reason.UNKNOWN_KEY, f"no key {kid.hex()} for {kind}")
    external = aad(kind, bound_to, enrolment)
    if not key.verifies(signature, _signature_prefix(protected, external) + body):
        raise Refused(Reason.BAD_SEAL, f"{kind}: signature does not fit key {kid.hex()}")
    _, payload = cbor.read_bytes(body, 0, "payload")
    return Opened(kind, kid, payload)


def _take_apart(message: bytes, bytes_max: int) -> tuple[Kind, bytes, bytes, bytes, bytes]:
    """(kind, kid, protected, payload with its head, signature); raises Refused."""
    if len(message) > bytes_max:
        raise Refused(Reason.TOO_LARGE, f"{len(message)} bytes; at most {bytes_max}")
    if not message or message[0] != 0x84:
        raise Refused(Reason.MALFORMED, "not an untagged COSE_Sign1")
    at, protected = cbor.read_bytes(message, 1, "protected header")
    if message[at : at + 1] != b"\xa0":
        raise Refused(Reason.MALFORMED, "unprotected header is not empty")
    start = at + 1
    at, _ = cbor.read_bytes(message, start, "payload")
    body = message[start:at]
    at, signature = cbor.read_bytes(message, at, "signature")
    if at != len(message) or len(signature) != SIGNATURE_BYTES:
        raise Refused(Reason.MALFORMED, "signature is not 64 bytes at the end")
    kind, kid = _header(protected)
    return kind, kid, protected, body, signature


def _header(protected: bytes) -> tuple[Kind, bytes]:
    if len(protected) > 64:
        raise Refused(Reason.MALFORMED, "protected header too long")
    header = cbor.decode(protected)
    if not isinstance(header, dict) or 1 not in header:
        raise Refused(Reason.MALFORMED, "protected header names no algorithm")
    if type(header[1]) is not int or header[1] != ALG_ED25519:
        raise Refused(Reason.WRONG_ALGORITHM, f"algorithm {header[1]!r:.20}; -19 only")
    if protected == _POSITION_PROTECTED:
        return Kind.POSITION, b""
    kid, kind = header.get(4), header.get(_LABEL_KIND)
    if header.keys() != {1, 4, _LABEL_KIND} or not isinstance(kid, bytes) or len(kid) != KID_BYTES:
        raise Refused(Reason.MALFORMED, "protected header must hold algorithm, kid and kind")
    if not isinstance(kind, str) or kind not in Kind.__members__.values():
        raise Refused(Reason.WRONG_KIND, f"unknown kind {kind!r:.40}")
    if cbor.encode({1: ALG_ED25519, 4: kid, _LABEL_KIND: kind}) != protected:
        raise Refused(Reason.MALFORMED, "protected header: a label is no integer")
    return Kind(kind), kid


class PositionOpener:
    """Opens one terminal's positions; what is constant is made once (hot path)."""

    __slots__ = ("_keys", "_prefix")

    def __init__(self, topic: str, enrolment: bytes, keys: tuple[VerifyKey, ...]) -> None:
        external = aad(Kind.POSITION, topic, enrolment)
        self._prefix = _signature_prefix(cbor.encode({1: ALG_ED25519}), external)
        self._keys = keys[:2]  # the old and the new one of a rotation

    def open(self, message: bytes) -> bytes:
        """Payload of a sealed position; raises Refused."""
        if len(message) > 256:
            raise Refused(Reason.TOO_LARGE, f"{len(message)} bytes; a position has at most 256")
        signed = message[6:-66]
        if message[:6] != _POSITION_HEAD or message[-66:-64] != _SIGNATURE_HEAD:
            _take_apart(message, 256)  # names what is wrong
            raise Refused(Reason.WRONG_KIND, "not a position")
        at, payload = cbor.read_bytes(signed, 0, "payload")
        if at != len(signed):
            raise Refused(Reason.MALFORMED, "bytes between payload and signature")
        signature, structure = message[-64:], self._prefix + signed
        for key in self._keys:
            if key.verifies(signature, structure):
                return payload
        raise Refused(Reason.BAD_SEAL, "position: signature fits no key of this terminal")


def keys_by_kid(keys: Mapping[bytes, VerifyKey]) -> Callable[[Kind, bytes], VerifyKey | None]:
    """`key_for` that does not look at the kind."""
    return lambda _kind, kid: keys.get(kid)
