"""The authority's certificates against a real mosquitto: mutual TLS 1.3, and revocation."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from authority.office import Office
from tests.authority.fleet import FLEET, Fleet, real_now_ms
from tests.broker import Broker

TIMEOUT_S = 10.0
# MQTT 3.1.1 CONNECT, clean session, empty client id: the broker takes the common name
CONNECT = bytes.fromhex("100c00044d5154540402003c0000")
ACCEPTED = bytes.fromhex("20020000")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path, real_now_ms())


def answer(broker: Broker, keys: Path, name: str = "localhost", key: str = "tls") -> bytes:
    """The broker's CONNACK for the certificate in `keys`; raises ssl.SSLError, OSError."""
    context = ssl.create_default_context(cafile=str(keys / "root.pem"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(keys / f"{key}.pem", keys / f"{key}.key")
    with (
        socket.create_connection(("127.0.0.1", broker.port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        tls.sendall(CONNECT)
        return tls.recv(4)


def is_refused(broker: Broker, keys: Path, key: str = "tls") -> bool:
    """TLS 1.3: a refused client certificate shows at the first read."""
    try:
        return answer(broker, keys, key=key) != ACCEPTED
    except (ssl.SSLError, ConnectionError):
        return True


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_terminal_manager_and_matcher_connect(fleet: Fleet, name: str) -> None:
    folders = [fleet.enrol("car-07"), fleet.enrol_manager("d07-shell"), fleet.centre]
    with fleet.broker() as broker:
        for folder in folders:
            assert answer(broker, folder, name) == ACCEPTED
        for common_name in ("car-07", "d07-shell", "matcher"):
            broker.wait_for_log(f"as {FLEET}.{common_name} .*u'{FLEET}.{common_name}'")


def test_the_server_is_held_to_its_name(fleet: Fleet) -> None:
    folder = fleet.enrol("car-07")
    with fleet.broker() as broker, pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        answer(broker, folder, "elsewhere.example")


def test_a_foreign_root_gets_nowhere(fleet: Fleet, tmp_path: Path) -> None:
    stranger = Fleet(tmp_path / "stranger", real_now_ms()).enrol("car-07")
    with fleet.broker() as broker:
        with pytest.raises(ssl.SSLCertVerificationError):
            answer(broker, stranger)
        (stranger / "root.pem").write_bytes((fleet.centre / "root.pem").read_bytes())
        assert is_refused(broker, stranger)


def test_revoked_closed_and_canary_are_refused_once_the_broker_has_read_the_list(
    fleet: Fleet,
) -> None:
    revoked, old, other = fleet.enrol("car-07"), fleet.enrol("car-08", "old"), fleet.enrol("car-09")
    with fleet.broker() as broker:
        assert answer(broker, revoked) == answer(broker, old) == ACCEPTED
        assert is_refused(broker, fleet.centre, key="canary")
        new = fleet.enrol("car-08", "new")
        with Office.open(fleet.authority) as office:
            office.revoke("car-07", fleet.now_ms)
            office.save(fleet.now_ms)
        broker.reload()
        broker.wait_for_log("Reloading config")
        assert is_refused(broker, revoked)
        assert is_refused(broker, old)
        assert answer(broker, new) == answer(broker, other) == ACCEPTED
