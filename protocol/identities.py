"""Who there is: the `identities` document (role `enrolment`) and the `trust` document (the root).

Both are documents: sealed once, bound to the fleet's name, versioned, never going back. Terminals
pin the root only; `trust` lists the role keys and their validity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

from protocol import cbor, envelope
from protocol.envelope import Kind
from protocol.fields import many, maybe, octets, plain, record, text, time_ms, uint, word
from protocol.keys import VerifyKey, kid_of
from protocol.names import common_name
from protocol.refusal import Reason, Refused

KeyFor: TypeAlias = Callable[[Kind, bytes], VerifyKey | None]
DOCUMENT_BYTES_MAX: Final = 1 << 20
LAST_GOOD_MS: Final = 72 * 3_600_000  # an absent authority does not stop dispatch


class IdentityKind(StrEnum):
    TERMINAL = "terminal"
    MANAGER = "manager"
    MATCHER = "matcher"
    GATEWAY = "gateway"


class State(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"
    CLOSED = "closed"  # re-enrolled since


class Role(StrEnum):
    DISPATCH = "dispatch"
    RECEIPT = "receipt"
    EVIDENCE = "evidence"
    ENROLMENT = "enrolment"
    CONFIGURATION = "configuration"
    FIRMWARE = "firmware"


ROLE_OF_KIND: Final = {
    Kind.DISPATCH: Role.DISPATCH,
    Kind.WELCOME: Role.DISPATCH,
    Kind.ROSTER: Role.DISPATCH,
    Kind.PICTURE: Role.DISPATCH,
    Kind.REPLY: Role.DISPATCH,
    Kind.RECEIPT: Role.RECEIPT,
    Kind.EVIDENCE: Role.EVIDENCE,
    Kind.IDENTITIES: Role.ENROLMENT,
    Kind.CONFIGURATION: Role.CONFIGURATION,
    Kind.CODEBOOK: Role.CONFIGURATION,
    Kind.CERTIFICATE: Role.ENROLMENT,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """One line of the identities document. One identity holds one connection."""

    name: str  # device name; common name is fleet.name
    kind: IdentityKind
    person: str | None  # whom a manager's tool belongs to
    roles: tuple[str, ...]  # of that person
    enrolment: bytes
    state: State
    keys: tuple[bytes, ...]  # COSE public keys, at most two during a rotation
    tls_fingerprints: tuple[bytes, ...]  # SHA-256 of the certificates
    since_ms: int


@dataclass(frozen=True, slots=True)
class Identities:
    fleet: str
    version: int
    issued_ms: int
    identities: tuple[Identity, ...]

    def common_names(self, kind: IdentityKind) -> tuple[str, ...]:
        """Of the active ones, in order."""
        return tuple(
            common_name(self.fleet, one.name)
            for one in self.identities
            if one.kind is kind and one.state is State.ACTIVE
        )


@dataclass(frozen=True, slots=True)
class RoleKey:
    role: Role
    public_key: bytes
    not_before_ms: int
    not_after_ms: int


@dataclass(frozen=True, slots=True)
class Trust:
    fleet: str
    version: int
    issued_ms: int
    role_keys: tuple[RoleKey, ...]

    def key_for(self, kind: Kind, kid: bytes, now_ms: int | None) -> VerifyKey | None:
        """The role key that may seal `kind`; `now_ms` None: no trusted time yet, dates not asked.

        A role's newest key holds LAST_GOOD_MS past its end, so that an absent authority does not
        stop dispatch; one that has a successor ends when it says.
        """
        role = ROLE_OF_KIND.get(kind)
        grace_ms = LAST_GOOD_MS  # the last one listed of a role is its newest
        for one in reversed(self.role_keys):
            if one.role is not role:
                continue
            if kid_of(one.public_key) == kid and _holds(one, now_ms, grace_ms):
                return VerifyKey(one.public_key)
            grace_ms = 0
        return None

    def has_ended(self, kind: Kind, kid: bytes, now_ms: int | None) -> bool:
        """Whether `kid` may seal `kind` by its role, but not at `now_ms`: for the exact reason."""
        is_listed = self.key_for(kind, kid, None) is not None
        return is_listed and self.key_for(kind, kid, now_ms) is None


def _holds(key: RoleKey, now_ms: int | None, grace_ms: int) -> bool:
    return now_ms is None or key.not_before_ms <= now_ms <= key.not_after_ms + grace_ms


_identity = record(
    Identity, text(31), word(IdentityKind), maybe(text(64)), many(text(16), 8), octets(16),
    word(State), many(octets(32), 2), many(octets(32), 2), time_ms,
)  # fmt: skip
_decode_identities = record(Identities, text(31), uint(), time_ms, many(_identity, 20_000))
_role_key = record(RoleKey, word(Role), octets(32), time_ms, time_ms)
_decode_trust = record(Trust, text(31), uint(), time_ms, many(_role_key, 64))


def encode(document: Identities | Trust) -> bytes:
    return cbor.encode(plain(document))


def decode_identities(payload: bytes) -> Identities:
    """Raises Refused; keys are checked and enrolment ids are unique among the living."""
    found = _decode_identities(cbor.decode(payload, DOCUMENT_BYTES_MAX), "identities")
    seen: set[bytes] = set()
    for one in found.identities:
        for public in one.keys:
            VerifyKey(public)
        if one.state is not State.ACTIVE:
            continue
        if one.enrolment in seen:
            raise Refused(Reason.MALFORMED, f"identities: enrolment of {one.name} is there twice")
        seen.add(one.enrolment)
    return found


def decode_trust(payload: bytes) -> Trust:
    """Raises Refused; keys are checked."""
    found = _decode_trust(cbor.decode(payload), "trust")
    for one in found.role_keys:
        VerifyKey(one.public_key)
    return found


_Document = TypeVar("_Document", Trust, Identities)


def open_trust(message: bytes, fleet: str, root: VerifyKey) -> Trust:
    """Open a trust document by the pinned root; raises Refused."""
    opened = envelope.open_sealed(
        message,
        kinds=frozenset({Kind.TRUST}),
        bound_to=fleet,
        enrolment=b"",
        key_for=lambda _kind, kid: root if kid == root.kid else None,
    )
    return _of_fleet(decode_trust(opened.payload), fleet)


def open_identities(
    message: bytes, fleet: str, key_for: Callable[[Kind, bytes], VerifyKey | None]
) -> Identities:
    """Open an identities document by the enrolment role's key; raises Refused."""
    opened = envelope.open_sealed(
        message,
        kinds=frozenset({Kind.IDENTITIES}),
        bound_to=fleet,
        enrolment=b"",
        key_for=key_for,
        bytes_max=DOCUMENT_BYTES_MAX,
    )
    return _of_fleet(decode_identities(opened.payload), fleet)


def _of_fleet(document: _Document, fleet: str) -> _Document:
    if document.fleet != fleet:
        raise Refused(Reason.WRONG_ROLE, f"document of fleet {document.fleet}, not {fleet}")
    return document
