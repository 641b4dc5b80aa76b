"""Fixes by way of gpsd: the same as from the port, whatever gpsd and the network do meanwhile."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from agent import gpsd_source
from agent.core.fix import Fix
from agent.core.gpsd import GpsdAddress
from agent.gpsd_source import GpsdSource
from agent.nmea_source import NmeaSource
from hil.gnss_log import epochs, read_log, restamp
from hil.nmea import GnssState, epoch_sentences
from runtime.serial_port import SerialPort
from tests.agent.gpsd_server import FakeGpsd
from tests.hil.helpers import DRIVES, REPOSITORY, Emulator, run, until

BUILT = date(2026, 1, 1)
EPOCHS = 40


class Heard:
    """What a source gives."""

    def __init__(self) -> None:
        self.fixes: list[Fix] = []
        self.losses = 0

    def lost(self) -> None:
        self.losses += 1


def behind(port: int, heard: Heard) -> GpsdSource:
    address = GpsdAddress("127.0.0.1", port, None)
    return GpsdSource(address, BUILT, heard.fixes.append, heard.lost)


def while_running(source: GpsdSource, work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work` beside the source, with a deadline."""

    async def both() -> None:
        task = asyncio.create_task(source.run())
        try:
            await work()
        finally:
            task.cancel()

    run(both())


def test_a_flood_without_a_line_end_is_counted_and_costs_nothing_else() -> None:
    heard = Heard()
    with FakeGpsd() as gpsd:
        source = behind(gpsd.port, heard)

        async def work() -> None:
            await until(lambda: not gpsd.commands.empty())
            await asyncio.to_thread(gpsd.send, b"x" * 1_000_000)
            await asyncio.to_thread(gpsd.send, b'{"class":"TPV","mode":9}')
            time_ms = gpsd.speak()
            await until(lambda: [fix.epoch_ms for fix in heard.fixes] == [time_ms])

        while_running(source, work)
    assert source.counts == {"line_too_long": 1, "mode": 1}


def test_a_gpsd_that_comes_late_and_goes_is_met_again() -> None:
    heard = Heard()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    source = behind(free, heard)

    async def work() -> None:
        await until(lambda: heard.losses >= 2)
        with FakeGpsd(free) as gpsd:
            for count in (1, 2, 3):
                await until(lambda: not gpsd.commands.empty())
                gpsd.commands.get()
                gpsd.speak()
                gpsd.drop()  # what was reported is not lost
                await until(lambda count=count: len(heard.fixes) == count)  # type: ignore[misc]

    while_running(source, work)
    assert len({fix.epoch_ms for fix in heard.fixes}) == 3


def test_a_gpsd_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpsd_source, "PROBE_S", 0.2)
    heard = Heard()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        source = behind(mute.getsockname()[1], heard)
        while_running(source, lambda: until(lambda: heard.losses >= 2))


def test_an_idle_gpsd_that_answers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpsd_source, "PROBE_S", 0.2)
    heard = Heard()
    with FakeGpsd() as gpsd:
        source = behind(gpsd.port, heard)
        while_running(source, lambda: until(lambda: gpsd.commands.qsize() >= 4))
        assert (gpsd.connections, heard.losses) == (1, 0)
        gpsd.commands.get()
        assert gpsd.commands.get() == "?VERSION"


def test_a_receiver_that_leaves_gpsd_is_told_at_once() -> None:
    heard = Heard()
    with FakeGpsd() as gpsd:
        source = behind(gpsd.port, heard)

        async def work() -> None:
            await until(lambda: not gpsd.commands.empty())
            gpsd.speak()
            gpsd.report(**{"class": "DEVICE", "path": "/dev/ttyUSB0", "activated": 0})
            await until(lambda: heard.losses == 1)
            gpsd.speak()
            await until(lambda: len(heard.fixes) == 2)

        while_running(source, work)
    assert heard.losses == 1


