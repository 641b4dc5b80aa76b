"""Renewal of a certificate: what is asked, and what comes back. Pure.

The request is sealed by the present sealing key (kind `renewal`, bound to the terminal's own `link`
topic, for a manager's tool to its reply topic, and to the enrolment): it names the next sealing
key and carries a PKCS #10 request of the next TLS key. A terminal's travels as a logbook entry, so
it is lost no more than any other. The answer is sealed by role `enrolment` (kind `certificate`,
bound to the `order` or reply topic and the enrolment). Callers: agent, matcher, authority.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509

from protocol import cbor, envelope, topics
from protocol.envelope import Kind, Signer
from protocol.fields import octets, plain, record, text, time_ms, word
from protocol.identities import IdentityKind, KeyFor
from protocol.keys import check_public
from protocol.names import ENROLMENT_BYTES, name
from protocol.refusal import Reason, Refused

CSR_BYTES_MAX: Final = 512
CERTIFICATE_BYTES_MAX: Final = 2048


@dataclass(frozen=True, slots=True)
class RenewalRequest:
    """The payload, in wire order. `made_ms` is the asker's clock and decides nothing."""

    fleet: str
    device: str
    kind: IdentityKind
    enrolment: bytes
    made_ms: int
    seal_public: bytes  # the next sealing key
    csr: bytes  # PKCS #10, DER, signed by the next TLS key


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """The payload, in wire order: the certificate that the root issued, and for which keys."""

    fleet: str
    device: str
    kind: IdentityKind
    enrolment: bytes
    seal_public: bytes
    certificate: bytes  # DER


_decode_request = record(
    RenewalRequest, text(31), text(31), word(IdentityKind), octets(ENROLMENT_BYTES), time_ms,
    octets(32), octets(size_max=CSR_BYTES_MAX),
)  # fmt: skip
_decode_certificate = record(
    NewCertificate, text(31), text(31), word(IdentityKind), octets(ENROLMENT_BYTES), octets(32),
    octets(size_max=CERTIFICATE_BYTES_MAX),
)  # fmt: skip


def seal_request(request: RenewalRequest, key: Signer) -> bytes:
    payload, topic = cbor.encode(plain(request)), _asks_on(request)
    return envelope.seal(Kind.RENEWAL, topic, request.enrolment, payload, key)


def claimed(message: bytes) -> RenewalRequest:
    """The payload before its seal is checked: it says whose key must have sealed it."""
    parts = cbor.array(cbor.decode(message), 4, "renewal")
    if not isinstance(parts[2], bytes):
        raise Refused(Reason.MALFORMED, "renewal: no payload")
    found: RenewalRequest = _decode_request(cbor.decode(parts[2]), "renewal")
    name(found.fleet, "renewal.fleet")
    name(found.device, "renewal.device")
    check_public(found.seal_public)
    return found


def open_request(message: bytes, key_for: KeyFor) -> tuple[RenewalRequest, bytes]:
    """The request and the id of the key that sealed it; raises Refused."""
    request = claimed(message)
    opened = envelope.open_sealed(
        message,
        kinds=frozenset({Kind.RENEWAL}),
        bound_to=_asks_on(request),
        enrolment=request.enrolment,
        key_for=key_for,
    )
    return request, opened.kid


def seal_certificate(made: NewCertificate, key: Signer) -> bytes:
    payload = cbor.encode(plain(made))
    return envelope.seal(Kind.CERTIFICATE, _answered_on(made), made.enrolment, payload, key)


def open_certificate(
    message: bytes, whose: RenewalRequest | NewCertificate, key_for: KeyFor
) -> NewCertificate:
    """The answer to `whose` request; raises Refused where it is somebody else's."""
    opened = envelope.open_sealed(
        message,
        kinds=frozenset({Kind.CERTIFICATE}),
        bound_to=_answered_on(whose),
        enrolment=whose.enrolment,
        key_for=key_for,
    )
    return decode_certificate(opened.payload)


def decode_certificate(payload: bytes) -> NewCertificate:
    """Raises Refused."""
    found: NewCertificate = _decode_certificate(cbor.decode(payload), "certificate")
    return found


def decode_request(payload: bytes) -> RenewalRequest:
    """Raises Refused."""
    found: RenewalRequest = _decode_request(cbor.decode(payload), "renewal")
    return found


def claimed_certificate(message: bytes) -> NewCertificate:
    """Whose certificate a file says it is, before its seal is checked; raises Refused."""
    parts = cbor.array(cbor.decode(message), 4, "certificate")
    if not isinstance(parts[2], bytes):
        raise Refused(Reason.MALFORMED, "certificate: no payload")
    return decode_certificate(parts[2])


def load_der(data: bytes) -> x509.Certificate:
    """Raises Refused(malformed)."""
    try:
        return x509.load_der_x509_certificate(data)
    except ValueError as cause:
        raise Refused(Reason.MALFORMED, f"certificate: cannot be read: {cause!s:.80}") from cause


def _asks_on(one: RenewalRequest | NewCertificate) -> str:
    if one.kind is IdentityKind.TERMINAL:
        return topics.terminal(one.fleet, one.device, "link")
    return topics.reply(one.fleet, one.device)


def _answered_on(one: RenewalRequest | NewCertificate) -> str:
    if one.kind is IdentityKind.TERMINAL:
        return topics.terminal(one.fleet, one.device, "order")
    return topics.reply(one.fleet, one.device)
