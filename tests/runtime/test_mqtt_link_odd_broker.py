"""A broker that was taken over, or is of another make: nothing it says stops or swells the link."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.mqtt_types import Connected, ConnectFailed, LinkReason, Message
from runtime.send_queue import Lane
from tests.broker import Broker
from tests.pki import Pki
from tests.runtime.links import Peer, World, run, until
from tests.runtime.odd_broker import CONNACK, PINGREQ, OddBroker, Talk

SUBACK = bytes.fromhex("9004000100") + b"\x01"
SUBACK_REFUSED = bytes.fromhex("9004000100") + b"\x87"
PUBLISH = bytes.fromhex("3008") + b"\x00\x03a/b\x00hi"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Without a running mosquitto."""
    folder = tmp_path_factory.mktemp("odd")
    pki = Pki(folder)
    return World(pki, Broker(folder, pki))


def peer(world: World, broker: OddBroker, *topics: str, keepalive_s: float = 2.0) -> Peer:
    return world.peer("one", *topics, port=broker.port, keepalive_s=keepalive_s)


def first_failure(world: World, *said: bytes, topics: tuple[str, ...] = ()) -> ConnectFailed:
    """What the link makes of a broker that answers CONNECT with `said`."""

    async def script(talk: Talk) -> None:
        talk.say(*said)

    async def test() -> ConnectFailed:
        async with OddBroker(world.pki, script) as broker, peer(world, broker, *topics) as one:
            failed = await one.next(ConnectFailed)
            await one.next(ConnectFailed)  # and it goes on trying
            return failed

    return run(test())


@pytest.mark.parametrize(
    ("code", "text"),
    [(0x87, "not authorised"), (0x88, "server unavailable"), (0x8A, "banned"), (0x95, "too large")],
)
def test_a_refusal_is_quoted(world: World, code: int, text: str) -> None:
    found = first_failure(world, bytes((0x20, 3, 0, code, 0)))
    assert found.reason is LinkReason.REFUSED
    assert found.detail.startswith("refused by the broker: ")
    assert text in found.detail


def test_a_refused_subscription_is_no_connection(world: World) -> None:
    found = first_failure(world, CONNACK, SUBACK_REFUSED, topics=("orders",))
    assert found.reason is LinkReason.SUBSCRIPTION
    assert found.detail == "subscription refused: orders: not authorised"


def test_a_suback_for_fewer_topics_is_no_connection(world: World) -> None:
    found = first_failure(world, CONNACK, SUBACK, topics=("a", "b"))
    assert found.reason is LinkReason.PROTOCOL


def test_a_taken_over_session_is_named_and_not_taken_back_at_once(world: World) -> None:
    async def script(talk: Talk) -> None:
        talk.say(CONNACK)
        await talk.hear()
        talk.say(bytes.fromhex("e0018e"))

    async def test() -> None:
        async with OddBroker(world.pki, script) as broker, peer(world, broker) as one:
            await one.connected()
            one.link.publish("go", b"")
            lost = await one.disconnected()
            assert lost.reason is LinkReason.TAKEN_OVER
            with pytest.raises(TimeoutError):
                await one.connected(timeout_s=0.2)
            await one.connected()

    run(test())


@pytest.mark.parametrize(
    "said",
    [
        bytes.fromhex("30ffffff7f"),  # a PUBLISH of 256 MiB
        bytes.fromhex("30ffffffff7f"),  # a length of five bytes
        bytes.fromhex("300100"),  # a topic that is not there
        bytes.fromhex("3005") + b"\x00\x01a\x09\x01",  # properties longer than the packet
        bytes.fromhex("f000"),  # AUTH, which nobody asked for
        bytes.fromhex("0000"),  # a packet type that is forbidden
        bytes.fromhex("40020001"),  # PUBACK of nothing, then nonsense
        bytes.fromhex("3007") + b"\x00\x03\xff\xfe/\x00x",  # a topic that is no UTF-8
    ],
)
def test_nonsense_costs_a_connection_at_most(world: World, said: bytes) -> None:
    async def script(talk: Talk) -> None:
        talk.say(CONNACK)
        await talk.hear()
        talk.say(SUBACK, said, PUBLISH, bytes.fromhex("e000"))

    async def test() -> None:
        async with OddBroker(world.pki, script) as broker, peer(world, broker, "a/#") as one:
            await one.connected()
            lost = await one.disconnected()
            assert lost.reason in {LinkReason.PROTOCOL, LinkReason.CLOSED}
            await one.connected()
            assert not one.task.done()

    run(test())


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(said=st.binary(min_size=1, max_size=60))
def test_any_bytes_cost_a_connection_at_most(world: World, said: bytes) -> None:
    async def script(talk: Talk) -> None:
        talk.say(CONNACK, said)
        talk._writer.close()

    async def test() -> None:
        async with OddBroker(world.pki, script) as broker, peer(world, broker) as one:
            await until(lambda: len(broker.connects) >= 2 or one.task.done(), "the next attempt")
            assert not one.task.done(), one.task

    run(test())


