"""Throw-away certificates for tests: one root, servers and clients under it, made with
`cryptography`. Not the product's authority: a test of the link must not lean on it."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """Files of one certificate and its key."""

    cert_file: Path
    key_file: Path


class Pki:
    """A root in `folder`; `ca_file` is what its clients trust."""

    def __init__(self, folder: Path, name: str = "test root") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(_pem(self._root()))

    def server(self, name: str = "127.0.0.1", *, expired: bool = False) -> Identity:
        """A server whose certificate is for `name`, an address or a host."""
        try:
            alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        san = x509.SubjectAlternativeName([alternative])
        return self._issue("broker", ExtendedKeyUsageOID.SERVER_AUTH, san, expired=expired)

    def client(self, name: str, *, expired: bool = False) -> Identity:
        """A client whose common name is `name`."""
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, None, expired=expired)

    def _root(self) -> x509.Certificate:
        return (
            self._builder(self._name, self._key.public_key(), _real_now() - _DAY, 3650 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _issue(
        self,
        name: str,
        usage: x509.ObjectIdentifier,
        san: x509.SubjectAlternativeName | None,
        *,
        expired: bool,
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begin = _real_now() - (400 * _DAY if expired else _DAY)
        builder = self._builder(subject, key.public_key(), begin, 30 * _DAY).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        if san is not None:
            builder = builder.add_extension(san, critical=False)
        stem = f"{name}{'-expired' if expired else ''}-{x509.random_serial_number():x}"[:40]
        identity = Identity(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        identity.cert_file.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        identity.key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return identity

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        begin: dt.datetime,
        duration: dt.timedelta,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + duration)
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _real_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
