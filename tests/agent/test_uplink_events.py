"""What the uplink makes of events that no broker of the tests gives at will."""

from __future__ import annotations

import asyncio
from pathlib import Path

from protocol.entry import Alarm
from runtime.mqtt_types import Connected, Disconnected, LinkReason, Message
from tests.agent.bare_terminal import World, until


def test_twin_that_takes_the_connection_over_is_one_alarm(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path)
        running = asyncio.create_task(w.uplink.run())
        for connection in (1, 2, 3):
            w.link.inbox.put_nowait(Connected(connection, b""))
            w.link.inbox.put_nowait(
                Disconnected(connection, LinkReason.TAKEN_OVER, "taken over by a twin")
            )
        w.link.inbox.put_nowait(Message(w.topic, b"", 1, False, False, 9, 3))
        await until(lambda: w.link.released == [9], "the last event")
        alarms = [one.code for one in await w.bodies(Alarm) if isinstance(one, Alarm)]
        assert alarms == ["twin_terminal"]
        assert not w.uplink.is_up
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        w.store.close()

    asyncio.run(check())


def test_a_cut_by_the_network_is_no_twin(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path)
        running = asyncio.create_task(w.uplink.run())
        w.link.inbox.put_nowait(Connected(1, b""))
        w.link.inbox.put_nowait(Disconnected(1, LinkReason.LOST, "connection lost"))
        w.link.inbox.put_nowait(Message(w.topic, b"", 1, False, False, 9, 1))
        await until(lambda: w.link.released == [9], "the last event")
        assert not await w.bodies(Alarm)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        w.store.close()

    asyncio.run(check())
