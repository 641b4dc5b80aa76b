"""The receiver emulator as a process: bytes at the rim of a real pseudo-terminal."""

import asyncio
import contextlib
import math
import random
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pynmea2
import pytest

from hil.gnss import Noise
from hil.gnss_log import read_log
from tests.hil.helpers import DRIVES, Emulator, Reader, each_drive, needs_data, read_serial, run

LINES = [
    b"$GPRMC,%06d,A,2430.0000,N,11736.0000,E,0,,010120,,,A" % (120000 + at) for at in range(20)
]


def checked(body: bytes) -> bytes:
    value = 0
    for byte in body[1:]:
        value ^= byte
    return b"%b*%02X\r\n" % (body, value)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.nmea"
    path.write_bytes(b"# Name: test\n" + b"".join(checked(line) for line in LINES))
    return path


@pytest.fixture
def link(tmp_path: Path) -> str:
    return str(tmp_path / "gnss")


def right_sentences(data: bytes) -> list[pynmea2.NMEASentence]:
    sentences = []
    for line in data.split(b"\r\n")[1:-1]:
        try:
            sentences.append(pynmea2.parse(line.decode("latin-1"), check=True))
        except pynmea2.ParseError:
            continue
    return sentences


@needs_data
@each_drive
def test_a_drive_arrives_byte_for_byte(drive: Path, link: str) -> None:
    expected = b"".join(read_log(drive))[:400_000]
    with Emulator("gnss", str(drive), "--link", link, "--rate", "0") as emulator:
        emulator.event("ready")
        got = read_serial(link, lambda data: len(data) >= len(expected), 30)
    assert got[: len(expected)] == expected


@needs_data
def test_a_whole_drive_restamped_ends_now_at_the_rim(link: str) -> None:
    drive = next(path for path in DRIVES if path.name.startswith("hangzhou"))
    length = len(b"".join(read_log(drive)))
    with Emulator("gnss", "--restamp", str(drive), "--link", link, "--rate", "0") as emulator:
        emulator.event("ready")
        got = read_serial(link, lambda data: len(data) >= length)
        assert emulator.event("end")["bytes_dropped"] == 0
    assert len(got) == length
    last = pynmea2.parse(got.splitlines()[-1].decode(), check=True)
    stamp = datetime.now(UTC)
    assert last.sentence_type == "GGA"
    seconds = (stamp - datetime.combine(stamp.date(), last.timestamp)).total_seconds() % 86400
    assert seconds < 10


def test_replay_keeps_the_logs_intervals_at_its_rate(log: Path, link: str) -> None:
    with Emulator("gnss", str(log), "--link", link, "--rate", "20") as emulator:
        emulator.event("ready")
        started_s = time.monotonic()
        got = read_serial(link, lambda data: data.count(b"\n") == 20)
        took_s = time.monotonic() - started_s
    assert got == b"".join(checked(line) for line in LINES)
    assert 19 / 20 <= took_s <= 19 / 20 + 1


def test_a_log_loops_and_an_ended_one_ends_the_process(log: Path, link: str) -> None:
    with Emulator("gnss", str(log), "--link", link, "--rate", "0", "--loop") as emulator:
        emulator.event("ready")
        read_serial(link, lambda data: data.count(b"\n") >= 50)
        emulator.event("end")
        emulator.event("end")
    with Emulator("gnss", str(log), "--link", link, "--rate", "0", "--hold-s", "0.2") as emulator:
        emulator.event("ready")
        read_serial(link, lambda data: data.count(b"\n") == 20)
        assert emulator.wait() == 0
    assert not Path(link).is_symlink()


def test_line_pacing_slows_the_fastest_replay(log: Path, link: str) -> None:
    length = len(b"".join(checked(line) for line in LINES))
    arguments = ["--link", link, "--rate", "0", "--baud", "19200"]
    with Emulator("gnss", str(log), *arguments) as emulator:
        emulator.event("ready")
        started_s = time.monotonic()
        read_serial(link, lambda data: len(data) >= length)
        assert time.monotonic() - started_s >= length / 1920


