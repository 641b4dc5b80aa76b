"""From bytes to what the centre sees: each bad input has its flag or its counted refusal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agent.housekeeping import FIGURES_MAX, health_of
from protocol.entry import Alarm, Health
from protocol.words import FixKind, flags_to_bits
from tests.agent.conftest import World
from tests.agent.pipeline import BUILT, Pipeline
from tests.agent.receiver import framed, gga, line, rmc

START = datetime(2026, 11, 2, 10, 10, 10, tzinfo=UTC)
SUSPECT = flags_to_bits(("suspect",))
EAST_DEG_PER_S = 10 / 101_180  # 10 m/s there


def second(
    n: int,
    *,
    moved_deg: float = 0.0,
    satellites: int = 12,
    hdop: float = 0.9,
    knots: float = 19.4,
    clock_s: float | None = None,
    day: str | None = None,
) -> bytes:
    """RMC and GGA of the n-th second of a drive to the east, with what is to be wrong."""
    at = START + timedelta(seconds=n if clock_s is None else clock_s)
    lon = 117.647 + n * EAST_DEG_PER_S + moved_deg
    place = f"2430.7800,N,{int(lon):03d}{lon % 1 * 60:08.5f},E"
    date = f"{at:%d%m%y}" if day is None else day
    return line(f"GNRMC,{at:%H%M%S}.00,A,{place},{knots},090.0,{date},,,A") + line(
        f"GNGGA,{at:%H%M%S}.00,{place},1,{satellites:02d},{hdop},12.0,M,0.0,M,,"
    )


def drive(pipeline: Pipeline, first: int, last: int, **wrong: object) -> None:
    for n in range(first, last):
        pipeline.feed(second(n, **wrong), n * 1000)  # type: ignore[arg-type]


def test_a_clean_drive_has_no_flag_and_no_figure() -> None:
    pipeline = Pipeline()
    drive(pipeline, 0, 60)
    assert len(pipeline.positions) >= 59
    assert set().union(*pipeline.flags()) == set()
    assert pipeline.figures == {}
    assert pipeline.alarms() == []


@pytest.mark.parametrize(
    ("body", "figure"),
    [
        (rmc("240000.00"), "gnss_time"),
        (rmc("101060.00"), "gnss_time"),  # second 60, but no leap second
        (rmc("101010.00", date="310226"), "gnss_date"),
        (rmc("101010.00", date="1226"), "gnss_date"),
        (rmc("101010.00", lat="9930.0000"), "gnss_position"),
        (rmc("101010.00", lat=""), "gnss_position"),  # half a place
        ("GNRMC,101010.00,A,2430.78,N,,,1.0,90.0,021126,,,A", "gnss_position"),
        ("GNRMC,101010.00,A,2430.78,N,11738.82,E,abc,90.0,021126,,,A", "gnss_speed"),
        ("GNRMC,101010.00,A,2430.78,N,11738.82,E,1.0,999.0,021126,,,A", "gnss_course"),
        ("GNRMC,101010.00,A,2430.78", "gnss_field_count"),
        ("GNGGA,101010.00,2430.78,N,11738.82,E,1,12,1e9,12.0,M,0.0,M,,", "gnss_hdop"),
    ],
)
def test_an_impossible_sentence_is_a_figure_and_no_position(body: str, figure: str) -> None:
    pipeline = Pipeline()
    pipeline.feed(line(body), 0)
    pipeline.end(0)
    assert pipeline.positions == []
    assert pipeline.figures == {figure: 1}


@pytest.mark.parametrize(
    ("raw", "figure"),
    [
        (framed(rmc("101010"))[:-1] + b"\r\n", "gnss_checksum_malformed"),
        (framed(rmc("101010"))[:-3] + b"\r\n", "gnss_checksum_missing"),
        (framed(rmc("101010")).replace(b"10101", b"10111") + b"\r\n", "gnss_checksum_wrong"),
        (framed(rmc("101010"))[:30] + line(rmc("101011"))[:0] + b"\x00", "gnss_cut"),
    ],
)
def test_a_damaged_sentence_is_a_figure_and_no_position(raw: bytes, figure: str) -> None:
    pipeline = Pipeline()
    pipeline.feed(raw, 0)
    pipeline.end(0)
    assert pipeline.positions == []
    assert pipeline.figures[figure] == 1


@pytest.mark.parametrize(
    "void",
    [
        line(rmc("101010.00", status="V", lat="0000.0000")),
        line("GNRMC,101010.00,V,,,,,,,021126,,,N"),
        line(gga("101010.00", quality=0, lat="0000.0000")),
    ],
)
def test_no_fix_is_never_a_place(void: bytes) -> None:
    pipeline = Pipeline()
    pipeline.feed(void, 0)
    pipeline.end(0)
    (position,) = pipeline.positions
    assert (position.lat_e7, position.lon_e7) == (None, None)
    assert position.fix_kind == FixKind.NONE
    assert pipeline.points == []


def test_null_island_is_flagged_and_suspect() -> None:
    pipeline = Pipeline()
    pipeline.feed(line("GNRMC,101010.00,A,0000.0000,N,00000.0000,E,0.0,0.0,021126,,,A"), 0)
    pipeline.end(0)
    assert {"null_island", "suspect"} <= pipeline.flags()[0]


@pytest.mark.parametrize(
    ("wrong", "flag"),
    [
        ({"moved_deg": 0.5}, "jump"),  # 50 km
        ({"moved_deg": 0.005}, "speed_implausible"),  # 500 m in a second
        ({"knots": 486.0}, "speed_implausible"),  # 900 km/h
        ({"satellites": 0, "hdop": 99.0}, "satellites_lost"),
        ({"day": "031127"}, "date_jump"),
    ],
)
def test_a_leap_is_flagged_in_position_and_track_and_told(
    wrong: dict[str, object], flag: str
) -> None:
    pipeline = Pipeline()
    drive(pipeline, 0, 30)
    drive(pipeline, 30, 43, **wrong)
    pipeline.end(43_000)
    flags = pipeline.flags()
    assert not set().union(*flags[:29])
    assert {flag, "suspect"} <= set().union(*flags[29:32])
    assert pipeline.figures[f"fix_{flag}"] >= 1
    assert pipeline.figures["fix_suspect"] >= 1
    assert [alarm.code for alarm in pipeline.alarms()] == ["position_suspect"]
    marked = [point for point in pipeline.points if point.flags]
    assert marked
    assert all(point.time_ms >= START.timestamp() * 1000 + 29_000 for point in marked)


def test_time_that_runs_back() -> None:
    pipeline = Pipeline()
    drive(pipeline, 0, 30)
    pipeline.feed(second(30, clock_s=20.5), 30_000)
    pipeline.end(30_000)
    assert {"time_back", "suspect"} <= pipeline.flags()[-1]
    assert pipeline.figures["fix_time_back"] == 1


def test_a_frozen_receiver_gives_no_second_position_and_is_counted() -> None:
    pipeline = Pipeline()
    drive(pipeline, 0, 30)
    for n in range(30, 60):
        pipeline.feed(second(30, clock_s=30), n * 1000)
    assert len(pipeline.positions) <= 31
    assert pipeline.figures["gnss_repeated"] >= 20


def test_a_frozen_place_under_way_is_flagged() -> None:
    pipeline = Pipeline()
    for n in range(30):
        pipeline.feed(second(n, moved_deg=-n * EAST_DEG_PER_S), n * 1000)
    assert "frozen" in pipeline.flags()[-1]


@pytest.mark.parametrize(("told", "repeats"), [("190307", 1), ("020887", 2)])
def test_rollover_is_repaired_to_the_first_date_since_the_build(told: str, repeats: int) -> None:
    raw = datetime.strptime(told, "%d%m%y").replace(tzinfo=UTC)
    expected = raw + timedelta(weeks=1024 * repeats)
    assert expected.date() >= BUILT > (expected - timedelta(weeks=1024)).date()
    pipeline = Pipeline()
    pipeline.feed(line(rmc("101010.00", date=told)), 0)
    pipeline.end(0)
    (position,) = pipeline.positions
    assert datetime.fromtimestamp(position.time_ms / 1000, UTC).date() == expected.date()
    assert "rollover" in pipeline.flags()[0]
    assert pipeline.figures["fix_rollover"] == 1
    (alarm,) = pipeline.alarms()
    assert alarm.code == "rollover"
    assert f"{raw:%Y-%m-%d}" in alarm.text, "the receiver's own date is kept"
    assert f"{expected:%Y-%m-%d}" in alarm.text


def test_too_many_figures_lose_the_smallest_and_say_so() -> None:
    figures = {f"gnss_{n:03d}": n for n in range(100)} | {"written_bytes": 10**6}
    kept = dict(health_of(figures).figures)
    assert len(kept) == FIGURES_MAX
    assert kept["written_bytes"] == 10**6
    assert kept["figures_left_out"] == 101 - FIGURES_MAX + 1
    assert "gnss_000" not in kept


def test_refusals_and_flags_reach_the_centre_by_name(world: World) -> None:
    """The real daemon: what the gate refuses is in the health entry, what it flags in positions."""
    agent, centre, receiver = world.agent, world.centre, world.receiver
    agent.tables["health"] = "interval_s = 10"
    receiver.noise = line(rmc("240000.00")) + line(rmc("101010.00", lat="9930.0000"))
    receiver.noise += framed(rmc("101010"))[:-2] + b"ZZ\r\n" + b"$GNRMC,101010*00\r\n"
    agent.start()
    agent.crew().ask(
        type="event", device="board-1", device_kind="board", boot=1, event=1, name="ignition",
        detail={"on": False},
    )  # fmt: skip
    centre.wait(lambda: [p for p in centre.positions if p.lat_e7 is not None], "position")
    receiver.lat += 0.5  # 55 km: first a leap, then somebody carries it away
    suspects = centre.wait(lambda: [p for p in centre.positions if p.flags & SUSPECT], "suspect")
    assert suspects[0].lat_e7 is not None
    found = centre.wait(lambda: centre.bodies(Health), "health", 20)
    figures = dict(found[-1].figures)
    for name in ("gnss_time", "gnss_position", "gnss_checksum_wrong", "fix_jump", "fix_suspect"):
        assert figures.get(name, 0) > 0, (name, figures)
    assert "position_suspect" in [alarm.code for alarm in centre.bodies(Alarm)]
