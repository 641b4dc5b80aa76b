"""The centre's keys and signed documents, from the folder that the authority made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from protocol.identities import Identities, Trust, open_identities, open_trust
from protocol.keys import SealKey, VerifyKey
from protocol.names import common_name
from protocol.refusal import Refused
from runtime.faults import ConfigFault
from runtime.key_files import common_name_of, load_certificate, load_private, public_key_of


@dataclass(frozen=True, slots=True)
class CentreKeys:
    """Role keys of this matcher and the pinned root."""

    root: VerifyKey
    dispatch: SealKey
    receipt: SealKey

    @classmethod
    def load(cls, folder: Path, fleet: str, name: str) -> CentreKeys:
        """Raises ConfigFault naming the file; the certificate must be `name`'s in `fleet`."""
        certificate, wanted = folder / "tls.pem", common_name(fleet, name)
        found = common_name_of(load_certificate(certificate))
        if found != wanted:
            remedy = f"it should be {wanted}: correct fleet, name or files.keys"
            raise ConfigFault(certificate, "is somebody else's", found, remedy)
        root = load_certificate(folder / "root.pem")
        return cls(
            VerifyKey(public_key_of(root)),
            SealKey(load_private(folder / "dispatch.key")),
            SealKey(load_private(folder / "receipt.key")),
        )


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
            identities = open_identities(
                identities_message, fleet, lambda kind, kid: trust.key_for(kind, kid, now_ms)
            )
        except Refused as cause:
            raise _fault(folder / "identities.cbor", cause) from cause
        return cls(trust, trust_message, identities, identities_message)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as cause:
        raise ConfigFault(
            path, "cannot be read", cause.strerror, "copy it from the authority's centre folder"
        ) from cause


def _fault(path: Path, cause: Refused) -> ConfigFault:
    return ConfigFault(
        path, "is refused", str(cause), "take the document that this fleet's authority sealed"
    )
