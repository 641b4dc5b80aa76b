"""A revocation list, opened with suspicion: what the broker would make of it is known beforehand.

mosquitto takes a list that it cannot read for none at all, stops delivering, and lets revoked
certificates in; with a list past its date, of another issuer or wrongly signed it lets nobody in
(decision 0016). So no such list may ever reach it. Callers: `lists`, `check_command`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from runtime.faults import ConfigFault

_BEGIN: Final = b"-----BEGIN X509 CRL-----"
_FETCH: Final = "run `outrider authority refresh` and carry centre/ over"


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One that the broker may be given."""

    pem: bytes
    number: int
    ends_ms: int
    serials: frozenset[int]


def open_list(path: Path, pem: bytes, root: x509.Certificate, now_ms: int) -> RevocationList:
    """Raises ConfigFault: no list, another issuer, wrong signature, outside its dates."""
    if pem.count(_BEGIN) != 1:
        raise ConfigFault(path, "is no revocation list", f"{len(pem)} bytes", _FETCH)
    try:
        crl = x509.load_pem_x509_crl(pem)
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        key, begins, ends = root.public_key(), crl.last_update_utc, crl.next_update_utc
        serials = frozenset(one.serial_number for one in crl)
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound) as cause:
        raise ConfigFault(path, "is damaged", str(cause), _FETCH) from cause
    if crl.issuer != root.subject or not isinstance(key, Ed25519PublicKey):
        issuer = crl.issuer.rfc4514_string()
        raise ConfigFault(path, "is of another authority", issuer, "carry this fleet's centre/")
    if not crl.is_signature_valid(key):
        raise ConfigFault(path, "is not signed by this fleet's root", None, _FETCH)
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    if ends is None or now >= ends:
        raise ConfigFault(path, "is past its date", ends and ends.isoformat(), _FETCH)
    if now < begins:
        remedy = "set this machine's clock, or the authority's"
        raise ConfigFault(path, "begins in the future", begins.isoformat(), remedy)
    return RevocationList(pem, number, round(ends.timestamp() * 1000), serials)
