"""The enrolment request that travels from the device to the authority, as a file. Pure.

COSE_Sign1 of kind `enrol`, sealed by the new sealing key, bound to the fleet, no enrolment id:

    [fleet, name, made_ms, sealing public key, certificate request (PKCS #10 DER), code proof]

It shows that its maker holds both private keys and knew the one-time code; it holds neither the
keys nor the code. Its fingerprint is what two people compare.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from authority import certificates, codes
from protocol import cbor, envelope
from protocol.envelope import Kind
from protocol.fields import octets, plain, record, text, time_ms
from protocol.keys import SealKey, VerifyKey
from protocol.names import common_name, name
from protocol.refusal import Reason, Refused
from runtime.key_files import make_csr

_NO_ENROLMENT: Final = b""  # there is none yet


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """The payload, in wire order. `made_ms` is the device's clock and decides nothing."""

    fleet: str
    device: str
    made_ms: int
    seal_public: bytes
    csr: bytes
    code_proof: bytes


@dataclass(frozen=True, slots=True)
class OpenedRequest:
    """A request whose seal and certificate request hold; its code is still to be checked."""

    request: EnrolRequest
    tls_public: Ed25519PublicKey
    message: bytes

    def knows(self, code_key: bytes) -> bool:
        """Whether its maker had the code of `code_key`, for these very keys."""
        return codes.fits(self.request.code_proof, _code_proof(code_key, self.request))

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.message).digest()

    @property
    def fingerprint(self) -> str:
        return codes.fingerprint(self.message)


_decode = record(EnrolRequest, text(31), text(31), time_ms, octets(32), octets(), octets(32))


def make(
    fleet: str,
    device: str,
    code: str,
    tls_key: Ed25519PrivateKey,
    seal_key: SealKey,
    now_ms: int,
) -> bytes:
    """The sealed request; raises Refused(malformed) for a bad name or code."""
    csr = make_csr(tls_key, common_name(fleet, device))
    bare = EnrolRequest(fleet, device, now_ms, seal_key.public, csr, b"")
    code_proof = _code_proof(codes.code_key(fleet, device, code), bare)
    request = EnrolRequest(fleet, device, now_ms, seal_key.public, csr, code_proof)
    payload = cbor.encode(plain(request))
    return envelope.seal(Kind.ENROL, fleet, _NO_ENROLMENT, payload, seal_key)


def open_request(message: bytes, fleet: str) -> OpenedRequest:
    """Check form, names, both signatures; raises Refused."""
    claimed = _payload_of(message)
    if claimed.fleet != fleet:
        raise Refused(Reason.WRONG_ROLE, f"request for fleet {claimed.fleet}, this is {fleet}")
    key = VerifyKey(claimed.seal_public)
    envelope.open_sealed(
        message,
        kinds=frozenset({Kind.ENROL}),
        bound_to=fleet,
        enrolment=_NO_ENROLMENT,
        key_for=lambda _kind, kid: key if kid == key.kid else None,
    )
    tls_public = certificates.open_csr(claimed.csr, common_name(fleet, claimed.device))
    if tls_public.public_bytes_raw() == claimed.seal_public:
        raise Refused(Reason.WRONG_ROLE, "request: one key for TLS and sealing, wanted two")
    return OpenedRequest(claimed, tls_public, message)


def _payload_of(message: bytes) -> EnrolRequest:
    """The payload before its seal is checked: it names the key that must have sealed it."""
    parts = cbor.array(cbor.decode(message), 4, "request")
    if not isinstance(parts[2], bytes):
        raise Refused(Reason.MALFORMED, "request: no payload")
    request = _decode(cbor.decode(parts[2]), "request")
    name(request.fleet, "request.fleet")
    name(request.device, "request.device")
    return request


def _code_proof(code_key: bytes, request: EnrolRequest) -> bytes:
    fields = [request.fleet, request.device, request.made_ms, request.seal_public, request.csr]
    return codes.proof(code_key, "request", *fields)
