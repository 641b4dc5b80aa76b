"""The approval that travels back to the device, as a file. Pure.

    [fleet, name, TLS certificate (DER), root (DER), trust document (sealed by the root), proof]

`proof` is an HMAC under the one-time code over all of it and the request's digest: only who issued
the code can have made it, so the device may take this root for its fleet's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

from cryptography import x509

from authority import certificates, codes
from protocol import cbor
from protocol.fields import octets, plain, record, text
from protocol.identities import Trust, open_trust
from protocol.keys import VerifyKey
from protocol.names import common_name
from protocol.refusal import Reason, Refused
from runtime.key_files import common_name_of, enrolment_of, fingerprint_of, public_key_of

APPROVAL_BYTES_MAX: Final = 16384
_CERTIFICATE_BYTES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Approval:
    """The payload, in wire order."""

    fleet: str
    device: str
    certificate: bytes
    root: bytes
    trust: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """What the device remembers of its own request until the approval comes."""

    fleet: str
    device: str
    code_key: bytes
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class Installed:
    """An approval that fits the device's own request and keys."""

    certificate: x509.Certificate
    root: x509.Certificate
    trust: Trust
    trust_message: bytes

    @property
    def enrolment(self) -> bytes:
        return enrolment_of(self.certificate)

    @property
    def root_fingerprint(self) -> str:
        return codes.digits_of(fingerprint_of(self.root))


_der = octets(size_max=_CERTIFICATE_BYTES_MAX)
_decode = record(Approval, text(31), text(31), _der, _der, _der, octets(32))
_decode_pending = record(Pending, text(31), text(31), octets(32), octets(32))


def make(pending: Pending, certificate: bytes, root: bytes, trust: bytes) -> bytes:
    """The approval of one request; the same input gives the same bytes."""
    bare = Approval(pending.fleet, pending.device, certificate, root, trust, b"")
    return cbor.encode(plain(replace(bare, proof=_proof(pending, bare))))


def open_approval(message: bytes, pending: Pending, tls_public: bytes) -> Installed:
    """Check that it answers our request, fits our key and hangs together; raises Refused."""
    approval = _decode(cbor.decode(message, APPROVAL_BYTES_MAX), "approval")
    if (approval.fleet, approval.device) != (pending.fleet, pending.device):
        detail = f"approval for {approval.fleet}.{approval.device}"
        raise Refused(Reason.WRONG_ROLE, f"{detail}, asked for {pending.fleet}.{pending.device}")
    if not codes.fits(approval.proof, _proof(pending, approval)):
        detail = "approval: not from the authority that gave the code, or not for this request"
        raise Refused(Reason.BAD_SEAL, detail)
    root = certificates.load_der(approval.root, "approval.root")
    certificates.check_root(root)
    certificate = certificates.load_der(approval.certificate, "approval.certificate")
    certificates.check_issued(certificate, root, "approval.certificate")
    if public_key_of(certificate) != tls_public:
        raise Refused(Reason.WRONG_ROLE, "approval: the certificate is for another key than ours")
    if common_name_of(certificate) != common_name(pending.fleet, pending.device):
        detail = f"approval: the certificate is for {common_name_of(certificate)}"
        raise Refused(Reason.WRONG_ROLE, detail)
    trust = open_trust(approval.trust, pending.fleet, VerifyKey(public_key_of(root)))
    return Installed(certificate, root, trust, approval.trust)


def pending_for(fleet: str, device: str, code: str, request: bytes) -> Pending:
    """Raises Refused(malformed) for a bad code."""
    digest = hashlib.sha256(request).digest()
    return Pending(fleet, device, codes.code_key(fleet, device, code), digest)


def encode_pending(pending: Pending) -> bytes:
    return cbor.encode(plain(pending))


def decode_pending(data: bytes) -> Pending:
    """Raises Refused."""
    return _decode_pending(cbor.decode(data), "pending")


def _proof(pending: Pending, approval: Approval) -> bytes:
    fields = [pending.fleet, pending.device, pending.request_digest]
    parts = [approval.certificate, approval.root, approval.trust]
    return codes.proof(pending.code_key, "approval", *fields, *parts)
