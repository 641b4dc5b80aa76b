"""Every recorded drive through real processes: what the centre keeps equals what the log says.

Each drive is restamped to end now and played into a pseudo-terminal of its own, as fast as its
agent takes it; all of them at once, into one broker and one matcher. The expected track is read
from the file by tests/rim/drive_log.py alone, shifted by the one constant that restamping used.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from protocol.track import TrackPoint
from tests.authority.fleet import real_now_ms
from tests.rim import drive_log
from tests.rim.daemon import until
from tests.rim.drive_log import Point, gaps_s
from tests.rim.journal import numbers_of, track_of
from tests.rim.world import DESK, World

pytestmark = [pytest.mark.xdist_group("rim-drives"), pytest.mark.timeout(240)]

REPLAY_S = 120.0  # for all together; a few seconds on an idle machine
PLACE_DEG = 1e-6 + 1e-9
SPEED_MPS = 0.05 + 1e-9  # half the last digit of 0.1 m/s
COURSE_DEG = 0.5 + 1e-9
GAP_S = 8  # as outages.json counts
NAMES = (
    "amsterdam_gps_2014.log",
    "copenhagen_walk_amod_2012.nmea",
    "hangzhou_gn_bd_2016.nmea",
    "milan_2010.nmea",
    "mountain_view_truth_span_2020.gga",
    "mountain_view_ublox_f9k_2020.nmea",
    "munich_city_2009.nmea",
    "oklahoma_trimble_r1_2016.nmea",
    "st_petersburg_2016.nmea",
    "switzerland_241km_2010.nmea",
)


LATE_DESK = "d02-late"


@dataclass(frozen=True, slots=True)
class Drive:
    """One replay: what the log says, moved to the track's end, and what the centre has."""

    expected: list[Point]
    track: list[TrackPoint]
    shift_ms: int
    begun_ms: int  # the test's clock around the replay
    ended_ms: int
    numbers: list[int]  # of the logbook's entries
    retained: dict[str, Any]  # the unit's feature, as one who comes late reads it


@dataclass(frozen=True, slots=True)
class Replays:
    """What the world had seen once the last fix was at the centre."""

    drives: dict[str, Drive]
    refused: dict[str, int]
    states: tuple[str, str]  # the matcher's at its end, and a replay's


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "gnss-drives"


@pytest.fixture(scope="module")
def replays(folder: Path) -> Replays:
    files = {f"u{n}": folder / name for n, name in enumerate(NAMES)}
    desks = {DESK: ("dispatcher",), LATE_DESK: ("dispatcher",)}
    with World(*files, managers=desks) as world:
        return replayed(world, files)


def replayed(world: World, files: dict[str, Path]) -> Replays:
    """All drives at once; back when every fix is at the centre."""
    for unit, file in files.items():
        receiver = world.terminals[unit].receiver
        receiver.argv = [*receiver.argv[:6], str(file), "--restamp", "--rate", "0"]
    begun_ms = real_now_ms()
    world.start()
    for unit in files:
        world.terminals[unit].crew().log_on(unit)
    drives = {file.name: collected(world, unit, file, begun_ms) for unit, file in files.items()}
    late = world.add_desk(LATE_DESK).connected()
    for unit, file in files.items():
        drives[file.name].retained.update(late.unit(unit, lambda _: True))
    refused = world.desk.wait(lambda: world.desk.statistics, "statistics")["refused"]
    live = world.live_state()
    assert world.ask_journal("verify")
    return Replays(
        drives, refused, (live, json.loads(world.ask_journal("replay", "--json"))["state"])
    )


def collected(world: World, unit: str, file: Path, begun_ms: int) -> Drive:
    terminal, enrolment = world.terminals[unit], world.enrolments[f"t-{unit}"]
    end = json.loads(terminal.receiver.wait_for('"event": "end"', REPLAY_S))
    assert end["bytes_dropped"] == 0
    ended_ms = real_now_ms()
    points = drive_log.points(file)
    with contextlib.suppress(AssertionError):  # what is missing is told by the tests
        until(lambda: len(track_of(world.journal, enrolment)) >= len(points), file.name)
    world.desk.unit(unit, lambda p: p["fix"] == "none" and p["position_time"] is not None)
    track = track_of(world.journal, enrolment)
    shift_ms = track[-1].time_ms - points[-1].time_ms
    expected = [replace(point, time_ms=point.time_ms + shift_ms) for point in points]
    numbers = numbers_of(world.journal, enrolment)
    return Drive(expected, track, shift_ms, begun_ms, ended_ms, numbers, {})


