"""X.509 from given keys, times and serial numbers: root, client, server, revocation list. Pure.

RFC 5280 profile: Ed25519 throughout (RFC 8410), a self-signed root with path length 0, leaves for
one use each. Dates start an hour early, so that a clock which is a little behind still connects.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol.keys import check_public
from protocol.refusal import Reason, Refused
from runtime.key_files import ENROLMENT_URI

DAY_MS: Final = 86_400_000
EARLY_MS: Final = 3_600_000
ROOT_DAYS: Final = 3650
SERIAL_BYTES: Final = 20


@dataclass(frozen=True, slots=True)
class Root:
    """The fleet's root: its private key stays in the authority's folder."""

    key: Ed25519PrivateKey = field(repr=False)
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Leaf:
    """What differs from certificate to certificate. `serial` is SERIAL_BYTES random bytes."""

    common_name: str
    public_key: Ed25519PublicKey
    serial: bytes
    now_ms: int
    days: int


@dataclass(frozen=True, slots=True)
class RevokedCertificate:
    serial: int
    revoked_ms: int


def make_root(fleet: str, key: Ed25519PrivateKey, serial: bytes, now_ms: int) -> Root:
    """The self-signed root of `fleet`, valid ROOT_DAYS."""
    leaf = Leaf(f"outrider root of {fleet}", key.public_key(), serial, now_ms, ROOT_DAYS)
    builder = _builder(leaf, _name(leaf.common_name), key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Root(key, builder.sign(key, None))


def client_certificate(root: Root, leaf: Leaf, enrolment: bytes) -> x509.Certificate:
    """For a terminal's, manager's or the matcher's connections; names its enrolment."""
    alternative = x509.UniformResourceIdentifier(ENROLMENT_URI + enrolment.hex())
    return _issue(root, leaf, ExtendedKeyUsageOID.CLIENT_AUTH, [alternative])


def server_certificate(root: Root, leaf: Leaf, hosts: Iterable[str]) -> x509.Certificate:
    """For the broker; `hosts` are names or addresses under which it is reached."""
    return _issue(root, leaf, ExtendedKeyUsageOID.SERVER_AUTH, [_host(host) for host in hosts])


def revocation_list(
    root: Root, number: int, revoked: Iterable[RevokedCertificate], now_ms: int, days: int
) -> bytes:
    """PEM. Past its `days` a broker refuses every client, so re-issue it well before."""
    issuer = root.certificate.subject
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer)
        .last_update(_time(now_ms - EARLY_MS))
        .next_update(_time(now_ms + days * DAY_MS))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_key(root.key.public_key()), critical=False)
    )
    for one in sorted(revoked, key=lambda entry: entry.serial):
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial)
        builder = builder.add_revoked_certificate(
            entry.revocation_date(_time(one.revoked_ms)).build()
        )
    return builder.sign(root.key, None).public_bytes(serialization.Encoding.PEM)


def open_csr(data: bytes, common_name: str) -> Ed25519PublicKey:
    """The key that a request asks a certificate for; raises Refused."""
    try:
        csr = x509.load_der_x509_csr(data)
        key, holds = csr.public_key(), csr.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise Refused(Reason.MALFORMED, f"certificate request: {cause!s:.80}") from cause
    if not isinstance(key, Ed25519PublicKey):
        raise Refused(Reason.WRONG_ALGORITHM, f"certificate request for {type(key).__name__}")
    if not holds:
        raise Refused(Reason.BAD_SEAL, "certificate request is not signed by its own key")
    if csr.subject != _name(common_name):
        raise Refused(Reason.WRONG_ROLE, f"certificate request is not for {common_name}")
    check_public(key.public_bytes_raw())
    return key


def load_der(data: bytes, place: str) -> x509.Certificate:
    """A certificate from a peer; raises Refused(malformed)."""
    try:
        return x509.load_der_x509_certificate(data)
    except ValueError as cause:
        raise Refused(Reason.MALFORMED, f"{place}: no certificate: {cause!s:.80}") from cause


def check_root(root: x509.Certificate) -> None:
    """Raises Refused unless `root` is a self-signed authority of our profile."""
    check_issued(root, root, "root")
    try:
        constraints = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        constraints = x509.BasicConstraints(ca=False, path_length=None)
    if not constraints.ca or constraints.path_length != 0:
        raise Refused(Reason.WRONG_ROLE, "root: no certificate authority of path length 0")


def check_issued(certificate: x509.Certificate, root: x509.Certificate, place: str) -> None:
    """Raises Refused unless `root` issued and signed `certificate`."""
    try:
        certificate.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError) as cause:
        raise Refused(Reason.BAD_SEAL, f"{place}: not issued by that root") from cause


def _issue(
    root: Root, leaf: Leaf, use: x509.ObjectIdentifier, names: list[x509.GeneralName]
) -> x509.Certificate:
    builder = _builder(leaf, root.certificate.subject, root.key.public_key())
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(root.key, None)
    )


def _builder(
    leaf: Leaf, issuer: x509.Name, issuer_key: Ed25519PublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(leaf.common_name))
        .issuer_name(issuer)
        .public_key(leaf.public_key)
        .serial_number(int.from_bytes(leaf.serial, "big") >> 1 | 1)  # positive, 20 octets at most
        .not_valid_before(_time(leaf.now_ms - EARLY_MS))
        .not_valid_after(_time(leaf.now_ms + leaf.days * DAY_MS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(leaf.public_key), critical=False)
        .add_extension(_authority_key(issuer_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key(key: Ed25519PublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _time(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, UTC)
