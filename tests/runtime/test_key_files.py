"""Key files: refused with one line each when they are not what they should be; never made anew."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime import key_files
from runtime.faults import ConfigFault
from tests.pki import Pki


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def test_a_key_comes_back_as_it_was_written(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = tmp_path / "seal.key"
    old_mask = os.umask(0)
    try:
        key_files.write_private(path, key)
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_files.load_private(path).private_bytes_raw() == key.private_bytes_raw()
    assert [entry.name for entry in tmp_path.iterdir()] == ["seal.key"]


def test_a_key_is_never_overwritten(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    path = tmp_path / "seal.key"
    path.write_bytes(b"here first")
    with pytest.raises(ConfigFault, match="exists already"):
        key_files.write_private(path, key)
    assert path.read_bytes() == b"here first"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(
    tmp_path: Path, key: Ed25519PrivateKey, mode: int
) -> None:
    path = tmp_path / "seal.key"
    key_files.write_private(path, key)
    path.chmod(mode)
    with pytest.raises(ConfigFault, match="chmod 600"):
        key_files.load_private(path)


def ec_pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def encrypted_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"not a key", "no private key"),
        (ec_pem(), "is no Ed25519 key"),
        (encrypted_pem(), "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
    ],
    ids=["empty", "text", "other curve", "encrypted", "cut"],  # keys are new in each process
)
def test_what_is_no_key_is_refused_in_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "tls.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigFault, match=says) as caught:
        key_files.load_private(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_a_missing_key_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match="does not exist"):
        key_files.load_private(tmp_path / "seal.key")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    with pytest.raises(ConfigFault, match="cannot be made"):
        key_files.write_private(tmp_path / "no" / "seal.key", key)


def test_certificates_of_others_are_refused(tmp_path: Path) -> None:
    foreign = key_files.load_certificate(Pki(tmp_path / "pki").client("fleet.car").cert_file)
    assert key_files.common_name_of(foreign) == "fleet.car"
    with pytest.raises(ConfigFault, match="is not for Ed25519"):
        key_files.public_key_of(foreign)
    with pytest.raises(ConfigFault, match="carries no enrolment id"):
        key_files.enrolment_of(foreign)
    path = tmp_path / "tls.pem"
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(ConfigFault, match="no certificate"):
        key_files.load_certificate(path)
