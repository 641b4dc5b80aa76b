"""The centre's keys and signed documents, from the folder that the authority made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from protocol.envelope import Kind
from protocol.identities import (
    Identities,
    KeyFor,
    Role,
    Trust,
    open_identities,
    open_trust,
)
from protocol.keys import SealKey, VerifyKey
from protocol.names import common_name
from protocol.refusal import Reason, Refused
from runtime.faults import ConfigFault
from runtime.key_files import common_name_of, load_certificate, load_private, public_key_of


class RoleSigner:
    """The key that seals for one role now. Whoever seals holds this, so that all change at once."""

    def __init__(self, role: Role, key: SealKey) -> None:
        self.role, self._key = role, key

    @property
    def kid(self) -> bytes:
        return self._key.kid

    @property
    def public(self) -> bytes:
        return self._key.public

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def use(self, key: SealKey) -> None:
        """From the next seal on."""
        self._key = key


@dataclass(frozen=True, slots=True)
class CentreKeys:
    """Role keys of this matcher and the pinned root."""

    root: VerifyKey
    dispatch: RoleSigner
    receipt: RoleSigner

    @classmethod
    def load(cls, folder: Path, fleet: str, name: str) -> CentreKeys:
        """Raises ConfigFault naming the file; the certificate must be `name`'s in `fleet`."""
        certificate, wanted = folder / "tls.pem", common_name(fleet, name)
        own = load_certificate(certificate)
        if common_name_of(own) != wanted:
            remedy = f"it should be {wanted}: correct fleet, name or files.keys"
            raise ConfigFault(certificate, "is somebody else's", common_name_of(own), remedy)
        tls_key = load_private(folder / "tls.key")
        if tls_key.public_key().public_bytes_raw() != public_key_of(own):
            remedy = "take tls.key and tls.pem of one version of the authority's centre folder"
            raise ConfigFault(folder / "tls.key", "does not belong to tls.pem", None, remedy)
        root = load_certificate(folder / "root.pem")
        return cls(
            VerifyKey(public_key_of(root)),
            RoleSigner(Role.DISPATCH, load_role_key(folder, Role.DISPATCH)),
            RoleSigner(Role.RECEIPT, load_role_key(folder, Role.RECEIPT)),
        )

    @property
    def signers(self) -> tuple[RoleSigner, ...]:
        return self.dispatch, self.receipt


def role_key_file(folder: Path, role: Role) -> Path:
    return folder / f"{role}.key"


def load_role_key(folder: Path, role: Role) -> SealKey:
    """Raises ConfigFault: missing, empty, open to others, no key."""
    return SealKey(load_private(role_key_file(folder, role)))


@dataclass(frozen=True, slots=True)
class Documents:
    """Trust and identities as they lie in the folder, opened and checked."""

    trust: Trust
    trust_message: bytes
    identities: Identities
    identities_message: bytes

    @classmethod
    def load(cls, folder: Path, fleet: str, root: VerifyKey, now_ms: int) -> Documents:
        """Raises ConfigFault naming the file and the reason."""
        trust_message = _read(folder / "trust.cbor")
        identities_message = _read(folder / "identities.cbor")
        try:
            trust = open_trust(trust_message, fleet, root)
        except Refused as cause:
            raise _fault(folder / "trust.cbor", cause) from cause
        try:
            identities = open_identities(identities_message, fleet, role_keys(trust, now_ms))
        except Refused as cause:
            raise _fault(folder / "identities.cbor", cause) from cause
        return cls(trust, trust_message, identities, identities_message)


def role_keys(trust: Trust, now_ms: int) -> KeyFor:
    """`key_for` of a trust document at a time; an ended key is told from an unknown one."""

    def key_for(kind: Kind, kid: bytes) -> VerifyKey | None:
        if trust.has_ended(kind, kid, now_ms):
            raise Refused(Reason.EXPIRED, f"{kind}: its role key ended and holds no more")
        return trust.key_for(kind, kid, now_ms)

    return key_for


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise ConfigFault(
            path, "cannot be read", cause.strerror, "copy it from the authority's centre folder"
        ) from cause


def _fault(path: Path, cause: Refused) -> ConfigFault:
    remedy = "take the document that this fleet's authority sealed"
    if cause.reason is Reason.EXPIRED:
        remedy = "run `outrider authority rotate` and copy its centre folder here"
    return ConfigFault(path, "is refused", str(cause), remedy)
