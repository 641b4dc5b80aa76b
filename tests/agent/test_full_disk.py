"""A full disk: nothing is promised that is not kept, and all goes on by itself afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.core.track_builder import point_of
from protocol.entry import Alarm, Delivered, DeviceEvent, Track
from protocol.track import unpack
from runtime.faults import StoreFull
from runtime.mqtt_types import Connected
from tests.agent.bare_terminal import World, event, until
from tests.agent.test_reports import FIX


def test_nothing_is_promised_while_full_and_all_goes_on_by_itself(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path)
        tasks = asyncio.create_task(w.uplink.run())
        w.link.inbox.put_nowait(Connected(1, b""))
        w.link.inbox.put_nowait(w.order_message(1))
        await until(lambda: w.link.released == [1], "first order")
        await w.fill()
        w.link.inbox.put_nowait(w.order_message(2))
        await until(lambda: w.terminal.is_store_full, "full")
        assert w.link.released == [1], "neither released"
        assert list(w.terminal.state.desk.cards) == ["o-1"], "nor shown"
        for _ in range(2):
            try:
                await w.terminal.event(event(1))
            except StoreFull:
                continue
            raise AssertionError("an event was kept on a full disk")
        w.free()
        await until(lambda: w.link.released == [1, 2], "released once there is room")
        assert list(w.terminal.state.desk.cards) == ["o-1", "o-2"]
        await w.terminal.event(event(1))
        await w.terminal.event(event(1))
        assert len(await w.bodies(DeviceEvent)) == 1
        delivered = await w.bodies(Delivered)
        assert [one.order for one in delivered if isinstance(one, Delivered)] == ["o-1", "o-2"]
        alarms = [one.code for one in await w.bodies(Alarm) if isinstance(one, Alarm)]
        assert alarms.count("store_full") == 1
        assert not w.terminal.is_store_full
        tasks.cancel()
        await asyncio.gather(tasks, return_exceptions=True)
        w.store.close()

    asyncio.run(check())


def test_fixes_wait_in_memory_while_full(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path)
        await w.fill()
        tasks = asyncio.create_task(w.whereabouts.run())
        for _ in range(9):
            w.whereabouts.fix(FIX)
            w.clock.advance(1000)
        await until(lambda: w.terminal.is_store_full, "full")
        assert not await w.bodies(Track)
        w.free()
        w.clock.advance(2000)
        w.whereabouts.fix(FIX)
        await until(lambda: not w.terminal.is_store_full, "room")
        await w.whereabouts.stop()
        tracks = [one for one in await w.bodies(Track) if isinstance(one, Track)]
        points = [point for one in tracks for point in unpack(one.packed, one.count)]
        assert points == [point_of(FIX, 0)] * 10
        tasks.cancel()
        await asyncio.gather(tasks, return_exceptions=True)
        w.store.close()

    asyncio.run(check())


def test_receipted_entries_give_way_to_new_ones(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path)
        for number in range(1, 200):
            await w.terminal.event(event(number))
        await w.logbook.receipted(w.logbook.synced_n, [])
        await w.fill()
        await w.terminal.event(event(1000))
        assert not w.terminal.is_store_full
        assert w.logbook.book.base_n > 0
        w.store.close()

    asyncio.run(check())
