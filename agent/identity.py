"""Who this terminal is, from the files that enrolment left; any fault stops the start.

root.pem (pinned), tls.key and tls.pem (the line), seal.key (the messages), trust.cbor (may be
absent: the centre sends it). Keys are never made anew here. Called by `agent.app`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from agent.core.now import Now
from agent.settings import AgentSettings
from protocol.identities import DOCUMENT_BYTES_MAX
from protocol.keys import PUBLIC_KEY_BYTES, SealKey, VerifyKey
from protocol.names import ENROLMENT_BYTES, common_name
from protocol.refusal import Refused
from runtime import key_renewal
from runtime.faults import ConfigFault, StoreFault
from runtime.files import read_small
from runtime.key_files import (
    common_name_of,
    dates_ms_of,
    enrolment_of,
    load_certificate,
    load_private,
    public_key_of,
)
from runtime.mqtt_types import LinkSettings, PeerRefused

SEAL_KEYS: Final = "seal_keys"  # row of the store's meta
DAY_MS: Final = 86_400_000
_ENROL: Final = "enrol again, or restore the folder"


@dataclass(frozen=True, slots=True)
class Identity:
    """Keys and paths of one terminal; `floor_ms`: no certificate here is younger."""

    enrolment: bytes
    seal_key: SealKey
    root: VerifyKey
    root_file: Path
    tls_file: Path
    tls_key_file: Path
    trust_document: bytes
    floor_ms: int


def load_identity(settings: AgentSettings) -> Identity:
    """Raises ConfigFault naming the file and the remedy."""
    folder = settings.keys.folder
    _finish_renewal(folder)
    root_file, tls_file, tls_key_file = folder / "root.pem", folder / "tls.pem", folder / "tls.key"
    root, tls = load_certificate(root_file), load_certificate(tls_file)
    _check_name(tls_file, tls, settings)
    tls_key, seal_key = load_private(tls_key_file), load_private(folder / "seal.key")
    if tls_key.public_key().public_bytes_raw() != public_key_of(tls):
        raise ConfigFault(tls_key_file, "does not belong to tls.pem", None, _ENROL)
    trust_file = folder / "trust.cbor"
    return Identity(
        enrolment=enrolment_of(tls),
        seal_key=SealKey(seal_key),
        root=_root_key(root_file, root),
        root_file=root_file,
        tls_file=tls_file,
        tls_key_file=tls_key_file,
        trust_document=read_small(trust_file, DOCUMENT_BYTES_MAX) if trust_file.exists() else b"",
        floor_ms=max(dates_ms_of(root)[0], dates_ms_of(tls)[0]),
    )


def link_settings(settings: AgentSettings) -> LinkSettings:
    """How to reach the broker, with the certificate as it lies in the folder at each connection."""
    broker, folder = settings.broker, settings.keys.folder
    return LinkSettings(
        host=broker.host,
        port=broker.port,
        client_id=f"{settings.fleet}.{settings.device}",
        ca_file=folder / "root.pem",
        cert_file=folder / "tls.pem",
        key_file=folder / "tls.key",
        server_name=broker.server_name,
        keepalive_s=broker.keepalive_s,
        connect_timeout_s=broker.connect_timeout_s,
        backoff_base_s=broker.backoff_base_s,
        backoff_cap_s=broker.backoff_cap_s,
        handshake_interval_s=broker.handshake_interval_s,
    )


def _finish_renewal(folder: Path) -> None:
    """What a crash left half done comes first, or the pair below would not fit together."""
    try:
        key_renewal.recover(folder)
    except StoreFault as fault:
        raise ConfigFault(folder, "cannot be brought up to date", str(fault), _ENROL) from fault


def check_seal_key(identity: Identity, folder: Path, kept: object) -> dict[str, object]:
    """Another key than this enrolment has sealed with so far is no key of it: the centre would
    refuse all that we say. `kept`: of the last start; the meta row to keep now. Raises ConfigFault.
    """
    known = kept if isinstance(kept, bytes) and kept.startswith(identity.enrolment) else b""
    if known and identity.seal_key.public not in _keys_in(known):
        what = "is not the key that this terminal's logbook is sealed with"
        kid = identity.seal_key.kid.hex()
        raise ConfigFault(folder / "seal.key", what, f"key id {kid}", _ENROL)
    return {} if known else seal_keys_row(identity.enrolment, identity.seal_key.public)


def seal_keys_row(enrolment: bytes, *public: bytes) -> dict[str, object]:
    """The keys that this enrolment seals with: two while they change."""
    return {SEAL_KEYS: b"".join((enrolment, *public))}


def _keys_in(known: bytes) -> list[bytes]:
    keys = known[ENROLMENT_BYTES:]
    return [keys[at : at + PUBLIC_KEY_BYTES] for at in range(0, len(keys), PUBLIC_KEY_BYTES)]


class BrokerCertificate:
    """Checks the dates of the broker's certificate, which TLS was told to leave alone.

    Both bounds with trusted time; without it only that it had not ended at the clock's floor.
    `ends_ms` is the end of the one that was seen last, None before the first.
    """

    def __init__(self, now: Callable[[], Now], floor_ms: Callable[[], int]) -> None:
        self._now, self._floor_ms = now, floor_ms
        self.ends_ms: int | None = None

    def check(self, der: bytes) -> None:
        """For the link, after each handshake; raises PeerRefused."""
        not_before_ms, self.ends_ms = dates_ms_of(x509.load_der_x509_certificate(der))
        present = self._now()
        if present.trusted and present.utc_ms < not_before_ms:
            raise PeerRefused("the broker's certificate is not valid yet")
        if (present.utc_ms if present.trusted else self._floor_ms()) > self.ends_ms:
            raise PeerRefused("the broker's certificate has expired")

    def figures(self) -> dict[str, int]:
        """For the health entry."""
        days = self.days_left()
        return {} if days is None else {"broker_certificate_days_left": days}

    def days_left(self) -> int | None:
        """Whole days to its end, 0 when it is past; None where it or the time is not known."""
        present = self._now()
        if self.ends_ms is None or not present.trusted:
            return None
        return max(0, (self.ends_ms - present.utc_ms) // DAY_MS)


def _check_name(path: Path, certificate: x509.Certificate, settings: AgentSettings) -> None:
    wanted, found = common_name(settings.fleet, settings.device), common_name_of(certificate)
    if found != wanted:
        remedy = f"set fleet and device to the certificate's, or enrol {wanted}"
        raise ConfigFault(path, f"is not the certificate of {wanted}", found, remedy)


def _root_key(path: Path, root: x509.Certificate) -> VerifyKey:
    try:
        return VerifyKey(public_key_of(root))
    except Refused as refused:
        raise ConfigFault(path, "holds a key that must not be used", refused.detail) from refused
