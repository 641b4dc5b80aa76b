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
from protocol.keys import SealKey, VerifyKey
from protocol.names import common_name
from protocol.refusal import Refused
from runtime.faults import ConfigFault
from runtime.files import read_small
from runtime.key_files import (
    common_name_of,
    dates_ms_of,
    enrolment_of,
    load_certificate,
    load_private,
    public_key_of,
)
from runtime.mqtt_types import PeerRefused

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


def peer_check(now: Callable[[], Now], floor_ms: Callable[[], int]) -> Callable[[bytes], None]:
    """Checks the dates of the broker's certificate, which TLS was told to leave alone.

    Both bounds with trusted time; without it only that it had not ended at the clock's floor.
    """

    def check(der: bytes) -> None:
        not_before_ms, not_after_ms = dates_ms_of(x509.load_der_x509_certificate(der))
        present = now()
        if present.trusted and present.utc_ms < not_before_ms:
            raise PeerRefused("the broker's certificate is not valid yet")
        if (present.utc_ms if present.trusted else floor_ms()) > not_after_ms:
            raise PeerRefused("the broker's certificate has expired")

    return check


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