@pytest.fixture(scope="session")
def gpsd_program() -> str:
    """The machine's gpsd, else Debian's unpacked; skips where neither can be had."""
    found = shutil.which("gpsd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if found is not None:
        return found
    command = [str(REPOSITORY / "run"), "unpack", "gpsd", "gpsd"]
    unpacked = subprocess.run(command, capture_output=True, text=True, check=False)
    if unpacked.returncode:
        pytest.skip(f"no gpsd here: {unpacked.stderr.strip().splitlines()[-1]}")
    return unpacked.stdout.strip()


def own_drive() -> list[bytes]:
    """EPOCHS seconds of driving at 1 Hz that ends now."""
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=EPOCHS)
    lines: list[bytes] = []
    for second in range(EPOCHS):
        state = GnssState(
            utc=first + timedelta(seconds=second), lat_deg=24.5 + second * 1e-4,
            lon_deg=117.6 + second * 7e-5, sog_mps=12 + second / 8, cog_deg=30 + second / 4,
        )  # fmt: skip
        lines += epoch_sentences("GN", ["RMC", "GGA", "GSA", "VTG"], state)
    return lines


def recorded_drive() -> list[bytes]:
    """EPOCHS epochs of a real receiver, moved to now; skips where the shared data is absent."""
    logs = [path for path in DRIVES if path.name.startswith("mountain_view_ublox")]
    if not logs:
        pytest.skip("no shared data")
    lines = [
        line for epoch in epochs(read_log(logs[0]))[200 : 200 + EPOCHS] for line in epoch.lines
    ]
    return restamp(lines, datetime.now(UTC))


@pytest.fixture(params=[own_drive, recorded_drive])
def drive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "drive.nmea"
    path.write_bytes(b"".join(request.param()))
    return path


def is_through(one: Heard, other: Heard) -> bool:
    """Whether both have the same last epoch."""
    return bool(other.fixes) and one.fixes[-1].epoch_ms == other.fixes[-1].epoch_ms


def test_gpsd_and_the_port_give_the_same_fixes(
    drive: Path, tmp_path: Path, gpsd_program: str
) -> None:
    by_port, by_gpsd = Heard(), Heard()
    links = [str(tmp_path / name) for name in ("own", "gpsds")]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        tcp_port = taken.getsockname()[1]
    options = (str(drive), "--rate", "8")

    async def both() -> None:
        port = SerialPort(links[0], 115_200)
        sources: list[NmeaSource | GpsdSource] = [
            NmeaSource(port, BUILT, lambda: 0, by_port.fixes.append, by_port.lost),
            behind(tcp_port, by_gpsd),
        ]
        tasks = [asyncio.create_task(source.run()) for source in sources]
        try:
            await until(lambda: len(by_port.fixes) == EPOCHS and is_through(by_port, by_gpsd), 30)
        finally:
            for task in tasks:
                task.cancel()

    with (
        Emulator("gnss", *options, "--link", links[0]) as own,
        Emulator("gnss", *options, "--link", links[1]) as other,
    ):
        own.event("ready")
        device = str(Path(str(other.event("ready")["port"])).resolve())
        gpsd = subprocess.Popen(
            [gpsd_program, "-N", "-n", "-b", "-S", str(tcp_port), device],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            run(both(), 40)
        finally:
            gpsd.kill()
            gpsd.wait(10)
    ours = {fix.epoch_ms: fix for fix in by_port.fixes}
    theirs = [fix for fix in by_gpsd.fixes if fix.lat_deg is not None]
    assert len(theirs) >= EPOCHS / 2, "the first second is over before gpsd serves"
    assert len({fix.epoch_ms for fix in theirs}) == len(theirs), "each epoch once"
    for fix in theirs:
        same = ours[fix.epoch_ms]
        assert fix.lat_deg == pytest.approx(same.lat_deg, abs=1e-6)
        assert fix.lon_deg == pytest.approx(same.lon_deg, abs=1e-6)
        assert fix.kind is same.kind
        assert fix.sog_mps == pytest.approx(same.sog_mps, abs=0.05)
        if fix.cog_deg is not None and same.cog_deg is not None:
            assert abs((fix.cog_deg - same.cog_deg + 180) % 360 - 180) <= 0.1
