"""The authority's book: all that it knows, in one file that is replaced whole. Pure.

    [3, fleet, CRL number, [broker's hosts], identities, trust, [invitation], [certificate],
     [configuration], audit log's lines, its newest chain, codebook]

`identities` and `trust` are the documents' own encodings as byte strings. Everything that the
authority publishes follows from the book and its keys, so a crash between two published files is
mended by publishing again. Of a role's keys in `trust` the last one is in use. Books of form 1 end
after the certificates, of form 2 before the codebook.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from protocol import cbor, identities
from protocol.codebook import DOCUMENT_BYTES_MAX
from protocol.fields import integer, many, maybe, octets, plain, record, text, time_ms, uint, word
from protocol.identities import Identities, Identity, IdentityKind, Role, RoleKey, State, Trust
from protocol.refusal import Reason, Refused

BOOK_BYTES_MAX: Final = 1 << 26
CERTIFICATES_MAX: Final = 50_000
HOSTS_MAX: Final = 16
TAKE_OVER: Final = b"take-over"
CONFIGURATIONS_MAX: Final = 64
_FORM: Final = 3
_PARTS: Final = 12
_OLDER: Final[dict[int, tuple[int, list[object]]]] = {  # form: its parts, and what they lack
    1: (8, [[], 0, "", b""]),
    2: (11, [b""]),
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time code given out for one name. `used_by`: digest of the request that redeemed it."""

    device: str
    kind: IdentityKind
    person: str | None
    roles: tuple[str, ...]
    code_key: bytes
    expires_ms: int
    used_by: bytes | None


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate given out, kept until it ends by itself.

    `enrolment` is empty for a server, TAKE_OVER for a certificate of takeover.py.
    """

    device: str
    enrolment: bytes
    certificate: bytes  # DER
    not_after_ms: int
    revoked_ms: int | None


@dataclass(frozen=True, slots=True)
class Book:
    fleet: str
    crl_number: int
    hosts: tuple[str, ...]  # under which the broker is reached
    identities: Identities
    trust: Trust
    invitations: tuple[Invitation, ...]
    certificates: tuple[Issued, ...]
    configurations: tuple[bytes, ...] = ()  # payloads, each the newest for some terminal
    audit_lines: int = 0
    audit_chain: str = ""
    codebook: bytes = b""  # payload of the newest; empty: the shipped one holds

    def active(self, device: str) -> Identity | None:
        """The identity that holds this name now."""
        found = [
            one
            for one in self.identities.identities
            if one.name == device and one.state is State.ACTIVE
        ]
        return found[0] if found else None

    def invitation(self, device: str) -> Invitation | None:
        return next((one for one in self.invitations if one.device == device), None)

    def role_key(self, role: Role) -> RoleKey:
        """The one in use."""
        return next(key for key in reversed(self.trust.role_keys) if key.role is role)

    def newest_certificate(self, device: str) -> Issued:
        """Raises Refused where none is left."""
        for one in reversed(self.certificates):
            if one.device == device and one.enrolment != TAKE_OVER:
                return one
        raise Refused(Reason.UNKNOWN_SENDER, f"no certificate of {device} is in the book")


_invitation = record(
    Invitation, text(31), word(IdentityKind), maybe(text(64)), many(text(16), 8), octets(32),
    time_ms, maybe(octets(32)),
)  # fmt: skip
_issued = record(
    Issued, text(31), octets(size_max=16), octets(size_max=4096), time_ms, maybe(time_ms)
)
_hosts = many(text(253), HOSTS_MAX)
_invitations = many(_invitation, CERTIFICATES_MAX)
_certificates = many(_issued, CERTIFICATES_MAX)
_configurations = many(octets(size_max=cbor.MESSAGE_BYTES_MAX), CONFIGURATIONS_MAX)
_codebook = octets(size_max=DOCUMENT_BYTES_MAX)
_document = octets(size_max=identities.DOCUMENT_BYTES_MAX)


def encode(book: Book) -> bytes:
    parts: list[object] = [_FORM, book.fleet, book.crl_number, plain(book.hosts)]
    parts += [identities.encode(book.identities), identities.encode(book.trust)]
    parts += [plain(book.invitations), plain(book.certificates), plain(book.configurations)]
    return cbor.encode([*parts, book.audit_lines, book.audit_chain, book.codebook])


def decode(data: bytes) -> Book:
    """Raises Refused."""
    found = cbor.decode(data, BOOK_BYTES_MAX)
    if isinstance(found, list) and found and found[0] in _OLDER:
        count, lacking = _OLDER[found[0]]
        found = [_FORM, *found[1:], *lacking] if len(found) == count else found
    parts: list[Any] = cbor.array(found, _PARTS, "book")
    integer(_FORM, _FORM)(parts[0], "book.form")
    return Book(
        text(31)(parts[1], "book.fleet"),
        uint()(parts[2], "book.crl_number"),
        _hosts(parts[3], "book.hosts"),
        identities.decode_identities(_document(parts[4], "book.identities")),
        identities.decode_trust(_document(parts[5], "book.trust")),
        _invitations(parts[6], "book.invitations"),
        _certificates(parts[7], "book.certificates"),
        _configurations(parts[8], "book.configurations"),
        uint()(parts[9], "book.audit_lines"),
        text(64)(parts[10], "book.audit_chain"),
        _codebook(parts[11], "book.codebook"),
    )
