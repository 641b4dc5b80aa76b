"""The certificates of an export: root, trust and identities documents, and whose keys follow.

Certificates in the file never anchor themselves: the root in it counts as trusted only where it
is the one that whoever asks has from elsewhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from protocol.envelope import Kind
from protocol.evidence_records import IdentitiesDocument, Record, Root, TrustDocument
from protocol.evidence_verdict import Fault, Memo
from protocol.identities import (
    Identities,
    IdentityKind,
    State,
    Trust,
    open_identities,
    open_trust,
)
from protocol.keys import VerifyKey
from protocol.refusal import Reason, Refused


@dataclass(slots=True)
class Papers:
    """What the certificates of one file say, as far as they hold."""

    root: VerifyKey | None = None
    trusts: list[Trust] = field(default_factory=list)
    identities: list[Identities] = field(default_factory=list)

    def role_key(self, kind: Kind, kid: bytes, at_ms: int | None = None) -> VerifyKey | None:
        """The key of the role that seals `kind`, by any trust document of the file."""
        found = (trust.key_for(kind, kid, at_ms) for trust in self.trusts)
        return next((key for key in found if key is not None), None)

    def terminal_keys(self, device: str, enrolment: bytes) -> tuple[VerifyKey, ...]:
        """Keys under which the authority listed this terminal, oldest document first."""
        publics = [
            public
            for document in self.identities
            for one in document.identities
            if one.name == device
            and one.enrolment == enrolment
            and one.kind is IdentityKind.TERMINAL
            and one.state is State.ACTIVE
            for public in one.keys
        ]
        return tuple(VerifyKey(public) for public in dict.fromkeys(publics))


def root_key(certificate: bytes) -> VerifyKey:
    """The public key of a root certificate (DER) that sealed itself; raises Refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd encodings are refused below, not warned of
            found = x509.load_der_x509_certificate(certificate)
            key = found.public_key()
        if not isinstance(key, Ed25519PublicKey):
            raise Refused(Reason.WRONG_ALGORITHM, "root certificate is not for Ed25519")
        key.verify(found.signature, found.tbs_certificate_bytes)
        if found.public_bytes(Encoding.DER) != certificate:
            raise Refused(Reason.MALFORMED, "root certificate is not in its one encoding")
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as cause:
        raise Refused(Reason.MALFORMED, f"root certificate: {cause!s:.80}") from cause
    except InvalidSignature as cause:
        raise Refused(Reason.BAD_SEAL, "root certificate does not seal itself") from cause
    return VerifyKey(key.public_bytes_raw())


def read_papers(
    records: Sequence[Record | None], fleet: str | None, trusted: VerifyKey | None, memo: Memo
) -> tuple[Papers, list[Fault]]:
    """Open what can be opened; `trusted` replaces the root in the file. Faults in file order."""
    papers, faults = Papers(root=trusted), []
    for i, one in enumerate(records):
        try:
            _take(papers, one, fleet or "", trusted, memo)
        except Refused as refused:
            faults.append(Fault("certificate", None, str(refused), i))
    if not faults:
        for missing, what in (
            (papers.root is None, "no root certificate"),
            (not papers.trusts, "no trust document"),
            (not papers.identities, "no identities document"),
        ):
            if missing:
                faults.append(Fault("certificate", None, f"the file holds {what}"))
    return papers, faults


def _take(
    papers: Papers, one: Record | None, fleet: str, trusted: VerifyKey | None, memo: Memo
) -> None:
    match one:
        case Root(certificate=certificate):
            key = memo.ask(root_key, certificate)
            if trusted is not None and key.public != trusted.public:
                detail = f"root {key.kid.hex()} is not the trusted root {trusted.kid.hex()}"
                raise Refused(Reason.UNKNOWN_KEY, detail)
            if papers.root is not None and papers.root.public != key.public:
                raise Refused(Reason.UNKNOWN_KEY, "a second root")
            papers.root = key
        case TrustDocument(message=message):
            if papers.root is None:
                raise Refused(Reason.UNKNOWN_KEY, "trust document without a root before it")
            papers.trusts.append(memo.ask(open_trust, message, fleet, papers.root))
        case IdentitiesDocument(message=message):
            trusts = tuple(papers.trusts)
            papers.identities.append(memo.ask(_open_listed, message, fleet, trusts))
        case _:
            return


def _open_listed(message: bytes, fleet: str, trusts: tuple[Trust, ...]) -> Identities:
    papers = Papers(trusts=list(trusts))
    return open_identities(message, fleet, papers.role_key)