def test_messages_before_the_suback_come_after_connected(world: World) -> None:
    async def script(talk: Talk) -> None:
        talk.say(CONNACK)
        await talk.hear()
        talk.say(PUBLISH)
        talk.say(PUBLISH, SUBACK, PUBLISH)

    async def test() -> None:
        async with OddBroker(world.pki, script) as broker, peer(world, broker, "a/#") as one:
            events = one.link.events()
            assert isinstance(await anext(events), Connected)
            for _ in range(3):
                message = await anext(events)
                assert isinstance(message, Message)
                assert (message.topic, message.payload) == ("a/b", b"hi")

    run(test())


def test_the_brokers_keepalive_receive_maximum_and_aliases_hold(world: World) -> None:
    """CONNACK with server keep alive 1 s, receive maximum 3, topic alias maximum 1."""
    heard: list[tuple[int, bytes]] = []

    async def script(talk: Talk) -> None:
        talk.say(bytes.fromhex("200c0000 09 130001 210003 220001"))
        while True:
            heard.append(await talk.hear())
            if heard[-1][0] == PINGREQ:
                talk.say(bytes.fromhex("d000"))

    def publications() -> list[bytes]:
        return [body for kind, body in heard if kind & 0xF0 == 0x30]

    async def test() -> None:
        async with (
            OddBroker(world.pki, script) as broker,
            peer(world, broker, keepalive_s=60.0) as one,
        ):
            await one.connected()
            for number in range(6):
                one.link.publish("batch", b"%d" % number, qos=1)
            one.link.publish("sos", b"sos", qos=1, lane=Lane.URGENT)
            one.link.publish("position", b"position", lane=Lane.LATEST)
            await until(lambda: len(publications()) == 4, "what may go without PUBACK")
            await until(lambda: any(kind == PINGREQ for kind, _ in heard), "a ping", 1.5)
            bodies = publications()
            assert len(bodies) == 4
            assert bodies[0][:5] == b"\x00\x03sos"
            assert b"position" in bodies[1]
            assert bodies[2].endswith(b"0")
            assert one.link.counters.connects == 1

    run(test())


def test_connect_asks_for_no_session_and_bounds_what_comes(world: World) -> None:
    async def script(talk: Talk) -> None:
        talk.say(CONNACK)

    async def test() -> bytes:
        async with OddBroker(world.pki, script) as broker, peer(world, broker) as one:
            await one.connected()
            return broker.connects[0]

    connect = run(test())
    assert connect[:7] == b"\x00\x04MQTT\x05"
    assert connect[7] == 0x02  # clean start, no will
    assert connect[8:10] == b"\x00\x02"  # keepalive
    assert connect[10] == 8
    assert sorted((connect[11:14], connect[14:19])) == [
        bytes.fromhex("210100"),
        bytes.fromhex("2700040000"),
    ]
    assert connect[19:] == b"\x00\x03one"


def test_a_broker_that_never_acknowledges_does_not_stop_positions(world: World) -> None:
    positions: list[bytes] = []

    async def script(talk: Talk) -> None:
        talk.say(bytes.fromhex("20060000 03 210002"))
        while True:
            kind, body = await talk.hear()
            if kind == 0x30:
                positions.append(body)

    async def test() -> None:
        async with OddBroker(world.pki, script) as broker, peer(world, broker) as one:
            await one.connected()
            for _ in range(10):
                one.link.publish("batch", b"", qos=1)
            for number in range(3):
                one.link.publish("position", b"%d" % number, lane=Lane.LATEST)
                await until(lambda n=number: len(positions) > n, "a position")  # type: ignore[misc]

    run(test())


def test_places_are_kept_for_the_urgent(world: World) -> None:
    """Receive maximum 8, and no PUBACK ever: two of the eight are for urgent messages."""
    heard: list[bytes] = []

    async def script(talk: Talk) -> None:
        talk.say(bytes.fromhex("20060000 03 210008"))
        while True:
            kind, body = await talk.hear()
            if kind != PINGREQ:
                heard.append(body)

    async def test() -> None:
        async with OddBroker(world.pki, script) as broker, peer(world, broker) as one:
            await one.connected()
            for _ in range(10):
                one.link.publish("batch", b"", qos=1)
            one.link.publish("end", b"", lane=Lane.LATEST)
            await until(lambda: len(heard) == 7, "six batches, and what needs no place")
            for number in range(3):
                one.link.publish("sos", b"%d" % number, qos=1, lane=Lane.URGENT)
            one.link.publish("end", b"", lane=Lane.LATEST)
            await until(lambda: len(heard) == 10, "two urgent ones, and what needs no place")
            one.task.cancel()
            await until(lambda: len(heard) == 11, "the DISCONNECT, though batches still wait")
            assert heard.pop() == b""
            assert [body[-1:] for body in heard if b"sos" in body] == [b"0", b"1"]
            assert sum(b"batch" in body for body in heard) <= 6

    run(test())


def test_two_consumers_are_refused(world: World) -> None:
    async def script(talk: Talk) -> None:
        await talk.hear()

    async def test() -> None:
        async with OddBroker(world.pki, script) as broker, peer(world, broker) as one:
            first = asyncio.ensure_future(anext(one.link.events()))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="one consumer"):
                await anext(one.link.events())
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)

    run(test())
