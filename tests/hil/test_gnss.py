"""The receiver emulator as a process: bytes at the rim of a real pseudo-terminal."""

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
    assert 19 / 20 <= took_s <= 19 / 20 + 4


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


def metres(a: pynmea2.NMEASentence, b: pynmea2.NMEASentence) -> tuple[float, float]:
    """East and north from a to b."""
    north = (b.latitude - a.latitude) * 110_770
    east = (b.longitude - a.longitude) * 111_320 * math.cos(math.radians(a.latitude))
    return east, north


def test_a_route_is_driven_within_limits_as_the_sentences_tell(link: str) -> None:
    """20 m/s and 3 m/s², from positions and from speeds, with a corner and an arrival."""
    points = [[24.513, 117.647], [24.51309, 117.647], [24.51309, 117.64708]]
    with Emulator("gnss", "--link", link, "--hz", "5", "--at", "24.513,117.647") as emulator:
        emulator.event("ready")
        emulator.tell(do="route", points=points, speed_mps=20, accel_mps2=3)
        got = read_serial(link, lambda data: data.count(b"RMC") >= 40, 40)
        arrived = emulator.event("arrived")
        now = datetime.now(UTC)
    rmc = [s for s in right_sentences(got) if s.sentence_type == "RMC"]
    assert timedelta(0) <= now - rmc[-1].datetime < timedelta(seconds=2)
    assert len(rmc) >= 38
    speeds = [math.hypot(*velocity(s)) for s in rmc]
    assert 4 < max(speeds) <= 20
    for a, b in pairwise(rmc):
        step_s = (b.datetime - a.datetime).total_seconds()
        assert step_s == pytest.approx(0.2 * round(step_s / 0.2))  # a late epoch is left out
        assert math.hypot(*metres(a, b)) <= 20 * step_s + 0.1
        if min(math.hypot(*velocity(a)), math.hypot(*velocity(b))) > 0.2:  # else no course
            assert math.dist(velocity(a), velocity(b)) <= 3.05 * step_s
    assert arrived["lat"] == pytest.approx(points[-1][0], abs=1e-6)
    assert rmc[-1].latitude == pytest.approx(points[-1][0], abs=1e-6)
    assert rmc[-1].longitude == pytest.approx(points[-1][1], abs=1e-6)


def velocity(rmc: pynmea2.NMEASentence) -> tuple[float, float]:
    """East and north, in m/s."""
    speed, course = rmc.spd_over_grnd * 1852 / 3600, math.radians(rmc.true_course or 0)
    return speed * math.sin(course), speed * math.cos(course)


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


FAULTS = ("no-fix", "jump", "checksum", "cut", "garbage", "gap", "stall")


@pytest.mark.parametrize("mode", ["route", "replay"])
def test_each_fault_shows_at_the_rim_and_passes(mode: str, log: Path, link: str) -> None:
    drive = ["--at", "24.5,117.6", "--hz", "10", "--sentences", "RMC"]
    source = drive if mode == "route" else [str(log), "--rate", "20", "--loop"]

    async def work() -> None:
        with Emulator("gnss", "--link", link, *source) as emulator:
            emulator.event("ready")
            with Reader(link) as reader:
                for kind in FAULTS:
                    await is_healthy(reader)
                    emulator.tell(do="fault", kind=kind, seconds=600)
                    emulator.event("fault")
                    await is_shown(kind, reader)
                    emulator.tell(do="fault", kind=kind, seconds=0)
                    emulator.event("fault_end")
                await is_healthy(reader)

    run(work(), 60)


async def is_healthy(reader: Reader) -> None:
    """Three good lines, after what may be left of the fault before."""
    await reader.until(lambda _: True)
    await reader.until(lambda got: got.count(b"\n") >= 3)
    got = await reader.until(lambda got: got.count(b"\n") >= 4)
    whole = right_sentences(got[: got.rindex(b"\n") + 1])
    assert len(whole) >= 3
    assert all(s.status == "A" and s.latitude < 24.51 for s in whole)


async def is_shown(kind: str, reader: Reader) -> None:
    """The bytes look as that fault makes them."""
    await reader.until(lambda _: True)  # what came before the fault
    if kind in {"gap", "stall"}:
        with pytest.raises(TimeoutError):
            await reader.until(lambda got: got.count(b"\n") > 1, 0.5)
        return
    await reader.until(lambda got: shows(kind, got))


def shows(kind: str, data: bytes) -> bool:
    """Whether `data` ends as that fault makes it."""
    whole = right_sentences(data)
    if kind == "no-fix":
        return bool(whole) and whole[-1].status == "V" and not whole[-1].lat
    if kind == "jump":
        return bool(whole) and abs(whole[-1].latitude - 24.5 - 5000 / 111_195) < 1e-4
    if kind == "garbage":
        return sum(byte > 126 for byte in data) > 20
    return data.count(b"RMC") - len(whole) > 4  # at either end one may be cut by the reading


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


def test_a_planned_fault_comes_at_its_time(link: str) -> None:
    plan = ["--fault", "hang-up@0.3+0.2", "--fault", "nofix@0.1+30"]
    with Emulator("gnss", "--link", link, "--at", "24.5,117.6", *plan) as emulator:
        told = [emulator.event(name) for name in ("ready", "fault", "fault", "fault_end", "ready")]
    assert [event.get("kind") for event in told] == [None, "nofix", "hangup", "hangup", None]


def test_noise_has_its_size_and_wanders_slowly() -> None:
    noise = Noise(3.0, random.Random(1))
    errors = [noise.next(1.0) for _ in range(50_000)]
    for axis in (0, 1):
        values = [error[axis] for error in errors]
        sigma = math.sqrt(sum(v * v for v in values) / len(values))
        assert sigma == pytest.approx(3.0, rel=0.2)
        assert max(abs(b - a) for a, b in pairwise(values)) < 2.5
    assert Noise(0.0, random.Random(1)).next(1.0) == (0.0, 0.0)
