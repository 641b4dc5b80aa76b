"""Private keys and certificates in files: PEM, PKCS #8, Ed25519 only.

A key that cannot be read stops the start with one line; it is never made anew, since a new key
would be a new identity. Callers: agent, matcher, manager, authority. Certificates carry the
enrolment id as the subject alternative name `outrider:enrolment:` and 32 hex digits (a URI).
"""

import os
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from runtime.faults import ConfigFault
from runtime.files import read_small, require_private
from runtime.store import atomic_write

ENROLMENT_URI: Final = "outrider:enrolment:"
ENROLMENT_BYTES: Final = 16
KEY_FILE_BYTES_MAX: Final = 16384
PRIVATE_MODE: Final = 0o600
_RESTORE: Final = "restore the file, or enrol again"


def load_private(path: Path) -> Ed25519PrivateKey:
    """The key in `path`; raises ConfigFault: missing, empty, readable by others, another kind."""
    require_private(path)
    data = read_small(path, KEY_FILE_BYTES_MAX)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        # a key's bytes never stand in a message, so the library's own words are left out
        raise ConfigFault(path, "holds no private key in PEM (PKCS #8)", None, _RESTORE) from cause
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigFault(path, "is no Ed25519 key", type(key).__name__, _RESTORE)
    return key


def write_private(path: Path, key: Ed25519PrivateKey) -> None:
    """Write `key` to a new file, mode 0600; raises ConfigFault where it exists, StoreFault."""
    reserve(path)
    try:
        atomic_write(path, private_pem(key), PRIVATE_MODE)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def reserve(path: Path) -> None:
    """Make `path` an empty file that was not there before; raises ConfigFault where it was."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    try:
        os.close(os.open(path, flags, PRIVATE_MODE))
    except FileExistsError as cause:
        remedy = "keys are never overwritten; name another folder, or move the old one away"
        raise ConfigFault(path, "exists already", None, remedy) from cause
    except OSError as cause:
        remedy = "make the folder and give this user write access"
        raise ConfigFault(path, "cannot be made", cause.strerror, remedy) from cause


def private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_certificate(path: Path) -> x509.Certificate:
    """The first certificate in `path`; raises ConfigFault."""
    data = read_small(path, KEY_FILE_BYTES_MAX)
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError as cause:
        raise ConfigFault(path, "holds no certificate in PEM", None, _RESTORE) from cause


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def certificate_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def public_key_of(certificate: x509.Certificate) -> bytes:
    """The raw 32 bytes; raises ConfigFault for other than Ed25519."""
    key = certificate.public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigFault(_place(certificate), "is not for Ed25519", type(key).__name__, _RESTORE)
    return key.public_bytes_raw()


def common_name_of(certificate: x509.Certificate) -> str:
    """Empty where there is none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def enrolment_of(certificate: x509.Certificate) -> bytes:
    """The 16 bytes of the enrolment id; raises ConfigFault where there is none, or two."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        uris = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    except (x509.ExtensionNotFound, ValueError):
        uris = []
    digits = [uri.removeprefix(ENROLMENT_URI) for uri in uris if uri.startswith(ENROLMENT_URI)]
    try:
        (found,) = [bytes.fromhex(text) for text in digits]
    except ValueError:
        found = b""
    if len(found) != ENROLMENT_BYTES:
        value = ", ".join(uris) or "none"
        raise ConfigFault(_place(certificate), "carries no enrolment id", value, "enrol again")
    return found


def make_csr(key: Ed25519PrivateKey, common_name: str) -> bytes:
    """A PKCS #10 request in DER: its signature shows that the asker holds `key`."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, None).public_bytes(serialization.Encoding.DER)


def fingerprint_of(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate's DER."""
    return certificate.fingerprint(hashes.SHA256())


def dates_ms_of(certificate: x509.Certificate) -> tuple[int, int]:
    """(not before, not after) in ms UTC."""
    return (
        int(certificate.not_valid_before_utc.timestamp()) * 1000,
        int(certificate.not_valid_after_utc.timestamp()) * 1000,
    )


def _place(certificate: x509.Certificate) -> str:
    return f"certificate of {common_name_of(certificate) or 'nobody'}"
