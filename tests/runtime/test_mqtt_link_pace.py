"""The link on a slow line: what waits where, and what becomes of it at a disconnect."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from hil.tcp_proxy import TcpProxy
from runtime.send_queue import Lane
from tests.runtime.links import World, make_world, run, until


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("pace"))
    yield made
    made.broker.kill()


def test_what_was_queued_does_not_reach_the_next_connection(world: World) -> None:
    async def test() -> None:
        async with (
            TcpProxy(world.broker.port) as proxy,
            world.peer("one", port=proxy.port) as one,
            world.peer("two", "old/#") as two,
        ):
            await one.connected()
            await two.connected()
            proxy.stall(up=True, down=False)
            for number in range(500):
                assert one.link.publish("old/x", bytes(2000), qos=1), number
            await until(lambda: one.link.bytes_unsent > 0, "bytes under way")
            proxy.cut()
            await one.disconnected()
            proxy.heal()
            assert one.link.counters.dropped["connection lost"] >= 400
            await one.connected()
            assert one.link.bytes_queued == 0
            assert one.link.publish("old/new", b"after", qos=1)
            found = await two.message()
            while found.topic != "old/new":
                two.link.puback(found)
                found = await two.message()
            assert found.payload == b"after"

    run(test())


def test_on_a_slow_line_the_newest_position_passes_the_backlog(world: World) -> None:
    """20 kB/s and a backlog without end. Most of the age lies in the proxy's own buffers, which a
    real line has not."""
    bytes_per_s = 20_000

    async def test() -> None:
        async with (
            TcpProxy(world.broker.port) as proxy,
            world.peer("one", port=proxy.port, keepalive_s=5.0, unsent_max_bytes=4096) as one,
            world.peer("two", "slow/#") as two,
        ):
            await one.connected()
            await two.connected()
            proxy.rate_limit(bytes_per_s)
            loop = asyncio.get_running_loop()

            async def fill() -> None:
                while True:
                    while one.link.publish("slow/backlog", bytes(1500), qos=1, lane=Lane.BULK):
                        pass
                    await asyncio.sleep(0.05)

            async def report() -> None:
                while True:
                    stamp = f"{loop.time()}".encode()
                    one.link.publish("slow/position", stamp, lane=Lane.LATEST)
                    await asyncio.sleep(0.1)

            tasks = [asyncio.create_task(fill()), asyncio.create_task(report())]
            ages_s: list[float] = []
            started_s = loop.time()
            while loop.time() - started_s < 5.0:
                message = await two.message()
                two.link.puback(message)
                if message.topic == "slow/position":
                    ages_s.append(loop.time() - float(message.payload))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert len(ages_s) >= 5
            assert max(ages_s) <= 2.0

    run(test())


def test_batches_sized_by_the_throughput_stay_within_a_second(world: World) -> None:
    """As the uplink does: one batch under way, half a second of what was measured."""
    bytes_per_s = 40_000

    async def test() -> None:
        async with (
            TcpProxy(world.broker.port) as proxy,
            world.peer("one", port=proxy.port, keepalive_s=5.0) as one,
        ):
            await one.connected()
            proxy.rate_limit(bytes_per_s)
            loop, counters = asyncio.get_running_loop(), one.link.counters
            times_s: list[float] = []
            for number in range(1, 11):
                rate = one.link.throughput_bytes_per_s
                size = 2048 if rate is None else min(65_000, max(1024, int(rate / 2)))
                started_s = loop.time()
                assert one.link.publish("batch", bytes(size), qos=1, lane=Lane.BULK)
                await until(lambda n=number: counters.acknowledged == n, "the PUBACK")  # type: ignore[misc]
                times_s.append(loop.time() - started_s)
            assert max(times_s) <= 2.0
            assert max(times_s[5:]) <= 1.0
            measured = one.link.throughput_bytes_per_s
            assert measured is not None
            assert bytes_per_s / 2 <= measured <= bytes_per_s * 2

    run(test())
