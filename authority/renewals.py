"""Renewal of an enrolled name's certificate and keys: checked by the book alone. Pure.

The enrolment stays; the identity lists the key that asked and the new one, the two newest TLS
fingerprints. The same request again gives the same answer, so a lost file is only carried again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from authority import certificates
from authority.book import Book, Issued
from protocol import renewal
from protocol.identities import Identity
from protocol.keys import VerifyKey
from protocol.names import common_name
from protocol.refusal import Reason, Refused
from protocol.renewal import NewCertificate, RenewalRequest
from runtime.key_files import public_key_of


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that its identity's own key sealed."""

    request: RenewalRequest
    tls_public: Ed25519PublicKey
    identity: Identity
    asked_by: bytes  # the public key that sealed it
    again: bool  # answered before


def check(book: Book, message: bytes, *, older_key: bool = False) -> Checked:
    """Raises Refused with the reason and what to do."""
    claimed = renewal.claimed(message)
    if claimed.fleet != book.fleet:
        raise Refused(Reason.WRONG_ROLE, f"request for fleet {claimed.fleet}, this is {book.fleet}")
    identity = book.active(claimed.device)
    if identity is None or identity.enrolment != claimed.enrolment:
        detail = f"{claimed.device}: that enrolment is not active; enrol it with a new code"
        raise Refused(Reason.REVOKED, detail)
    if identity.kind is not claimed.kind:
        raise Refused(Reason.WRONG_ROLE, f"{claimed.device} is a {identity.kind}")
    keys = {key.kid: key for key in map(VerifyKey, identity.keys)}
    request, kid = renewal.open_request(message, lambda _kind, kid: keys.get(kid))
    tls_public = certificates.open_csr(request.csr, common_name(book.fleet, request.device))
    tls_raw, asked_by = tls_public.public_bytes_raw(), keys[kid].public
    if _is_answered(book, identity, request.seal_public, tls_raw):
        return Checked(request, tls_public, identity, asked_by, again=True)
    _check_fresh(book, identity, request.seal_public, tls_raw)
    if asked_by != identity.keys[-1] and not older_key:
        detail = f"{request.device}: asked by the older of its two keys; if it has lost the newer"
        raise Refused(Reason.UNKNOWN_KEY, f"{detail} one, add --older-key, else enrol it again")
    return Checked(request, tls_public, identity, asked_by, again=False)


def renew(book: Book, checked: Checked, issued: Issued, digest: bytes, now_ms: int) -> Book:
    """One version more, with old and new beside each other."""
    old = checked.identity
    new = replace(
        old,
        keys=(checked.asked_by, checked.request.seal_public),
        tls_fingerprints=(*old.tls_fingerprints, digest)[-2:],
    )
    document = book.identities
    listed = tuple(new if one is old else one for one in document.identities)
    identities = replace(
        document, version=document.version + 1, issued_ms=now_ms, identities=listed
    )
    return replace(book, identities=identities, certificates=(*book.certificates, issued))


def answers(book: Book) -> Iterator[NewCertificate]:
    """What is to be published: the newest certificate of each that has renewed."""
    newest = {one.enrolment: one for one in book.certificates}
    for identity in book.identities.identities:
        if book.active(identity.name) is identity and len(identity.keys) > 1:
            issued = newest.get(identity.enrolment)
            if issued is not None:
                yield NewCertificate(
                    book.fleet, identity.name, identity.kind, identity.enrolment,
                    identity.keys[-1], issued.certificate,
                )  # fmt: skip


def _is_answered(book: Book, identity: Identity, seal_public: bytes, tls_public: bytes) -> bool:
    newest = book.newest_certificate(identity.name)
    return identity.keys[-1] == seal_public and _key_of(newest) == tls_public


def _check_fresh(book: Book, identity: Identity, seal_public: bytes, tls_public: bytes) -> None:
    """Raises Refused for keys that somebody has, or had, already."""
    known = {key for one in book.identities.identities for key in one.keys}
    known |= {_key_of(one) for one in book.certificates}
    if seal_public in known or tls_public in known or seal_public == tls_public:
        detail = f"{identity.name}: those keys are known already; let it make a new request"
        raise Refused(Reason.REPLAYED, detail)


def _key_of(issued: Issued) -> bytes:
    return public_key_of(certificates.load_der(issued.certificate, "book"))
