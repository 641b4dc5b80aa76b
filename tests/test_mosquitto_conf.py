"""The centre's broker settings, as installed, in a real mosquitto: who gets in and who does not."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "systemd/mosquitto.conf"
DEADLINE_S = 10.0
CONNECT_MQTT_311 = bytes.fromhex("100e00044d5154540402000a0002") + b"id"
CONNACK_ACCEPTED = bytes.fromhex("20020000")


class Identity(NamedTuple):
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def issue(name: str, issuer: Identity | None = None) -> Identity:
    """A certificate for `name`; without an issuer, a root of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    return Identity(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


def write(folder: Path, name: str, identity: Identity) -> None:
    pem = serialization.Encoding.PEM
    key = identity.key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.key").write_bytes(key)
    (folder / f"{name}.pem").write_bytes(identity.certificate.public_bytes(pem))


def revocation_list(root: Identity, revoked: Identity) -> bytes:
    now = dt.datetime.now(dt.UTC)
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(revoked.certificate.serial_number)
        .revocation_date(now)
        .build()
    )
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.certificate.subject)
        .last_update(now - dt.timedelta(hours=1))
        .next_update(now + dt.timedelta(days=7))
        .add_revoked_certificate(entry)
    )
    return builder.sign(root.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fleet's root, its broker and three clients, one revoked, one a stranger."""
    folder = tmp_path_factory.mktemp("broker")
    root = issue("fleet root")
    identities = {name: issue(name, root) for name in ("localhost", "east.car-1", "east.lost")}
    identities |= {"root": root, "stranger": issue("east.car-1", issue("another root"))}
    for name, identity in identities.items():
        write(folder, name, identity)
    (folder / "crl.pem").write_bytes(revocation_list(root, identities["east.lost"]))
    (folder / "acl").write_text("user east.car-1\ntopic read nothing\n", encoding="utf-8")
    (folder / "acl").chmod(0o600)
    return folder


@pytest.fixture(scope="module")
def port(world: Path) -> Iterator[int]:
    """The shipped settings with nothing changed but places and port; yields the port."""
    mosquitto = os.environ.get("OUTRIDER_MOSQUITTO") or shutil.which("mosquitto")
    if not mosquitto:
        pytest.skip("no mosquitto: run the tests by ./run test")
    listening = free_port()
    text = CONFIG.read_text(encoding="utf-8")
    for shipped, here in (
        ("listener 8883 ", f"listener {listening} "),
        ("/etc/mosquitto/outrider/root.pem", f"{world}/root.pem"),
        ("/etc/mosquitto/outrider/server", f"{world}/localhost"),
        ("/var/lib/outrider/broker", str(world)),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    config = world / "mosquitto.conf"
    config.write_text(f"{text}\nuser root\n", encoding="utf-8")
    log = (world / "log").open("wb")
    broker = subprocess.Popen([mosquitto, "-c", str(config)], stderr=log, stdout=log)
    try:
        wait_until_listening(listening, broker, world / "log")
        yield listening
    finally:
        broker.terminate()
        broker.wait(DEADLINE_S)
        log.close()


def wait_until_listening(port: int, broker: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            try:
                broker.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"mosquitto refused its settings: {log.read_text()}")
        else:
            return
    pytest.fail("mosquitto does not listen")


def connect(world: Path, port: int, name: str | None, version: ssl.TLSVersion) -> bytes:
    """The broker's answer to a CONNECT; raises OSError where TLS itself is refused."""
    context = ssl.create_default_context(cafile=str(world / "root.pem"))
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = version
    if name:
        context.load_cert_chain(world / f"{name}.pem", world / f"{name}.key")
    with (
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as raw,
        context.wrap_socket(raw) as secure,
    ):
        secure.sendall(CONNECT_MQTT_311)
        return secure.recv(64)


def test_a_terminal_of_the_fleet_gets_in(world: Path, port: int) -> None:
    assert connect(world, port, "east.car-1", ssl.TLSVersion.TLSv1_3) == CONNACK_ACCEPTED
    assert "as east.car-1" in (world / "log").read_text()  # client id is the common name


@pytest.mark.parametrize("name", [None, "stranger", "east.lost"])
def test_no_one_else_gets_in(world: Path, port: int, name: str | None) -> None:
    try:
        answer = connect(world, port, name, ssl.TLSVersion.TLSv1_3)
    except OSError:
        return  # with TLS 1.3 the refusal may come before or after our first bytes
    assert answer != CONNACK_ACCEPTED


def test_older_tls_is_refused(world: Path, port: int) -> None:
    with pytest.raises(OSError, match=r"(?i)alert|version|eof|reset"):
        connect(world, port, "east.car-1", ssl.TLSVersion.TLSv1_2)


def test_it_listens_on_loopback_until_told_otherwise() -> None:
    listeners = [line for line in CONFIG.read_text().splitlines() if line.startswith("listener")]
    assert listeners == ["listener 8883 127.0.0.1"]
