"""The link when broker and network fail: seen in time, named, mended, nothing sent by mistake."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from hil.tcp_proxy import TcpProxy
from runtime.mqtt_types import ConnectFailed, LinkReason, Message
from runtime.send_queue import Lane
from tests.broker import Broker, free_port
from tests.runtime.links import KEEPALIVE_S, Peer, World, make_world, run, until

SEEN_S = 1.5 * KEEPALIVE_S + 0.3  # the bound, and the machine's own slack


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("faults"))
    yield made
    made.broker.kill()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[World]:
    """A broker that the test may break."""
    made = make_world(tmp_path)
    yield made
    made.broker.kill()


async def proves_itself(peer: Peer, topic: str) -> None:
    """What it publishes comes back to it."""
    assert peer.link.publish(topic, b"proof", qos=1)
    while (await peer.message()).payload != b"proof":
        pass


def test_a_killed_broker_is_seen_and_its_successor_found(own: World) -> None:
    async def test() -> None:
        async with own.peer("one", "self/#") as one:
            await one.connected()
            await proves_itself(one, "self/x")
            own.broker.kill()
            lost = await one.disconnected()
            assert lost.reason is LinkReason.LOST
            assert not one.link.publish("self/x", b"")
            failed = await one.next(ConnectFailed)
            assert failed.reason is LinkReason.UNREACHABLE
            assert "refused" in failed.detail.lower()
            own.broker.start()
            assert (await one.connected()).connection == 2
            await proves_itself(one, "self/x")

    run(test())


def test_a_broker_that_says_goodbye_is_quoted(own: World) -> None:
    async def test() -> None:
        async with own.peer("one") as one:
            await one.connected()
            own.broker.stop()
            lost = await one.disconnected()
            assert lost.reason in {LinkReason.CLOSED, LinkReason.LOST}

    run(test())


def test_a_broker_that_is_down_at_the_start(own: World) -> None:
    own.broker.kill()

    async def test() -> None:
        async with own.peer("one", "self/#") as one:
            first = await one.next(ConnectFailed)
            assert (first.attempt, first.reason) == (1, LinkReason.UNREACHABLE)
            second = await one.next(ConnectFailed)
            assert second.attempt > 1
            own.broker.start()
            await one.connected()
            await proves_itself(one, "self/x")
            assert one.link.counters.connects == 1

    run(test())


def test_a_frozen_broker_is_seen_within_one_and_a_half_keepalives(own: World) -> None:
    async def test() -> None:
        async with own.peer("one", "self/#") as one:
            await one.connected()
            await proves_itself(one, "self/x")
            own.broker.freeze()
            frozen_s = time.monotonic()
            lost = await one.disconnected()
            assert time.monotonic() - frozen_s <= SEEN_S
            assert lost.reason is LinkReason.SILENT
            own.broker.thaw()
            await one.connected()
            await proves_itself(one, "self/x")

    run(test())


def test_a_frozen_broker_is_seen_while_positions_go_out(own: World) -> None:
    """Its kernel takes bytes for it; that is no sign of life."""

    async def test() -> None:
        async with own.peer("one") as one:
            await one.connected()
            own.broker.freeze()
            frozen_s = time.monotonic()

            async def report() -> None:
                while True:
                    if not one.link.publish("position", bytes(140), lane=Lane.LATEST):
                        return
                    await asyncio.sleep(0.05)

            reporting = asyncio.create_task(report())
            lost = await one.disconnected()
            assert time.monotonic() - frozen_s <= SEEN_S
            assert lost.reason is LinkReason.SILENT
            await reporting

    run(test())


@pytest.mark.parametrize(("up", "down"), [(True, True), (True, False), (False, True)])
def test_a_black_hole_is_seen_and_mended(world: World, up: bool, down: bool) -> None:
    async def test() -> None:
        async with (
            TcpProxy(world.broker.port) as proxy,
            world.peer("one", "self/#", port=proxy.port) as one,
        ):
            await one.connected()
            await proves_itself(one, "self/x")
            proxy.black_hole(up=up, down=down)
            started_s = time.monotonic()
            lost = await one.disconnected()
            assert time.monotonic() - started_s <= SEEN_S
            assert lost.reason in {LinkReason.SILENT, LinkReason.LOST}
            proxy.heal()
            await one.connected()
            await proves_itself(one, "self/x")

    run(test())


def test_half_open_reset_and_a_flipped_bit_each_cost_one_connection(world: World) -> None:
    async def test() -> None:
        async with (
            TcpProxy(world.broker.port) as proxy,
            world.peer("one", "self/#", port=proxy.port) as one,
        ):
            flip = partial(proxy.flip_bit, 40, up=False)
            faults: list[Callable[[], None]] = [proxy.cut, proxy.half_open, flip]
            for number, fault in enumerate(faults, start=1):
                assert (await one.connected()).connection == number
                await proves_itself(one, "self/x")
                fault()
                one.link.publish("self/x", b"into the fault", qos=1)
                await one.disconnected()
            await one.connected()
            await proves_itself(one, "self/x")
            assert one.link.counters.connects == 4

    run(test())


@pytest.mark.parametrize("pieces", [1, 60])
def test_a_dribble_while_connecting_is_cut_by_the_deadline(world: World, pieces: int) -> None:
    async def test() -> None:
        async with (
            TcpProxy(world.broker.port) as proxy,
            world.peer("one", port=proxy.port, connect_timeout_s=0.6) as one,
        ):
            proxy.dribble(piece_bytes=pieces, gap_s=0.25, up=False)
            failed = await one.next(ConnectFailed, timeout_s=2.0)
            assert failed.reason is LinkReason.TIMEOUT
            assert "handshake" in failed.detail
            proxy.heal()
            await one.connected()

    run(test())


def test_a_server_that_accepts_and_says_nothing(world: World) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            async with world.peer("one", port=mute.getsockname()[1], connect_timeout_s=0.5) as one:
                failed = await one.next(ConnectFailed, timeout_s=2.0)
                assert failed.reason is LinkReason.TIMEOUT

    run(test())


def test_flapping_keeps_handshakes_apart(world: World) -> None:
    """Cut at once after each connection: the interval holds, whatever the jitter draws."""

    async def test() -> None:
        async with (
            TcpProxy(world.broker.port) as proxy,
            world.peer(
                "one", port=proxy.port, handshake_interval_s=0.5, backoff_base_s=0.01
            ) as one,
        ):
            times_s = []
            for _ in range(4):
                await one.connected()
                times_s.append(time.monotonic())
                proxy.cut()
            gaps_s = [later - sooner for sooner, later in pairwise(times_s)]
            assert min(gaps_s) >= 0.4
            assert proxy.accepted == one.link.counters.handshakes == 4

    run(test())


def test_twins_throw_each_other_out_ever_less_often(world: World) -> None:
    """mosquitto 2.0 just closes the first; short connections do not reset the delays."""

    async def count_takeovers(peer: Peer) -> None:
        while True:
            await peer.connected()

    async def test() -> None:
        cap_s = 60.0
        async with (
            world.peer("twin", backoff_cap_s=cap_s) as first,
            world.peer("twin", backoff_cap_s=cap_s) as second,
        ):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(4.0):
                    await asyncio.gather(count_takeovers(first), count_takeovers(second))
            connects = first.link.counters.connects + second.link.counters.connects
            assert 3 <= connects <= 24

    run(test())


def test_the_brokers_packet_limit_is_kept(tmp_path: Path, world: World) -> None:
    broker = Broker(tmp_path, world.pki, options=["max_packet_size 2000"])
    with broker:

        async def test() -> None:
            async with world.peer("one", "self/#", port=broker.port) as one:
                await one.connected()
                assert not one.link.publish("self/x", bytes(2001), qos=1)
                assert one.link.counters.dropped["too large"] == 1
                await proves_itself(one, "self/x")

        run(test())


def test_a_publication_that_the_access_list_forbids_is_counted(
    tmp_path: Path, world: World
) -> None:
    acl = "user one\ntopic write allowed/#\ntopic read allowed/#\n"
    broker = Broker(tmp_path, world.pki, acl=acl)
    with broker:

        async def test() -> None:
            async with world.peer("one", "allowed/#", port=broker.port) as one:
                await one.connected()
                assert one.link.publish("forbidden/x", b"", qos=1)
                dropped = one.link.counters.dropped
                await until(lambda: dropped["refused by the broker"] == 1, "the refusal")
                await proves_itself(one, "allowed/x")
                assert one.link.counters.connects == 1

        run(test())


def test_a_name_that_is_not_found(world: World) -> None:
    async def test() -> None:
        async with world.peer("one", host="broker.invalid") as one:
            failed = await one.next(ConnectFailed)
            assert failed.reason is LinkReason.NAME_NOT_FOUND

    run(test())


def test_cancel_while_there_is_no_broker_is_quick(world: World) -> None:
    async def test() -> None:
        async with world.peer(
            "one", port=free_port(), backoff_base_s=20.0, backoff_cap_s=20.0
        ) as one:
            await one.next(ConnectFailed)
            started_s = time.monotonic()
        assert time.monotonic() - started_s < 0.5

    run(test())


def test_cancel_with_a_frozen_broker_takes_a_second_at_most(own: World) -> None:
    async def test() -> None:
        async with own.peer("one") as one:
            await one.connected()
            own.broker.freeze()
            one.link.publish("x", bytes(200_000), qos=1)
            started_s = time.monotonic()
        assert time.monotonic() - started_s < 1.3

    run(test())


def test_the_puback_of_an_old_connection_goes_nowhere(world: World) -> None:
    async def test() -> None:
        async with (
            TcpProxy(world.broker.port) as proxy,
            world.peer("one", "self/#", port=proxy.port) as one,
        ):
            await one.connected()
            one.link.publish("self/x", b"1", qos=1)
            old: Message = await one.message()
            proxy.cut()
            await one.disconnected()
            one.link.puback(old)
            await one.connected()
            one.link.puback(old)
            await proves_itself(one, "self/x")

    run(test())