def metres(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    north = (b[0] - a[0]) * 110_770
    east = (b[1] - a[1]) * 111_320 * math.cos(math.radians(24.513))
    return east, north


def test_a_route_is_driven_within_limits_as_the_sentences_tell(link: str) -> None:
    """20 m/s and 3 m/s², from positions and from speeds, with a corner and an arrival."""
    points = [[24.513, 117.647], [24.51312, 117.647], [24.51312, 117.64712]]
    with Emulator("gnss", "--link", link, "--hz", "5", "--at", "24.513,117.647") as emulator:
        emulator.event("ready")
        emulator.tell(do="route", points=points, speed_mps=20, accel_mps2=3)
        got = read_serial(link, lambda data: data.count(b"RMC") >= 52, 40)
        arrived = emulator.event("arrived")
        now = datetime.now(UTC)
    rmc = [s for s in right_sentences(got) if s.sentence_type == "RMC"]
    assert timedelta(0) <= now - rmc[-1].datetime < timedelta(seconds=2)
    places = [(s.latitude, s.longitude) for s in rmc]
    assert {(b.datetime - a.datetime).total_seconds() for a, b in pairwise(rmc)} == {0.2}
    velocities = [
        (v * math.sin(a), v * math.cos(a))
        for s in rmc
        for v, a in [(s.spd_over_grnd * 1852 / 3600, math.radians(s.true_course or 0))]
    ]
    steps = [metres(a, b) for a, b in pairwise(places)]
    assert max(math.hypot(*step) for step in steps) / 0.2 <= 20.2
    assert max(math.hypot(*v) for v in velocities) > 4
    hard = [math.dist(a, b) / 0.2 for a, b in pairwise(velocities) if min(*map(norm, (a, b))) > 0.2]
    assert max(hard) <= 3.05
    by_second = steps_of_a_second(places)
    assert max(math.dist(a, b) for a, b in pairwise(by_second)) <= 3.0
    assert arrived["lat"] == pytest.approx(points[-1][0], abs=1e-6)
    assert places[-1] == pytest.approx((points[-1][0], points[-1][1]), abs=1e-6)


def norm(vector: tuple[float, float]) -> float:
    return math.hypot(*vector)


def steps_of_a_second(places: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [metres(a, b) for a, b in pairwise(places[::5])]


def test_control_and_events(link: str) -> None:
    arguments = ["--link", link, "--verbose", "--sentences", "RMC,GSV,ZDA", "--talker", "GP"]
    with Emulator("gnss", *arguments) as emulator:
        emulator.event("ready")
        for points in ([], "x", [[1]], [[24.5, 117.6], ["a", 0]], [[95, 0]]):
            emulator.tell(do="route", points=points)
            assert "points" in str(emulator.event("refused")["reason"])
        emulator.tell(do="route", points=[[24.5, 117.6], [24.6, 117.6]])
        while not emulator.event("position")["sog_mps"]:
            pass
        emulator.tell(do="stop")
        assert emulator.event("stopped")["lon"] == pytest.approx(117.6)
        got = read_serial(link, lambda data: data.count(b"ZDA") >= 2)
    assert {s.sentence_type for s in right_sentences(got)} == {"RMC", "GSV", "ZDA"}
    assert b"$GPRMC" in got


FAULTS = ("none", "no-fix", "jump", "checksum", "cut", "garbage", "gap", "stall")


@pytest.mark.parametrize("mode", ["route", "replay"])
def test_each_fault_shows_at_the_rim_and_passes(mode: str, log: Path, tmp_path: Path) -> None:
    drive = ["--at", "24.5,117.6", "--hz", "10", "--sentences", "RMC"]
    source = drive if mode == "route" else [str(log), "--rate", "10", "--loop"]
    with contextlib.ExitStack() as stack:
        emulators = {}
        for kind in FAULTS:
            arguments = ["--link", str(tmp_path / kind), *source]
            emulators[kind] = stack.enter_context(Emulator("gnss", *arguments))
            emulators[kind].event("ready")
        readers = {kind: stack.enter_context(Reader(str(tmp_path / kind))) for kind in FAULTS}
        before, during, after = run(watch(emulators, readers))
    for kind in FAULTS:
        assert shows(kind, during[kind]), f"{kind}: {during[kind][-300:]!r}"
        for healthy in (before[kind], after[kind]):
            assert shows("none", healthy), f"{kind}: {healthy!r}"
            assert not shows(kind, healthy) or kind == "none"


Seen = dict[str, bytes]


async def watch(
    emulators: dict[str, Emulator], readers: dict[str, Reader]
) -> tuple[Seen, Seen, Seen]:
    """What each port says before, during and after its fault of 0.6 s."""
    before = {kind: await lines(reader, 3) for kind, reader in readers.items()}
    for kind, emulator in emulators.items():
        if kind != "none":
            emulator.tell(do="fault", kind=kind, seconds=0.6)
            emulator.event("fault")
        await readers[kind].until(lambda _: True)  # what came before the fault
    during = dict(zip(readers, await asyncio.gather(*map(heard, readers.values())), strict=True))
    for kind, emulator in emulators.items():
        if kind != "none":
            emulator.event("fault_end")
        await readers[kind].until(lambda _: True)
    after = {}
    for kind, reader in readers.items():
        await lines(reader, 2)  # the rest of what was spoilt
        after[kind] = await lines(reader, 3)
    return before, during, after


async def heard(reader: Reader) -> bytes:
    """What comes within 0.4 s."""
    with contextlib.suppress(TimeoutError):
        await reader.until(lambda _: False, 0.4)
    got, reader.got = reader.got, b""
    return got


async def lines(reader: Reader, count: int) -> bytes:
    """So many lines, beginning with a whole one."""
    await reader.line()
    got = await reader.until(lambda got: got.count(b"\n") >= count)
    return b"\r\n" + got[: got.rindex(b"\n") + 1]


def shows(kind: str, data: bytes) -> bool:
    """Whether `data` looks as that fault makes it."""
    whole = right_sentences(data)
    broken = data.count(b"RMC") - len(whole)
    if kind == "none":
        return bool(whole) and all(s.status == "A" and s.latitude < 24.51 for s in whole)
    if kind == "no-fix":
        return bool(whole) and whole[-1].status == "V" and not whole[-1].lat
    if kind == "jump":
        return bool(whole) and abs(whole[-1].latitude - 24.5 - 5000 / 111_195) < 1e-4
    if kind in {"gap", "stall"}:
        return data.count(b"\n") <= 1
    if kind == "garbage":
        return any(byte > 126 for byte in data)
    return broken >= 2


def test_a_hang_up_by_control_brings_a_new_port_behind_the_link(link: str) -> None:
    with Emulator("gnss", "--link", link, "--at", "24.5,117.6", "--hz", "10") as emulator:
        emulator.event("ready")
        read_serial(link, lambda data: data.count(b"RMC") >= 2)
        before = Path(link).readlink()
        emulator.tell(do="fault", kind="hang-up", seconds=0.2)
        emulator.event("fault")
        emulator.event("ready")
        assert Path(link).is_symlink()
        read_serial(link, lambda data: data.count(b"RMC") >= 2)
        assert before.name.isdigit()


def test_noise_has_its_size_and_wanders_slowly() -> None:
    noise = Noise(3.0, random.Random(1))
    errors = [noise.next(1.0) for _ in range(50_000)]
    for axis in (0, 1):
        values = [error[axis] for error in errors]
        sigma = math.sqrt(sum(v * v for v in values) / len(values))
        assert sigma == pytest.approx(3.0, rel=0.2)
        assert max(abs(b - a) for a, b in pairwise(values)) < 2.5
    assert Noise(0.0, random.Random(1)).next(1.0) == (0.0, 0.0)
