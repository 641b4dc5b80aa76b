"""The next keys and certificate of an enrolled folder, put in place so that a crash breaks nothing.

    renewal/tls.key renewal/seal.key renewal/request.cbor   made here while the answer is awaited
    renewal/tls.pem                                         the answer: from here on they hold

The answer is written last and whole; until then nothing has changed. Afterwards `roll_tls` copies
the TLS pair over the old one and `roll_seal` the sealing key; each may be repeated after a crash,
and a start begins with them. Knows files and certificates, no message. Callers: agent, authority
(for managers' tools).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.faults import ConfigFault, StoreBroken
from runtime.files import read_small
from runtime.key_files import (
    PRIVATE_MODE,
    certificate_pem,
    common_name_of,
    dates_ms_of,
    enrolment_of,
    load_private,
    private_pem,
    public_key_of,
)
from runtime.store import atomic_write

RENEWAL, REQUEST = "renewal", "request.cbor"
TLS_KEY, SEAL_KEY, TLS_CERTIFICATE = "tls.key", "seal.key", "tls.pem"
_FOLDER_MODE: Final = 0o700
_PUBLIC_MODE: Final = 0o644


@dataclass(frozen=True, slots=True)
class Pending:
    """Keys that were made and are not in use yet."""

    tls_key: Ed25519PrivateKey
    seal_key: Ed25519PrivateKey
    request: bytes  # empty until it is sealed

    @property
    def tls_public(self) -> bytes:
        return self.tls_key.public_key().public_bytes_raw()

    @property
    def seal_public(self) -> bytes:
        return self.seal_key.public_key().public_bytes_raw()


def begin(folder: Path) -> Pending:
    """New keys beside the old ones; those of an unfinished beginning serve again.

    Raises ConfigFault, StoreFault.
    """
    recover(folder)
    renewal = folder / RENEWAL
    try:
        renewal.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    except OSError as cause:
        remedy = "give this user write access to the keys folder"
        raise StoreBroken(renewal, "cannot be made", cause.strerror, remedy) from cause
    return Pending(_key(renewal / TLS_KEY), _key(renewal / SEAL_KEY), b"")


def keep_request(folder: Path, request: bytes) -> None:
    atomic_write(folder / RENEWAL / REQUEST, request, _PUBLIC_MODE)


def pending(folder: Path) -> Pending | None:
    """What is under way; None where nothing is, or no request was made yet. Raises ConfigFault."""
    renewal = folder / RENEWAL
    if not (renewal / REQUEST).exists():
        return None
    tls_key, seal_key = load_private(renewal / TLS_KEY), load_private(renewal / SEAL_KEY)
    return Pending(tls_key, seal_key, read_small(renewal / REQUEST))


def take(folder: Path, certificate: x509.Certificate) -> None:
    """The answer, checked by the caller: from the end of this call on the new keys hold.

    `roll_tls` comes next.
    """
    atomic_write(folder / RENEWAL / TLS_CERTIFICATE, certificate_pem(certificate), _PUBLIC_MODE)


def is_taken(folder: Path) -> bool:
    names = (TLS_CERTIFICATE, TLS_KEY, SEAL_KEY)
    return all((folder / RENEWAL / name).exists() for name in names)


def recover(folder: Path) -> None:
    """At a start: finish what a crash left half done. Raises ConfigFault, StoreFault."""
    if is_taken(folder):
        roll_tls(folder)
    elif (folder / RENEWAL / TLS_CERTIFICATE).exists():
        drop(folder)  # the new keys are in place already


def roll_tls(folder: Path) -> None:
    """The new TLS pair in place of the old one. Between its two files a TLS context cannot be made
    (`mqtt_tls.Credentials` keeps the one it has); after a crash there, repeat it."""
    if is_taken(folder):
        renewal = folder / RENEWAL
        atomic_write(folder / TLS_KEY, read_small(renewal / TLS_KEY), PRIVATE_MODE)
        atomic_write(folder / TLS_CERTIFICATE, read_small(renewal / TLS_CERTIFICATE), _PUBLIC_MODE)


def roll_seal(folder: Path) -> None:
    """The new sealing key in place of the old one: the renewal is over."""
    renewal = folder / RENEWAL
    if is_taken(folder):
        atomic_write(folder / SEAL_KEY, read_small(renewal / SEAL_KEY), PRIVATE_MODE)
        drop(folder)


def drop(folder: Path) -> None:
    """Forget what is in `renewal/`; the answer last, so that `recover` knows it is over."""
    renewal = folder / RENEWAL
    try:
        for name in (REQUEST, TLS_KEY, SEAL_KEY, TLS_CERTIFICATE):
            (renewal / name).unlink(missing_ok=True)
        renewal.rmdir()
    except OSError as cause:
        remedy = "remove it by hand: its keys are in use, or were given up"
        raise StoreBroken(renewal, "cannot be removed", cause.strerror, remedy) from cause


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a renewed certificate must be."""

    common_name: str
    enrolment: bytes
    tls_public: bytes
    root: x509.Certificate
    earliest_ms: int  # it must hold at some time not before this
    now_ms: int | None  # None: no trusted time


def why_not(certificate: x509.Certificate, wanted: Wanted) -> str | None:
    """What is wrong with it, or None."""
    try:
        certificate.verify_directly_issued_by(wanted.root)
        enrolment, public = enrolment_of(certificate), public_key_of(certificate)
    except (InvalidSignature, ValueError, TypeError):
        return "not issued by our root"
    except ConfigFault as fault:
        return str(fault)
    not_before_ms, not_after_ms = dates_ms_of(certificate)
    if common_name_of(certificate) != wanted.common_name:
        return f"for {common_name_of(certificate)}, not {wanted.common_name}"
    if enrolment != wanted.enrolment:
        return "for another enrolment"
    if public != wanted.tls_public:
        return "for another key than the one that waits"
    if max(wanted.earliest_ms, wanted.now_ms or 0) >= not_after_ms:
        return "ended already"
    if wanted.now_ms is not None and wanted.now_ms < not_before_ms:
        return "not valid yet"
    return None


def _key(path: Path) -> Ed25519PrivateKey:
    """Half a file of a crashed beginning is no key: nobody knows it, so it is made again."""
    if path.exists() and path.stat().st_size:
        return load_private(path)
    key = Ed25519PrivateKey.generate()
    atomic_write(path, private_pem(key), PRIVATE_MODE)
    return key
