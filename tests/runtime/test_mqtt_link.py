"""The link against a real broker: what goes through, in which order, and what is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from statistics import median

import pytest

from runtime.mqtt_types import Connected, LinkReason, Message, Will
from runtime.send_queue import Lane
from tests.runtime.links import World, make_world, run, until

BROKER_OPTIONS = ("max_inflight_messages 1000", "max_queued_messages 100000")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("link"), options=BROKER_OPTIONS)
    yield made
    made.broker.kill()


@pytest.mark.parametrize("qos", [0, 1])
def test_a_message_goes_through_as_it_is(world: World, qos: int) -> None:
    async def test() -> None:
        async with world.peer("one") as one, world.peer("two", "to/two/#") as two:
            await one.connected()
            await two.connected()
            payload = bytes(range(256))
            assert one.link.publish("to/two/x", payload, qos=qos)
            found = await two.message()
            assert (found.topic, found.payload, found.qos) == ("to/two/x", payload, qos)
            assert not found.retain
            assert not found.duplicate
            two.link.puback(found)

    run(test())


def test_a_retained_message_comes_after_connected(world: World) -> None:
    async def test() -> None:
        async with world.peer("one") as one:
            await one.connected()
            for number in range(20):
                assert one.link.publish(f"kept/{number}", b"state", qos=1, retain=True)
            await until(lambda: one.link.counters.acknowledged == 20, "20 PUBACKs")
            async with world.peer("two", "kept/#") as two:
                assert isinstance(await anext(two.link.events()), Connected)
                found = await two.messages(20)
                assert all(message.retain for message in found)
            for number in range(20):
                one.link.publish(f"kept/{number}", b"", qos=1, retain=True)
            await until(lambda: one.link.counters.acknowledged == 40, "20 more PUBACKs")

    run(test())


def test_own_topics_bring_what_is_kept_and_not_what_we_say_now(world: World) -> None:
    async def test() -> None:
        async with world.peer("other") as other:
            await other.connected()
            other.link.publish("mine/kept", b"old", qos=1, retain=True)
            await until(lambda: other.link.counters.acknowledged == 1, "the PUBACK")
            async with world.peer("one", "self/#", own_topics=["mine/#"]) as one:
                await one.connected()
                assert (await one.message()).payload == b"old"
                one.link.publish("mine/kept", b"", retain=True)
                one.link.publish("self/end", b"end")
                assert (await one.message()).payload == b"end"

    run(test())


def test_the_broker_holds_back_until_messages_are_released(world: World) -> None:
    """Manual acknowledgement: only `puback` frees a place in our receive maximum."""

    async def test() -> None:
        async with world.peer("one") as one, world.peer("two", "held/#", inbox_max=4) as two:
            await one.connected()
            await two.connected()
            for number in range(10):
                assert one.link.publish("held/x", b"%d" % number, qos=1)
            first = [await two.message() for _ in range(4)]
            with pytest.raises(TimeoutError):
                await two.message(timeout_s=0.3)
            for message in first:
                two.link.puback(message)
            rest = await two.messages(6)
            assert [message.payload for message in first + rest] == [b"%d" % n for n in range(10)]
            two.link.puback(Message("held/x", b"", 1, False, False, 999, connection=0))

    run(test())


def test_newest_replaces_urgent_first_bulk_last(world: World) -> None:
    async def test() -> None:
        async with world.peer("one") as one, world.peer("two", "way/#") as two:
            await one.connected()
            await two.connected()
            publish = one.link.publish
            for number in range(3):
                publish("way/bulk", b"bulk", lane=Lane.BULK)
                publish("way/normal", b"normal %d" % number)
                publish("way/position", b"position %d" % number, lane=Lane.LATEST)
            publish("way/sos", b"sos", qos=1, lane=Lane.URGENT)
            found = [message.payload for message in await two.messages(8)]
            assert found[:2] == [b"sos", b"position 2"]
            assert found[2:5] == [b"normal 0", b"normal 1", b"normal 2"]
            assert found[5:] == [b"bulk"] * 3
            assert one.link.counters.dropped == {"replaced by a newer one": 2}

    run(test())


def test_a_full_queue_answers_false_and_keeps_what_it_has(world: World) -> None:
    async def test() -> None:
        async with world.peer("one", queue_max=5) as one, world.peer("two", "full/#") as two:
            await one.connected()
            await two.connected()
            answers = [one.link.publish("full/x", b"%d" % number) for number in range(8)]
            assert answers == [True] * 5 + [False] * 3
            assert one.link.bytes_queued > 0
            assert one.link.counters.dropped == {"queue full": 3}
            assert [m.payload for m in await two.messages(5)] == [b"0", b"1", b"2", b"3", b"4"]
            assert one.link.publish("full/x", b"again")

    run(test())


def test_what_mqtt_has_not_is_refused_at_once(world: World) -> None:
    async def test() -> None:
        async with world.peer("one") as one:
            assert not one.link.publish("before/connected", b"")
            await one.connected()
            for topic, qos in (("", 0), ("a/+", 0), ("#", 1), ("a\0b", 0), ("a", 2)):
                with pytest.raises(ValueError, match="cannot publish"):
                    one.link.publish(topic, b"", qos=qos)
            assert not one.link.publish("a", bytes(300_000))
            assert one.link.counters.dropped == {"not connected": 1, "too large": 1}
            assert one.link.is_connected

    run(test())


def test_publish_opens_only_when_the_consumer_knows_of_the_connection(world: World) -> None:
    async def test() -> None:
        async with world.peer("one") as one:
            await until(lambda: one.link.counters.connects == 1, "the connection")
            assert not one.link.is_connected
            assert not one.link.publish("a", b"")
            await one.connected()
            assert one.link.is_connected
            assert one.link.publish("a", b"")

    run(test())


def test_repeated_topics_go_by_their_alias(world: World) -> None:
    """Bytes on the wire: fixed header 2 (3 from 128 on), topic length 2, properties 4, payload."""
    topic, payload = "outrider-like/terminal/zhangzhou/car-0001/position", b"p" * 80

    async def test() -> None:
        async with world.peer("one") as one, world.peer("two", "outrider-like/#") as two:
            await one.connected()
            await two.connected()
            sizes = []
            for _ in range(3):
                before = one.link.counters.bytes_out
                assert one.link.publish(topic, payload, lane=Lane.LATEST)
                assert (await two.message()).topic == topic
                sizes.append(one.link.counters.bytes_out - before)
            assert sizes == [9 + len(topic) + 80, 8 + 80, 8 + 80]

    run(test())


def test_more_topics_than_aliases(world: World) -> None:
    async def test() -> None:
        async with world.peer("one") as one, world.peer("two", "many/#") as two:
            await one.connected()
            await two.connected()
            topics = [f"many/{number}" for number in range(40)] * 2
            for topic in topics:
                assert one.link.publish(topic, topic.encode())
            found = await two.messages(80)
            assert [message.topic for message in found] == topics
            assert all(message.topic.encode() == message.payload for message in found)

    run(test())


def test_a_retained_message_expires_in_the_broker(world: World) -> None:
    async def test() -> None:
        async with world.peer("one") as one:
            await one.connected()
            assert one.link.publish("short/x", b"gone soon", qos=1, retain=True, expiry_s=0.9)
            assert one.link.publish("short/y", b"stays", qos=1, retain=True, expiry_s=600)
            await until(lambda: one.link.counters.acknowledged == 2, "2 PUBACKs")
            deadline_s = time.monotonic() + 8
            seen = {"short/x"}
            while "short/x" in seen:
                assert time.monotonic() < deadline_s, "the message outlived its expiry"
                async with world.peer("two", "short/#") as two:
                    await two.connected()
                    assert two.link.publish("short/end", b"")
                    seen = set()
                    while "short/end" not in seen:
                        seen.add((await two.message()).topic)
            assert "short/y" in seen
            one.link.publish("short/y", b"", qos=1, retain=True)
            await until(lambda: one.link.counters.acknowledged == 3, "the last PUBACK")

    run(test())


def test_an_inbox_that_is_full_stops_reading_and_the_link_lives_on(world: World) -> None:
    """The consumer sleeps for longer than a dead link would take to be seen."""

    async def test() -> None:
        async with (
            world.peer("one", keepalive_s=1.0) as one,
            world.peer("two", "load/#", inbox_max=20, keepalive_s=1.0) as two,
        ):
            await one.connected()
            await two.connected()
            for number in range(400):
                assert one.link.publish("load/x", b"%d" % number)
            await until(lambda: two.link.counters.pauses == 1, "the pause")
            held = two.link.inbox_messages
            assert 20 <= held <= 20 + 64
            slept = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(2.5, slept.set_result, None)
            await slept
            assert two.link.inbox_messages == held
            found = await two.messages(400)
            assert [int(message.payload) for message in found] == list(range(400))
            assert two.link.counters.connects == 1
            assert not two.link.counters.disconnects

    run(test())


def test_the_will_comes_after_a_kill_and_not_after_a_cancel(world: World) -> None:
    def make_will(connection: int) -> Will:
        return Will(topic="will/one", payload=b"connection %d" % connection)

    async def test() -> None:
        async with world.peer("two", "will/#") as two:
            await two.connected()
            one = world.peer("one", make_will=make_will)
            async with one:
                await one.connected()
                started_s = time.monotonic()
            assert time.monotonic() - started_s < 1.0
            world.broker.wait_for_log("Received DISCONNECT from one")
            async with world.peer("one", make_will=make_will) as again:
                await again.connected()
                assert again.link._connection is not None
                again.link._connection.abort()  # no DISCONNECT: what a kill looks like
                assert (await two.message()).payload == b"connection 1"
                lost = await again.disconnected()
                assert lost.reason is LinkReason.LOST
                assert (await again.connected()).connection == 2

    run(test())


def test_what_is_queued_is_sent_before_the_goodbye(world: World) -> None:
    async def test() -> None:
        async with world.peer("two", "last/#") as two:
            await two.connected()
            async with world.peer("one") as one:
                await one.connected()
                for number in range(300):
                    assert one.link.publish("last/x", b"%d" % number)
            assert len(await two.messages(300)) == 300

    run(test())


def test_a_fault_of_our_own_comes_out_of_run_and_events(world: World) -> None:
    def make_will(_connection: int) -> Will:
        raise ZeroDivisionError("a bug")

    async def test() -> None:
        async with world.peer("one", make_will=make_will) as one:
            with pytest.raises(ZeroDivisionError):
                await one.connected()
            with pytest.raises(ZeroDivisionError):
                await one.task

    run(test())


def test_a_fault_inside_a_callback_comes_out_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with world.peer("one", "self/#") as one:
            await one.connected()

            def broken(_message: Message) -> bool:
                raise ZeroDivisionError("a bug")

            monkeypatch.setattr(one.link._inbox, "put_message", broken)
            one.link.publish("self/x", b"")
            with pytest.raises(ZeroDivisionError):
                await one.message()
            with pytest.raises(ZeroDivisionError):
                await one.task

    run(test())


def test_round_trips_at_qos_1(world: World) -> None:
    """Prints the median; a figure to look at, no bound."""

    async def test() -> float:
        async with world.peer("one", "back/#") as one, world.peer("two", "there/#") as two:
            await one.connected()
            await two.connected()

            async def echo() -> None:
                while True:
                    message = await two.message()
                    two.link.publish("back/x", message.payload, qos=1)
                    two.link.puback(message)

            echoing, times_s = asyncio.create_task(echo()), []
            for _ in range(300):
                started_s = time.perf_counter()
                one.link.publish("there/x", b"x" * 200, qos=1)
                one.link.puback(await one.message())
                times_s.append(time.perf_counter() - started_s)
            echoing.cancel()
            await asyncio.gather(echoing, return_exceptions=True)
            return median(times_s)

    p50_ms = run(test()) * 1000
    print(f"round trip A → broker → B → broker → A, QoS 1: p50 {p50_ms:.2f} ms")  # noqa: T201


def test_twenty_thousand_messages_at_qos_1_all_arrive_in_order(world: World) -> None:
    count = 20_000

    async def test() -> float:
        async with (
            world.peer("one", inflight_max=1000) as one,
            world.peer("two", "mass/#", inbox_max=1000) as two,
        ):
            await one.connected()
            await two.connected()
            receiving = asyncio.create_task(two.messages(count, timeout_s=50))
            started_s, sent = time.perf_counter(), 0
            while sent < count:
                if one.link.publish("mass/x", b"%0200d" % sent, qos=1):
                    sent += 1
                else:
                    await asyncio.sleep(0)
            found = await receiving
            taken_s = time.perf_counter() - started_s
            assert [int(message.payload) for message in found] == list(range(count))
            await until(lambda: one.link.counters.acknowledged == count, "all PUBACKs")
            assert one.link.throughput_bytes_per_s is None  # no message of 1 KiB yet
            assert one.link.publish("mass/x", bytes(50_000), qos=1)
            await until(lambda: one.link.counters.acknowledged > count, "the last PUBACK")
            assert (one.link.throughput_bytes_per_s or 0) > 100_000
            return count / taken_s

    rate = run(test())
    print(f"QoS 1, both ends in one process: {rate:.0f} messages/s")  # noqa: T201
