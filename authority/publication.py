"""What the authority publishes, made from its book and keys: the same input, the same bytes.

`centre/` is what the matcher takes, `broker/` what the broker takes. Public documents come first,
keys with the certificates that fit them last, so that a half-carried folder still hangs together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from authority import certificates, renewals, takeover
from authority.acts import BROKER as BROKER_NAME
from authority.acts import CANARY, MATCHER
from authority.book import Book
from authority.certificates import RevokedCertificate, Root
from authority.folder import BROKER, CENTRE, Folder
from protocol import cbor, codebook, configuration, envelope, identities, renewal
from protocol.envelope import Kind
from protocol.identities import DOCUMENT_BYTES_MAX, Role
from protocol.keys import SealKey, VerifyKey
from protocol.refusal import Reason, Refused
from runtime.faults import ConfigFault
from runtime.key_files import certificate_pem, private_pem, public_key_of

IDENTITIES, TRUST, REVOKED = "identities.cbor", "trust.cbor", "crl.pem"
CONFIGURATION, CODEBOOK, RENEWED = "configuration.cbor", "codebook.cbor", "renewed"
CRL_DAYS: Final = 30
CENTRE_ROLES: Final = (Role.DISPATCH, Role.RECEIPT, Role.EVIDENCE)
_ENVELOPE_BYTES: Final = 128


def sealed_trust(book: Book, root: Root) -> bytes:
    payload = identities.encode(book.trust)
    return envelope.seal(Kind.TRUST, book.fleet, b"", payload, SealKey(root.key))


def sealed_identities(book: Book, folder: Folder) -> bytes:
    """Raises Refused(too_large) where the fleet has outgrown the document."""
    payload = identities.encode(book.identities)
    if len(payload) > DOCUMENT_BYTES_MAX - _ENVELOPE_BYTES:
        count = len(book.identities.identities)
        detail = f"{count} identities do not fit {DOCUMENT_BYTES_MAX} bytes; split the fleet"
        raise Refused(Reason.TOO_LARGE, detail)
    key = SealKey(folder.key(book.role_key(Role.ENROLMENT).public_key))
    return envelope.seal(Kind.IDENTITIES, book.fleet, b"", payload, key)


def sealed_configurations(book: Book, folder: Folder) -> bytes:
    """One CBOR array of the sealed documents: the file is replaced whole."""
    key = SealKey(folder.key(book.role_key(Role.CONFIGURATION).public_key))
    made = (configuration.decode(payload) for payload in book.configurations)
    return cbor.encode([configuration.seal(one, key) for one in made])


def sealed_codebook(book: Book, folder: Folder) -> bytes:
    key = SealKey(folder.key(book.role_key(Role.CONFIGURATION).public_key))
    return codebook.seal(codebook.decode(book.codebook)[0], key)


def renewed_certificates(book: Book, folder: Folder) -> dict[str, bytes]:
    """For each that has renewed: its newest certificate, for the matcher to hand on."""
    key = SealKey(folder.key(book.role_key(Role.ENROLMENT).public_key))
    return {
        f"{RENEWED}/{one.device}.cbor": renewal.seal_certificate(one, key)
        for one in renewals.answers(book)
    }


def revocations(book: Book, root: Root, now_ms: int) -> bytes:
    revoked = [
        RevokedCertificate(
            certificates.load_der(one.certificate, "book").serial_number, one.revoked_ms
        )
        for one in book.certificates
        if one.revoked_ms is not None
    ]
    return certificates.revocation_list(root, book.crl_number, revoked, now_ms, CRL_DAYS)


def files_of(book: Book, root: Root, folder: Folder, now_ms: int) -> dict[str, bytes]:
    """Every published file by its name in the folder, in the order of writing."""
    root_pem, revoked = certificate_pem(root.certificate), revocations(book, root, now_ms)
    centre = {
        "root.pem": root_pem,
        TRUST: sealed_trust(book, root),
        REVOKED: revoked,  # before the document: whom it revokes must not get in once more
        **_pair(book, folder, CANARY, "canary"),
        IDENTITIES: sealed_identities(book, folder),
    }
    if book.configurations:
        centre[CONFIGURATION] = sealed_configurations(book, folder)
    if book.codebook:
        centre[CODEBOOK] = sealed_codebook(book, folder)
    centre |= renewed_certificates(book, folder)
    for role in CENTRE_ROLES:
        centre[f"{role}.key"] = private_pem(folder.key(book.role_key(role).public_key))
    centre |= _pair(book, folder, MATCHER, "tls")
    for name, one in takeover.take_overs(book).items():
        centre |= _files(one.certificate, folder, f"{takeover.FOLDER}/{name}")
    broker = {"root.pem": root_pem, REVOKED: revoked, **_pair(book, folder, BROKER_NAME, "server")}
    return {f"{CENTRE}/{name}": data for name, data in centre.items()} | {
        f"{BROKER}/{name}": data for name, data in broker.items()
    }


def keys_in_use(book: Book) -> Iterator[bytes]:
    """Public halves of the private keys that the authority still needs."""
    for role in Role:
        yield book.role_key(role).public_key
    for device in (MATCHER, BROKER_NAME, CANARY):
        der = book.newest_certificate(device).certificate
        yield public_key_of(certificates.load_der(der, "book"))
    for one in takeover.take_overs(book).values():
        yield public_key_of(certificates.load_der(one.certificate, "book"))


def check_not_behind(book: Book, root: Root, folder: Folder) -> None:
    """Raises ConfigFault where newer versions were published than the book knows of.

    So it is with a folder restored from an old copy: going on would give a version out twice.
    """
    message = folder.published(f"{CENTRE}/{TRUST}")
    if message is None:
        return
    try:
        trust = identities.open_trust(
            message, book.fleet, VerifyKey(root.key.public_key().public_bytes_raw())
        )
        document = folder.published(f"{CENTRE}/{IDENTITIES}")
        # dates do not matter here: only whether the published version is ours and newer
        listed = document and identities.open_identities(
            document, book.fleet, lambda kind, kid: trust.key_for(kind, kid, None)
        )
    except Refused:
        return  # damaged or foreign: it will be written again
    newest = (trust.version, listed.version if listed else 0)
    ours = (book.trust.version, book.identities.version)
    if newest[0] > ours[0] or newest[1] > ours[1]:
        what = (
            f"is at trust {ours[0]}, identities {ours[1]}; published were {newest[0]}, {newest[1]}"
        )
        raise ConfigFault(folder.path, what, None, "restore the newest copy of the folder")


def _pair(book: Book, folder: Folder, device: str, name: str) -> dict[str, bytes]:
    """Certificate and key of one of the centre's own."""
    return _files(book.newest_certificate(device).certificate, folder, name)


def _files(der: bytes, folder: Folder, name: str) -> dict[str, bytes]:
    certificate = certificates.load_der(der, "book")
    key = folder.key(public_key_of(certificate))
    return {f"{name}.key": private_pem(key), f"{name}.pem": certificate_pem(certificate)}
