"""The device's end of a pseudo-terminal: order, pacing, dropping, hang-up, link."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from hil.port import RX_BYTES_MAX, TX_BYTES_MAX, DevicePort, PortError
from hil.pty_port import PtyLine, RealLine
from tests.hil.helpers import Reader, run


def test_bytes_arrive_as_they_are_in_both_directions(tmp_path: Path) -> None:
    every_byte = bytes(range(256)) * 8

    async def work() -> None:
        async with DevicePort(PtyLine(tmp_path / "port")) as port:
            with Reader(port.line.path) as reader:
                await port.wait_reader(0)
                port.write(every_byte)
                assert await reader.until(lambda got: len(got) >= 2048) == every_byte
                reader.write(every_byte)
                heard = b""
                while len(heard) < len(every_byte):
                    heard += await port.read()
                assert heard == every_byte

    run(work())


def test_without_a_reader_bytes_are_gone(tmp_path: Path) -> None:
    async def work() -> None:
        async with DevicePort(PtyLine(tmp_path / "port")) as port:
            assert not port.has_reader()
            assert port.write(b"lost") == 0
            with Reader(port.line.path) as reader:
                assert port.write(b"heard\n") == 6
                assert await reader.line() == b"heard"
            assert port.write(b"lost too") == 0
            assert port.bytes_dropped == 12

    run(work())


def test_a_reader_that_does_not_read_costs_bytes_but_never_blocks(tmp_path: Path) -> None:
    async def work() -> None:
        async with DevicePort(PtyLine(tmp_path / "port")) as port:
            with Reader(port.line.path) as reader:
                started_s = time.monotonic()
                taken = sum(port.write(bytes(1000)) for _ in range(1000))
                assert time.monotonic() - started_s < 1
                assert taken <= TX_BYTES_MAX
                assert port.bytes_dropped == 1_000_000 - taken
                got = await reader.until(lambda got: len(got) >= taken)
                assert len(got) == taken

    run(work())


def test_send_waits_for_the_reader_and_loses_nothing(tmp_path: Path) -> None:
    data = os.urandom(300_000)

    async def work() -> None:
        async with DevicePort(PtyLine(tmp_path / "port")) as port:
            sending = asyncio.create_task(port.send(data))
            with Reader(port.line.path) as reader:
                assert await reader.until(lambda got: len(got) >= len(data)) == data
                await sending
                assert (port.bytes_sent, port.bytes_dropped) == (len(data), 0)

    run(work())


def test_pacing_keeps_the_line_rate(tmp_path: Path) -> None:
    async def work() -> float:
        async with DevicePort(PtyLine(tmp_path / "port"), baud=38_400) as port:
            with Reader(port.line.path) as reader:
                started_s = time.monotonic()
                port.write(bytes(1920))
                await reader.until(lambda got: len(got) >= 1920)
                return time.monotonic() - started_s

    assert 0.48 <= run(work()) <= 3  # 1920 bytes at 3840 bytes/s


def test_what_was_heard_is_bounded(tmp_path: Path) -> None:
    async def work() -> None:
        async with DevicePort(PtyLine(tmp_path / "port")) as port:
            with Reader(port.line.path) as reader:
                for _ in range(200):
                    written = 0
                    while written < 1000:
                        try:
                            written += os.write(reader.fd, bytes(1000 - written))
                        except BlockingIOError:
                            await asyncio.sleep(0.001)
                assert len(await port.read()) <= RX_BYTES_MAX

    run(work())


def test_hang_up_is_seen_and_the_link_leads_to_the_new_port(tmp_path: Path) -> None:
    link = tmp_path / "port"

    async def work() -> None:
        async with DevicePort(PtyLine(link)) as port:
            with Reader(port.line.path) as reader:
                port.write(b"before\n")
                assert await reader.line() == b"before"
                port.hang_up()
                assert not link.is_symlink()
                with pytest.raises(OSError, match=r"hung up|Input/output"):
                    await reader.line()
            assert port.write(b"nowhere") == 0
            port.reappear()
            assert link.is_symlink()
            with Reader(port.line.path) as reader:
                await port.wait_reader(0)
                port.write(b"after\n")
                assert await reader.line() == b"after"
                reader.write(b"and back")
                assert await port.read() == b"and back"
        assert not link.is_symlink()

    run(work())


def test_a_dead_link_is_replaced_and_a_real_file_is_not(tmp_path: Path) -> None:
    link = tmp_path / "port"
    link.symlink_to("/dev/pts/no-such")
    line = PtyLine(link)
    line.open()
    assert os.path.exists(line.path)  # noqa: PTH110 - follows the link
    line.close()
    assert not link.is_symlink()
    link.write_text("precious")
    with pytest.raises(PortError, match="--link"):
        line.open()
    line.close()
    assert link.read_text() == "precious"


def test_a_link_taken_over_by_another_emulator_is_left_alone(tmp_path: Path) -> None:
    link = tmp_path / "port"
    first, second = PtyLine(link), PtyLine(link)
    first.open()
    second.open()
    first.close()
    assert link.is_symlink()
    second.close()
    assert not link.is_symlink()


def test_a_real_port_is_opened_by_name(tmp_path: Path) -> None:
    """The other end of a cable, here a pseudo-terminal of our own."""

    async def work() -> None:
        cable = DevicePort(PtyLine())
        async with cable, DevicePort(RealLine(cable.line.path, 115_200)) as port:
            await cable.wait_reader(0)
            await port.send(b"hello")
            assert await cable.read() == b"hello"

    run(work())
    with pytest.raises(PortError, match="no-such"):
        RealLine(str(tmp_path / "no-such"), 9600).open()
