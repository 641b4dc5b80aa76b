"""Who the link talks to: chain, name, version, dates, and what each refusal is called."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from runtime import mqtt_tls, resolver
from runtime.faults import ConfigFault
from runtime.mqtt_types import ConnectFailed, LinkReason, PeerRefused
from runtime.resolver import Resolver
from tests.broker import Broker
from tests.pki import Pki
from tests.runtime.links import Peer, World, make_world, run


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("tls"))
    yield made
    made.broker.kill()


def failure(peer: Peer) -> ConnectFailed:
    """How the first attempt of `peer` ends."""

    async def test() -> ConnectFailed:
        async with peer:
            return await peer.next(ConnectFailed)

    return run(test())


def test_a_server_of_another_root_is_the_wrong_server(world: World, tmp_path: Path) -> None:
    other = Pki(tmp_path / "other")
    found = failure(world.peer("one", ca_file=other.ca_file))
    assert found.reason is LinkReason.WRONG_CERTIFICATE


def test_a_root_of_the_same_name_does_not_do(world: World, tmp_path: Path) -> None:
    forged = Pki(tmp_path / "forged", name="test root")
    with Broker(tmp_path / "b", forged) as broker:
        found = failure(world.peer("one", port=broker.port))
    assert found.reason is LinkReason.WRONG_CERTIFICATE


@pytest.mark.parametrize("name", ["localhost", "127.0.0.2", "broker.example"])
def test_a_server_of_another_name_is_the_wrong_server(world: World, name: str) -> None:
    found = failure(world.peer("one", server_name=name))
    assert found.reason is LinkReason.WRONG_CERTIFICATE
    assert "mismatch" in found.detail or "not valid for" in found.detail


def test_a_clients_certificate_does_not_make_a_server(world: World, tmp_path: Path) -> None:
    with Broker(tmp_path, world.pki, server=world.pki.client("127.0.0.1")) as broker:
        found = failure(world.peer("one", port=broker.port))
    assert found.reason is LinkReason.WRONG_CERTIFICATE


def test_a_client_of_another_root_is_refused_by_the_server(world: World, tmp_path: Path) -> None:
    stranger = Pki(tmp_path / "stranger", name="stranger").client("one")
    found = failure(world.peer("one", cert_file=stranger.cert_file, key_file=stranger.key_file))
    assert found.reason is LinkReason.TLS_REFUSED
    assert "unknown ca" in found.detail


def test_an_expired_client_is_told_so(world: World) -> None:
    expired = world.pki.client("one", expired=True)
    found = failure(world.peer("one", cert_file=expired.cert_file, key_file=expired.key_file))
    assert found.reason is LinkReason.TLS_REFUSED
    assert "expired" in found.detail


def test_tls_1_2_is_refused(world: World) -> None:
    identity = world.pki.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.cert_file, identity.key_file)

    async def test() -> None:
        async with await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context
        ) as server:
            port = server.sockets[0].getsockname()[1]
            async with world.peer("one", port=port) as one:
                found = await one.next(ConnectFailed)
        assert found.reason is LinkReason.TLS_REFUSED

    run(test())


def test_a_server_that_speaks_no_tls(world: World) -> None:
    async def test() -> None:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with world.peer("one", port=port) as one:
                assert (await one.next(ConnectFailed)).reason is LinkReason.TLS_REFUSED

    run(test())


def test_the_time_check_is_off_and_check_peer_sees_the_dates(world: World, tmp_path: Path) -> None:
    """An expired server certificate passes TLS; the hook decides, before anything is sent."""
    seen: list[bytes] = []
    with Broker(tmp_path, world.pki, server=world.pki.server(expired=True)) as broker:

        async def passes() -> None:
            async with world.peer("one", port=broker.port, check_peer=seen.append) as one:
                assert (await one.connected()).peer_certificate == seen[0]

        run(passes())
        expires = x509.load_der_x509_certificate(seen[0]).not_valid_after_utc
        assert expires < dt.datetime.now(dt.UTC)

        def refuse(_certificate: bytes) -> None:
            raise PeerRefused("expired on 2025-01-01")

        clients = broker.log_count("New client connected")
        found = failure(world.peer("one", port=broker.port, check_peer=refuse))
        assert found.reason is LinkReason.PEER_REFUSED
        assert "2025-01-01" in found.detail
        assert broker.log_count("New client connected") == clients


def test_a_fault_in_check_peer_ends_the_link(world: World) -> None:
    def broken(_certificate: bytes) -> None:
        raise ZeroDivisionError("a bug")

    async def test() -> None:
        async with world.peer("one", check_peer=broken) as one:
            with pytest.raises(ZeroDivisionError):
                await one.task

    run(test())


def test_files_that_cannot_be_used_are_named(world: World, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_bytes(b"")
    absent = tmp_path / "absent.pem"
    other_key = world.pki.client("other").key_file
    for changes in (
        {"ca_file": empty},
        {"ca_file": absent},
        {"cert_file": absent},
        {"cert_file": empty},
        {"key_file": other_key},
    ):
        with pytest.raises(ConfigFault) as caught:
            mqtt_tls.client_context(world.settings("one", **changes))
        assert str(tmp_path) in str(caught.value) or "key" in str(caught.value)

    async def test() -> None:
        async with world.peer("one", ca_file=absent) as one:
            with pytest.raises(ConfigFault):
                await one.connected()

    run(test())


def test_a_renewed_certificate_is_used_next_time_and_a_broken_one_is_not(
    world: World, tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def install(name: str) -> None:
        identity = world.pki.client(name)
        shutil.copy(identity.cert_file, cert)
        shutil.copy(identity.key_file, key)

    async def reconnect(one: Peer) -> None:
        assert one.link._connection is not None
        one.link._connection.abort()
        await one.disconnected()
        await one.connected()

    async def test() -> None:
        install("renewal-a")
        async with world.peer("renewal", cert_file=cert, key_file=key) as one:
            await one.connected()
            world.broker.wait_for_log("New client connected .* as renewal-a")
            install("renewal-b")
            await reconnect(one)
            world.broker.wait_for_log("New client connected .* as renewal-b")
            cert.write_text("half a file")
            connected = world.broker.log_count("as renewal-b")
            await reconnect(one)
            assert world.broker.log_count("New client connected .* as renewal-b") > 0
            assert world.broker.log_count("as renewal-b") > connected

    run(test())


def test_the_context_speaks_tls_1_3_only_and_checks_names(world: World) -> None:
    context = mqtt_tls.client_context(world.settings("one"))
    assert context.minimum_version == context.maximum_version == ssl.TLSVersion.TLSv1_3
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_dead_address_before_a_good_one_costs_a_quarter_second(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a broken IPv6: the first address swallows the SYN."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        def look_up(_host: str, port: int) -> list[resolver.Address]:
            return [
                (socket.AF_INET, full.getsockname()),
                (socket.AF_INET, ("127.0.0.1", port)),
            ]

        monkeypatch.setattr(resolver, "_look_up", look_up)

        async def test() -> None:
            started_s = time.monotonic()
            async with world.peer("one") as one:
                await one.connected()
            assert 0.2 <= time.monotonic() - started_s <= 2.0

        run(test())
        for one in waiting:
            one.close()


def test_the_last_good_addresses_serve_while_the_resolver_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        names = Resolver("127.0.0.1", 4711)
        good = await names.addresses()
        assert good == [(socket.AF_INET, ("127.0.0.1", 4711))]

        def fail(_host: str, _port: int) -> list[resolver.Address]:
            raise socket.gaierror("down")

        monkeypatch.setattr(resolver, "_look_up", fail)
        assert await names.addresses() == good
        with pytest.raises(socket.gaierror):
            await Resolver("127.0.0.1", 1).addresses()

    run(test())


def test_a_resolver_that_hangs_costs_one_thread_and_little_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    asked, go_on = [], threading.Event()

    def hang(host: str, _port: int) -> list[resolver.Address]:
        asked.append(host)
        go_on.wait(10)
        return []

    async def test() -> None:
        names = Resolver("127.0.0.1", 4711)
        good = await names.addresses()
        monkeypatch.setattr(resolver, "_look_up", hang)
        monkeypatch.setattr(resolver, "_PATIENCE_S", 0.05)
        for _ in range(3):
            assert await names.addresses() == good
        assert len(asked) == 1
        go_on.set()

    run(test())
