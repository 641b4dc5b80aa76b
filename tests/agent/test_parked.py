"""Parked means parked: no wander makes a way, no towing and no driving off stays unseen."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from math import cos, pi, radians, sin
from pathlib import Path

import pytest

from agent.core.fix import DAY_MS, Fix, FixKind
from agent.core.ignition import Ignition
from agent.core.parked import REST_S, Anchor, AnchoredFix
from agent.core.reporting import Predict
from agent.core.track_builder import point_of
from agent.gnss_decode import Decoder
from agent.settings import TrackSettings
from agent.timekeeper import Timekeeper
from agent.whereabouts import NewestFix, Whereabouts
from protocol import device, trip
from protocol.entry import Alarm
from protocol.geodesy import distance_m
from protocol.position import Position
from protocol.track import TrackPoint
from protocol.words import TimeTrust, bits_to_flags
from tests.agent.bare_terminal import World
from tests.agent.pipeline import Pipeline

START_MS = 1_793_600_000_000
LAT, LON = 24.513, 117.647
METRE_DEG = 1 / 111_195
PARKED_LOGS = (  # by their extent: no more than 40 m, and slower than a walk
    "ais-nmea", "beidou-bd", "bu353s4", "gr601-w", "iTrek", "meinberg-gps164", "motorola-t805",
    "mt3339", "myguide-3100", "navika-100-fix", "neo-m8n", "nokia-ld-4w", "quectel-L70",
    "quectel-l76k-dual", "quectel-l76k-nmea", "sirfstarv-nmea", "skytraq-PX1172RH_DS",
    "st-teseo-liv3f", "telit-he910", "ublox-8", "ublox-lea-5h", "ublox-neo-m9n-nmea",
    "ublox-zed-f9p-nmea",
)  # fmt: skip


def fix_at(second: float, north_m: float, east_m: float, sog_mps: float | None = 0.0) -> Fix:
    epoch_ms = START_MS + round(second * 1000)
    return Fix(
        epoch_ms=epoch_ms,
        time_of_day_ms=epoch_ms % DAY_MS,
        lat_deg=LAT + north_m * METRE_DEG,
        lon_deg=LON + east_m * METRE_DEG / cos(radians(LAT)),
        alt_m=12.0,
        sog_mps=sog_mps,
        cog_deg=0.0,
        kind=FixKind.FIX_3D,
        satellites=11,
        hdop=0.9,
    )


def wander(seconds: int, seed: int) -> Iterator[Fix]:
    """A receiver at rest: correlated metres, a slow drift, and reflections for a minute or so.

    Its speed is mostly noise; while a reflection comes or goes, half of that shows in it.
    """
    rng = random.Random(seed)
    north = east = reach_m = 0.0
    since_s = until_s = -1
    bearing = 0.0
    for second in range(seconds):
        north += -north / 120 + rng.gauss(0, 0.45)  # sigma 3.5 m, over two minutes
        east += -east / 120 + rng.gauss(0, 0.45)
        drift_m = 5 * sin(2 * pi * second / 21_600)
        if second > until_s and rng.random() < 1 / 1500:
            since_s, until_s = second, second + rng.randrange(60, 180)
            reach_m, bearing = rng.uniform(15, 30), rng.uniform(0, 2 * pi)
        share = max(0.0, min(1.0, (second - since_s) / 20, (until_s - second) / 20))
        is_moving = second <= until_s and 0 < share < 1
        sog_mps = abs(rng.gauss(0, 0.2)) + (reach_m / 40 if is_moving else 0.0)
        yield fix_at(
            second,
            north + drift_m + share * reach_m * cos(bearing),
            east + share * reach_m * sin(bearing),
            sog_mps,
        )


def course(
    start_s: int, seconds: int, accel_mps2: float, top_mps: float, after: Fix | None = None
) -> Iterator[Fix]:
    """Straight north from rest, with the error that the fix before had."""
    north_m = 0.0 if after is None else ((after.lat_deg or 0.0) - LAT) / METRE_DEG
    east_m = 0.0 if after is None else ((after.lon_deg or 0) - LON) / METRE_DEG * cos(radians(LAT))
    for n in range(1, seconds + 1):
        rise_s = min(n, top_mps / accel_mps2)
        way_m = accel_mps2 * rise_s**2 / 2 + top_mps * max(0.0, n - rise_s)
        yield fix_at(start_s + n, north_m + way_m, east_m, min(top_mps, accel_mps2 * n))


def run(fixes: Iterator[Fix] | list[Fix], ignition: bool | None = None) -> list[AnchoredFix]:
    anchor = Anchor()
    return [anchor.feed(fix, (fix.epoch_ms or 0) - START_MS, ignition) for fix in fixes]


def points(anchored: list[AnchoredFix]) -> list[TrackPoint]:
    found = [point_of(one.kept, 0) for one in anchored]
    return [point for point in found if point is not None]


def places(anchored: list[AnchoredFix]) -> set[tuple[float | None, float | None]]:
    return {(one.reported.lat_deg, one.reported.lon_deg) for one in anchored}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ignition", [None, False])
def test_twelve_hours_at_rest_are_no_way(seed: int, ignition: bool | None) -> None:
    fixes = list(wander(12 * 3600, seed))
    away_m = [distance_m(LAT, LON, f.lat_deg or 0, f.lon_deg or 0) for f in fixes]
    assert max(away_m) > 25, "a wander that a plain odometer counts"
    anchored = run(fixes, ignition)
    assert all(one.parked for one in anchored)
    assert not any(one.towed or one.moved_off for one in anchored)
    after_settling = anchored[round(REST_S) + 1 :]
    assert len(places(after_settling)) == 1
    assert {one.reported.sog_mps for one in anchored} == {0.0}
    assert trip.distance_m(points(anchored)) == 0.0
    assert trip.trips(points(anchored)) == ()


def test_the_same_wander_counts_without_the_flag() -> None:
    raw = [replace(point, flags=0) for point in points(run(wander(3600, 0)))]
    assert trip.distance_m(raw) > 1000


def test_the_track_keeps_the_receivers_own_fixes() -> None:
    fixes = list(wander(600, 1))
    for fix, one in zip(fixes, run(fixes), strict=True):
        assert replace(one.kept, flags=()) == fix
        assert one.kept.flags == ("parked",)
        assert one.reported.epoch_ms == fix.epoch_ms


@pytest.mark.parametrize("name", PARKED_LOGS)
def test_recorded_receivers_at_rest_make_no_way(shared_data: Path, name: str) -> None:
    assert_no_way(shared_data / "gnss-receivers" / f"{name}.log")


def test_a_moored_boat_makes_no_way(shared_data: Path) -> None:
    assert_no_way(shared_data / "gnss-drives" / "amsterdam_gps_2014.log")


def assert_no_way(log: Path) -> None:
    decoder, pipeline = Decoder(), Pipeline(None)
    for fix in decoder.feed(log.read_bytes()) + decoder.flush():
        pipeline.judge(fix, fix.time_of_day_ms or 0)
    assert len(pipeline.points) >= 4
    assert trip.distance_m(pipeline.points) == 0.0
    assert trip.trips(pipeline.points) == ()
    raw = [replace(point, flags=0) for point in pipeline.points]
    assert [one.lat_e6 for one in raw] == [
        round(fix.lat_deg * 1e6) for fix in pipeline.judged if fix.lat_deg is not None
    ]


@pytest.mark.parametrize("accel_mps2", [2.0, 3.0])
@pytest.mark.parametrize("ignition", [None, True, False])
@pytest.mark.parametrize("seed", range(5))
def test_driving_off_shows_within_two_seconds(
    accel_mps2: float, ignition: bool | None, seed: int
) -> None:
    parked = list(wander(120, seed))
    anchored = run([*parked, *course(119, 20, accel_mps2, 14.0, parked[-1])], ignition)
    first = next(n for n, one in enumerate(anchored) if one.moved_off)
    assert first - 119 <= 2
    assert not any(one.parked for one in anchored[first:])
    assert anchored[first].reported == anchored[first].kept
    assert sum(one.moved_off for one in anchored) == 1


def test_a_receiver_without_speed_shows_driving_off_by_its_places() -> None:
    fixes = [fix_at(n, 0.0, 0.0, None) for n in range(60)]
    drive = [replace(fix, sog_mps=None) for fix in course(59, 30, 2.0, 14.0)]
    anchored = run([*fixes, *drive])
    first = next(n for n, one in enumerate(anchored) if one.moved_off)
    assert first - 59 <= 4


@pytest.mark.parametrize(("top_mps", "bound_s"), [(1.0, 80), (2.0, 40), (5.0, 20), (12.0, 18)])
def test_towing_is_noticed(top_mps: float, bound_s: int) -> None:
    parked = list(wander(300, 3))
    anchored = run([*parked, *course(299, 200, 0.5, top_mps, parked[-1])], ignition=False)
    towed = [n - 299 for n, one in enumerate(anchored) if one.towed]
    assert len(towed) == 1, "once"
    assert towed[0] <= bound_s
    left = next(n for n, one in enumerate(anchored) if one.moved_off) - 299
    assert left <= towed[0]


@pytest.mark.parametrize("ignition", [None, True])
def test_the_same_movement_is_no_towing_with_the_ignition_on_or_unknown(
    ignition: bool | None,
) -> None:
    anchored = run([*wander(300, 3), *course(299, 200, 0.5, 5.0)], ignition)
    assert any(one.moved_off for one in anchored)
    assert not any(one.towed for one in anchored)


def test_a_car_that_has_driven_and_switches_off_is_not_towed() -> None:
    anchor, told = Anchor(), []
    drive = [*wander(30, 4), *course(29, 100, 2.0, 14.0)]
    end_m = 14.0 * 100
    halt = [fix_at(130 + n, end_m, 0.0, 0.1) for n in range(60)]
    for fix in [*drive, *halt]:
        on = (fix.epoch_ms or 0) - START_MS < 131_000
        told.append(anchor.feed(fix, (fix.epoch_ms or 0) - START_MS, on))
    assert not any(one.towed for one in told)
    assert told[-1].parked
    at_rest = next(n for n, one in enumerate(told[40:], 40) if one.parked)
    assert at_rest - 130 <= REST_S + 2


def test_a_short_halt_ends_no_trip_and_the_way_is_whole() -> None:
    drive = list(course(0, 60, 2.0, 14.0))
    end_m = 14.0 * 60 - 49
    halt = [fix_at(61 + n, end_m, 0.0) for n in range(60)]
    on = [
        replace(fix, lat_deg=(fix.lat_deg or 0) + end_m * METRE_DEG)
        for fix in course(120, 60, 2.0, 14.0)
    ]
    anchored = run([*drive, *halt, *on])
    assert any(one.parked for one in anchored[60:120])
    (one,) = trip.trips(points(anchored))
    assert one.distance_m == pytest.approx(2 * end_m, abs=30)
    long_halt = [fix_at(61 + n, end_m, 0.0) for n in range(300)]
    later = [replace(f, epoch_ms=(f.epoch_ms or 0) + 240_000) for f in on]
    assert len(trip.trips(points(run([*drive, *long_halt, *later])))) == 2


def test_a_doubtful_leap_moves_no_parked_car() -> None:
    pipeline = Pipeline(None)
    pipeline.ignition.heard(ignition(1, on=False))
    for fix in wander(120, 5):
        pipeline.judge(fix, (fix.epoch_ms or 0) - START_MS)
    anchor = places(pipeline.placed[-1:])
    for n in range(120, 150):
        pipeline.judge(fix_at(n, 2000.0, 0.0), n * 1000)
    assert places(pipeline.placed[121:]) == anchor
    assert all({"suspect", "parked"} <= flags for flags in pipeline.flags()[120:])


def ignition(number: int, *, on: bool, boot: int = 1) -> device.Event:
    return device.Event(
        device="board-1", device_kind="board", boot=boot, event=number, name="ignition",
        detail={"on": on},
    )  # fmt: skip


def test_ignition_follows_the_newest_event_of_its_board() -> None:
    state = Ignition()
    assert state.is_on is None
    state.heard(ignition(4, on=True))
    state.heard(ignition(3, on=False))  # repeated late
    assert state.is_on is True
    state.heard(ignition(1, on=False, boot=2))
    assert state.is_on is False
    other = ignition(9, on=True).model_copy(update={"device_kind": "recorder"})
    state.heard(other)
    assert state.is_on is False
    state.heard(ignition(2, on=True, boot=2).model_copy(update={"name": "absent"}))
    assert state.is_on is None


# --- through the terminal ------------------------------------------------------------------------


def test_moving_off_is_sent_at_once_and_towing_is_logged(tmp_path: Path) -> None:
    asyncio.run(moved_off_and_towed(tmp_path))


async def moved_off_and_towed(tmp_path: Path) -> None:
    world, sent = World(tmp_path), list[Position]()

    def send(position: Position) -> bool:
        sent.append(position)
        return True

    timekeeper = Timekeeper(world.clock, 0, lambda: TimeTrust.NTP)
    whereabouts = Whereabouts(
        world.terminal, timekeeper, NewestFix(), Predict(15.0, 30),
        TrackSettings(entry_s=60, fixes_max=60), send, 4000,
    )  # fmt: skip
    whereabouts.ignition.heard(ignition(1, on=False))
    whereabouts.connected()
    sent.clear()
    began_ms = world.clock.monotonic_ms()
    parked = list(wander(60, 6))
    drive = list(course(59, 30, 2.0, 8.0, parked[-1]))
    for fix in [*parked, *drive]:
        world.clock.advance(1000)
        whereabouts.fix(fix)
        if "parked" not in bits_to_flags(sent[-1].flags):
            break
    moved_ms = world.clock.monotonic_ms() - began_ms
    assert moved_ms <= 62_000, "within 2 s"
    assert len(sent) <= 6, "a parked car says little"
    for fix in drive[2:]:
        world.clock.advance(1000)
        whereabouts.fix(fix)
    await told(world, whereabouts, "towed")


async def told(world: World, whereabouts: Whereabouts, code: str) -> None:
    task = asyncio.create_task(whereabouts.run())
    try:
        for _ in range(200):
            alarms = await world.bodies(Alarm)
            if code in [one.code for one in alarms if isinstance(one, Alarm)]:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"no alarm {code}")
    finally:
        task.cancel()
