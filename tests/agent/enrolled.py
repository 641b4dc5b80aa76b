"""An enrolled terminal for tests: root, role keys, trust document, certificates, key folder.

Written with `cryptography` alone: a test of the agent must not lean on the product's authority.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from protocol import identities
from protocol.envelope import Kind, seal
from protocol.identities import Role, RoleKey, Trust
from protocol.keys import SealKey
from tests.pki import Identity, Pki

_DAY = dt.timedelta(days=1)
FLEET, DEVICE = "zz", "car-1"


def now_ms() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp() * 1000)


class Enrolment(Pki):
    """One fleet with one terminal in `folder`; `keys` is what the agent is given."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.keys = folder, folder / "keys"
        self.keys.mkdir()
        self.root = Ed25519PrivateKey.generate()
        self.root_key = SealKey(self.root)
        self.enrolment = secrets.token_bytes(16)
        self.roles = {role: SealKey(Ed25519PrivateKey.generate()) for role in Role}
        self.ca_file = self.keys / "root.pem"
        self.ca_file.write_bytes(_pem(self._certificate("root", self.root, None)))
        uri = x509.UniformResourceIdentifier(f"outrider:enrolment:{self.enrolment.hex()}")
        self._write("tls", Ed25519PrivateKey.generate(), f"{FLEET}.{DEVICE}", uri)
        seal_key = Ed25519PrivateKey.generate()
        self.terminal_key = SealKey(seal_key)
        self._write_key(self.keys / "seal.key", seal_key)
        (self.keys / "trust.cbor").write_bytes(self.trust_document(1))

    def server(self, name: str = "127.0.0.1", *, expired: bool = False) -> Identity:
        address = x509.IPAddress(ipaddress.ip_address(name))
        return self._write("broker", Ed25519PrivateKey.generate(), "broker", address, self.folder)

    def client(self, name: str, *, expired: bool = False) -> Identity:
        return self._write(name, Ed25519PrivateKey.generate(), name, None, self.folder)

    def trust_document(self, version: int) -> bytes:
        until = now_ms() + 7 * 86_400_000
        keys = tuple(
            RoleKey(role, key.public, now_ms() - 86_400_000, until)
            for role, key in self.roles.items()
        )
        payload = identities.encode(Trust(FLEET, version, now_ms(), keys))
        return seal(Kind.TRUST, FLEET, b"", payload, self.root_key)

    def _write(
        self,
        stem: str,
        key: Ed25519PrivateKey,
        common_name: str,
        name: x509.GeneralName | None,
        folder: Path | None = None,
    ) -> Identity:
        folder = folder or self.keys
        identity = Identity(folder / f"{stem}.pem", folder / f"{stem}.key")
        identity.cert_file.write_bytes(_pem(self._certificate(common_name, key, name)))
        self._write_key(identity.key_file, key)
        return identity

    @staticmethod
    def _write_key(path: Path, key: Ed25519PrivateKey) -> None:
        path.touch(0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def _certificate(
        self, common_name: str, key: Ed25519PrivateKey, name: x509.GeneralName | None
    ) -> x509.Certificate:
        begin = dt.datetime.now(dt.UTC) - _DAY
        is_root = key is self.root
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        )
        if name is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        return builder.sign(self.root, None)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