@pytest.fixture(params=NAMES)
def drive(replays: Replays, request: pytest.FixtureRequest) -> Drive:
    return replays.drives[request.param]


def test_every_drive_of_the_data_is_replayed(folder: Path) -> None:
    found = {path.name for path in folder.iterdir() if path.suffix in (".nmea", ".log", ".gga")}
    assert found == set(NAMES)


def test_the_track_has_every_fix_at_its_time(drive: Drive) -> None:
    assert [point.time_ms for point in drive.track] == [one.time_ms for one in drive.expected]


def test_the_last_epoch_is_now(drive: Drive) -> None:
    """Restamping moves by whole seconds, and nothing on the way moves it further."""
    assert drive.shift_ms % 1000 == 0
    assert drive.begun_ms - 1000 <= drive.track[-1].time_ms <= drive.ended_ms


def test_places_are_the_logs(drive: Drive) -> None:
    for point, one in zip(drive.track, drive.expected, strict=True):
        assert abs(point.lat_e6 / 1e6 - one.lat) <= PLACE_DEG, one
        assert abs(point.lon_e6 / 1e6 - one.lon) <= PLACE_DEG, one


def test_speeds_and_courses_are_the_logs(drive: Drive) -> None:
    for point, one in zip(drive.track, drive.expected, strict=True):
        assert (point.speed_dm_s is None) == (one.speed_mps is None), one
        assert (point.course_deg is None) == (one.course_deg is None), one
        if point.speed_dm_s is not None and one.speed_mps is not None:
            assert abs(point.speed_dm_s / 10 - one.speed_mps) <= SPEED_MPS, one
        if point.course_deg is not None and one.course_deg is not None:
            turn_deg = (point.course_deg - one.course_deg + 180) % 360 - 180
            assert abs(turn_deg) <= COURSE_DEG, one


@pytest.mark.parametrize("name", NAMES)
def test_gaps_are_those_that_the_data_lists(replays: Replays, folder: Path, name: str) -> None:
    """`outages.json` was computed from RMC alone: an epoch without RMC ends a pause sooner."""
    listed = [
        gap["seconds"] for gap in json.loads((folder / "outages.json").read_text()).get(name, [])
    ]
    found = gaps_s([point.time_ms for point in replays.drives[name].track], GAP_S)
    assert [abs(one - other) <= 1 for one, other in zip(found, listed, strict=True)].count(
        False
    ) == 0


def test_the_verified_state_ends_where_the_log_ends(drive: Drive) -> None:
    """Retained GeoJSON, read by one who connected after the drive; the receiver is silent now."""
    longitude, latitude = drive.retained["geometry"]["coordinates"]
    assert abs(latitude - drive.expected[-1].lat) <= PLACE_DEG
    assert abs(longitude - drive.expected[-1].lon) <= PLACE_DEG
    assert drive.retained["properties"]["fix"] == "none"
    assert drive.retained["properties"]["freshness"] != "live"


def test_the_logbook_has_no_gap(drive: Drive) -> None:
    assert drive.numbers == list(range(1, len(drive.numbers) + 1))


def test_nothing_was_refused_and_the_journal_replays(replays: Replays) -> None:
    assert replays.refused == {}
    assert replays.states[0] == replays.states[1]


def test_the_last_place_before_a_silence_is_told(folder: Path) -> None:
    """Under the default promise of 30 s too: a map shows where the receiver was last heard."""
    file = folder / "hangzhou_gn_bd_2016.nmea"
    with World("u0") as world:
        terminal = world.terminals["u0"]
        del terminal.settings["report"]
        terminal.receiver.argv = [
            *terminal.receiver.argv[:6],
            str(file),
            "--restamp",
            "--rate",
            "0",
        ]
        world.start()
        terminal.crew().log_on("u0")
        world.desk.unit("u0", lambda p: p["fix"] == "none" and p["position_time"] is not None)
        longitude, latitude = world.desk.units["u0"]["geometry"]["coordinates"]
        last = drive_log.points(file)[-1]
        assert max(abs(latitude - last.lat), abs(longitude - last.lon)) <= PLACE_DEG
