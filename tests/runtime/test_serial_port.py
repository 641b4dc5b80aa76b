"""A port on a real pseudo-terminal: unplugged, back under another name, flooded, not reading."""

import asyncio
import contextlib
import os
import termios
import time
import tty
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest

from runtime.faults import PortLost
from runtime.serial_port import RETRY_S_MAX, Lost, Opened, PortEvent, SerialPort

DEADLINE_S = 10.0


class Device:
    """The far end of a pseudo-terminal under a stable link, as udev would make it."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.master = -1

    def plug(self) -> str:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        name = os.ttyname(slave)
        os.close(slave)
        self.link.symlink_to(name)
        return name

    def unplug(self) -> None:
        self.link.unlink()
        os.close(self.master)
        self.master = -1


@pytest.fixture
def device(tmp_path: Path) -> "Device":
    return Device(tmp_path / "gnss")


class Events:
    """Events of a port with a deadline on each."""

    def __init__(self, port: SerialPort) -> None:
        self._events = port.chunks()

    async def next(self) -> PortEvent:
        async with asyncio.timeout(DEADLINE_S):
            return await anext(self._events)

    async def bytes(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            chunk = await self.next()
            assert isinstance(chunk, bytes)
            received += chunk
        return received


@contextlib.asynccontextmanager
async def _opened(device: Device) -> AsyncIterator[tuple[SerialPort, Events]]:
    name = device.plug()
    async with SerialPort(str(device.link), 9600, retry_s_min=0.02) as port:
        events = Events(port)
        assert await events.next() == Opened(name, 9600)
        yield port, events


def _run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(test(), debug=False)


def test_bytes_pass_both_ways_unchanged(device: Device) -> None:
    everything = bytes(range(256))

    async def run() -> None:
        async with _opened(device) as (port, events):
            os.write(device.master, everything)
            assert await events.bytes(256) == everything
            await port.write(everything)
            assert os.read(device.master, 1000) == everything

    _run(run)


def test_unplugged_is_told_at_once_and_found_under_another_name(device: Device) -> None:
    async def run() -> None:
        async with _opened(device) as (port, events):
            os.write(device.master, b"last words")
            assert await events.bytes(10) == b"last words"
            began_s = time.monotonic()
            keep, first = os.openpty()  # takes the old number, so the name must change
            device.unplug()
            lost = await events.next()
            assert isinstance(lost, Lost)
            assert time.monotonic() - began_s < 1
            assert not port.is_open
            with pytest.raises(PortLost, match="is not open"):
                await port.write(b"x")
            name = device.plug()
            assert await events.next() == Opened(name, 9600)
            os.write(device.master, b"back")
            assert await events.bytes(4) == b"back"
            os.close(keep)
            os.close(first)

    _run(run)


def test_missing_port_is_told_once_with_the_remedy(device: Device) -> None:
    async def run() -> None:
        port = SerialPort(str(device.link), 9600, retry_s_min=0.01, retry_s_max=0.02)
        events = Events(port)
        lost = await events.next()
        assert isinstance(lost, Lost)
        assert "gnss: cannot be opened (No such file or directory) – plug it in" in lost.reason
        opening = asyncio.create_task(events.next())
        done, _ = await asyncio.wait([opening], timeout=0.2)  # ten tries, no second Lost
        assert not done
        name = device.plug()
        assert await opening == Opened(name, 9600)
        await port.close()

    _run(run)


def test_the_longest_retry_keeps_the_promise_of_5_s() -> None:
    assert RETRY_S_MAX + 0.5 <= 5


def test_idle_port_costs_no_time(device: Device) -> None:
    async def run() -> None:
        async with _opened(device) as (_, events):
            waiting = asyncio.create_task(events.next())
            before_s = time.process_time()
            await asyncio.wait([waiting], timeout=0.3)
            assert time.process_time() - before_s < 0.1
            device.unplug()
            assert isinstance(await waiting, Lost)
            trying = asyncio.create_task(events.next())
            before_s = time.process_time()
            await asyncio.wait([trying], timeout=0.3)
            assert time.process_time() - before_s < 0.15
            trying.cancel()

    _run(run)


def test_flood_is_bounded_and_in_order(device: Device) -> None:
    """A consumer that sleeps holds the kernel's buffer full, not our memory."""
    flood = bytes(i % 251 for i in range(300_000))

    async def run() -> None:
        async with _opened(device) as (port, events):
            loop, rest = asyncio.get_running_loop(), memoryview(flood)

            def feed() -> None:
                nonlocal rest
                with contextlib.suppress(BlockingIOError):
                    rest = rest[os.write(device.master, rest[:4096]) :]
                if not rest:
                    loop.remove_writer(device.master)

            loop.add_writer(device.master, feed)
            async with asyncio.timeout(DEADLINE_S):
                while port._is_reading:  # noqa: ASYNC110 - until the inbox is full
                    await asyncio.sleep(0)
            assert port._inbox_bytes < 64 * 1024 + 4096
            assert await events.bytes(len(flood)) == flood

    _run(run)


def test_peer_that_does_not_read_times_out(device: Device) -> None:
    async def run() -> None:
        async with _opened(device) as (port, _):
            with pytest.raises(PortLost, match="takes no bytes"):
                await port.write(b"x" * 60_000, timeout_s=0.1)
            with pytest.raises(ValueError, match="65536 or less"):
                await port.write(b"x" * 65_537)

    _run(run)


def test_waiting_writer_learns_of_the_loss(device: Device) -> None:
    async def run() -> None:
        async with _opened(device) as (port, events):
            writing = asyncio.create_task(port.write(b"x" * 60_000))
            waiting = asyncio.create_task(events.next())
            async with asyncio.timeout(DEADLINE_S):
                while port._writable is None:  # noqa: ASYNC110 - until it waits
                    await asyncio.sleep(0)
            device.unplug()
            assert isinstance(await waiting, Lost)
            with pytest.raises(PortLost):
                await writing

    _run(run)


def test_baud_changes_while_open(device: Device) -> None:
    async def run() -> None:
        async with _opened(device) as (port, events):
            port.set_baud(115200)
            assert termios.tcgetattr(device.master)[4] == termios.B115200
            os.write(device.master, b"ok")
            assert await events.bytes(2) == b"ok"
            device.unplug()
            assert isinstance(await events.next(), Lost)
            name = device.plug()
            assert await events.next() == Opened(name, 115200)

    _run(run)


def test_port_held_by_another_is_told(device: Device) -> None:
    async def run() -> None:
        async with _opened(device):
            second = Events(SerialPort(str(device.link), 9600))
            lost = await second.next()
            assert isinstance(lost, Lost)
            assert "end the program that holds it" in lost.reason

    _run(run)


def test_id_is_looked_up_where_udev_links_it() -> None:
    async def run() -> None:
        assert SerialPort("usb-u-blox-if00", 9600).path == Path("/dev/serial/by-id/usb-u-blox-if00")

    _run(run)


def test_port_opens_again_after_each_of_many_losses(device: Device) -> None:
    async def run() -> None:
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        async with _opened(device) as (_, events):
            for _ in range(20):
                os.write(device.master, b"x")
                assert await events.bytes(1) == b"x"
                device.unplug()
                assert isinstance(await events.next(), Lost)
                name = device.plug()
                assert await events.next() == Opened(name, 9600)
            device.unplug()
            assert isinstance(await events.next(), Lost)
        await asyncio.get_running_loop().shutdown_default_executor()
        assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors

    _run(run)
