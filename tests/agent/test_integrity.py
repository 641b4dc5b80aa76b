"""Integrity: each rule on a drive that earns the flag, and silence on one that does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.fix import Fix, FixKind
from agent.core.integrity import AGREEING_FIXES, SUSPECT, Track, check, is_suspect

START_MS = 1_711_275_010_000
METRE_DEG = 1 / 111_195  # of latitude


def fix(second: float, metres: float = 0.0, **changes: object) -> Fix:
    epoch_ms = START_MS + round(second * 1000)
    plain = Fix(
        epoch_ms=epoch_ms,
        time_of_day_ms=epoch_ms % 86_400_000,
        lat_deg=24.513 + metres * METRE_DEG,
        lon_deg=117.647,
        alt_m=12.0,
        sog_mps=15.0,
        cog_deg=0.0,
        kind=FixKind.FIX_3D,
        satellites=12,
        hdop=0.9,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def drive(seconds: Iterable[int], metres_per_s: float = 15.0) -> list[tuple[Fix, int]]:
    return [(fix(second, second * metres_per_s), second * 1000) for second in seconds]


def judge(arrivals: Iterable[tuple[Fix, int]]) -> list[tuple[str, ...]]:
    track, flags = Track(), []
    for arrived, now_ms in arrivals:
        judged, track = check(arrived, track, now_ms)
        flags.append(judged.flags)
    return flags


def test_a_plain_drive_earns_no_flag() -> None:
    assert judge(drive(range(60))) == [()] * 60


def test_gaps_halts_and_jitter_earn_no_flag() -> None:
    halted = [(fix(second, 0.0, sog_mps=0.0), second * 1000) for second in range(10)]
    tunnel = [(fix(second, 900 + second, sog_mps=20.0), second * 1000 + 700) for second in (45, 46)]
    assert judge(halted + tunnel) == [()] * 12


def test_ten_hertz_scatter_earns_no_flag() -> None:
    scattered = [
        (fix(tenth / 10, 1.5 * tenth + (20 if tenth % 2 else 0)), tenth * 100)
        for tenth in range(50)
    ]
    assert judge(scattered) == [()] * 50


def test_jump_until_the_new_place_has_agreed() -> None:
    there = [(fix(second, 60_000 + second * 15), second * 1000) for second in range(10, 20)]
    flags = judge(drive(range(10)) + there)[10:]
    assert all("jump" in found for found in flags[:AGREEING_FIXES])
    assert flags[AGREEING_FIXES:] == [()] * (10 - AGREEING_FIXES)


def test_one_stray_fix_is_flagged_alone() -> None:
    arrivals = drive(range(20))
    arrivals[10] = (fix(10, 40_000), 10_000)
    flags = judge(arrivals)
    assert flags[10] == ("jump", "speed_implausible")
    assert flags[11] == ("speed_implausible",)  # the step back
    assert flags[12:] == [()] * 8


def test_nine_hundred_km_h_is_no_patrol() -> None:
    flags = judge(drive(range(10), metres_per_s=250.0))
    assert all("speed_implausible" in found for found in flags[1:])
    assert judge([(fix(0, sog_mps=250.0), 0)]) == [("speed_implausible",)]


def test_time_back() -> None:
    flags = judge([*drive(range(10)), (fix(5, 150), 10_000)])
    assert flags[-1] == ("time_back",)


def test_undated_time_back_and_midnight() -> None:
    def undated(tod_ms: int, now_ms: int) -> tuple[Fix, int]:
        return fix(0, epoch_ms=None, time_of_day_ms=tod_ms), now_ms

    over_midnight = judge([undated(86_399_000, 0), undated(0, 1000), undated(1000, 2000)])
    assert over_midnight == [()] * 3
    assert judge([undated(5000, 0), undated(4000, 1000)])[1] == ("time_back",)


def test_frozen_time() -> None:
    assert judge([(fix(1), 1000), (fix(1), 2000)]) == [(), ("frozen",)]


def test_frozen_place_at_speed() -> None:
    flags = judge([(fix(second), second * 1000) for second in range(10)])
    assert flags == [()] * 7 + [("frozen",)] * 3  # 15 m/s for 7 s: 105 m


def test_a_date_is_believed_once_it_has_agreed() -> None:
    track = Track()
    for arrived, now_ms in drive(range(AGREEING_FIXES - 1)):
        _, track = check(arrived, track, now_ms)
        assert track.clock_ms is None
    _, track = check(*drive([AGREEING_FIXES])[0][:1], track, AGREEING_FIXES * 1000)
    assert track.clock_ms == START_MS


def test_date_jump_until_the_new_date_has_agreed() -> None:
    week_ms = 1024 * 7 * 86_400_000
    later = [
        (replace(arrived, epoch_ms=(arrived.epoch_ms or 0) + week_ms), now_ms)
        for arrived, now_ms in drive(range(10, 20))
    ]
    flags = judge(drive(range(10)) + later)[10:]
    assert flags[:AGREEING_FIXES] == [("date_jump",)] * AGREEING_FIXES
    assert flags[AGREEING_FIXES:] == [()] * (10 - AGREEING_FIXES)


def test_one_wrong_date_moves_nothing() -> None:
    arrivals = drive(range(20))
    arrivals[10] = (replace(arrivals[10][0], epoch_ms=0), 10_000)
    flags = judge(arrivals)
    assert flags[10] == ("date_jump", "time_back")
    assert flags[11:] == [()] * 9


def test_jamming() -> None:
    jammed = [
        (fix(20 + n, 300 + n, satellites=3 - n, hdop=99.0), 20_000 + n * 1000) for n in (0, 1)
    ]
    flags = judge(drive(range(20)) + jammed)[20:]
    assert flags == [("hdop_high", "satellites_lost")] * 2


def test_null_island() -> None:
    assert judge([(fix(0, lat_deg=0.0, lon_deg=0.0), 0)]) == [("null_island",)]


def test_no_position_is_judged_by_its_time_only() -> None:
    none = fix(3, lat_deg=None, lon_deg=None, sog_mps=None, kind=FixKind.NONE)
    assert judge([(none, 3000), (none, 4000)]) == [(), ("frozen",)]


@pytest.mark.parametrize("flag", sorted(SUSPECT))
def test_suspect_flags(flag: str) -> None:
    assert is_suspect(fix(0, flags=("estimated", flag)))


def test_what_is_not_suspect() -> None:
    assert not is_suspect(fix(0, flags=("estimated", "rollover")))


FIXES = st.builds(
    fix,
    st.integers(-100_000, 100_000),
    st.floats(-2e6, 2e6),
    lat_deg=st.one_of(st.none(), st.floats(-90, 90)),
    satellites=st.one_of(st.none(), st.integers(0, 99)),
    hdop=st.one_of(st.none(), st.floats(0.1, 9999)),
    epoch_ms=st.one_of(st.none(), st.integers(0, 4_000_000_000_000)),
    flags=st.sampled_from([(), ("estimated",), ("rollover",)]),
)


@settings(max_examples=300, deadline=None)
@given(arrivals=st.lists(st.tuples(FIXES, st.integers(0, 10**12)), max_size=20))
def test_any_fixes_are_judged(arrivals: list[tuple[Fix, int]]) -> None:
    track = Track()
    for arrived, now_ms in arrivals:
        judged, track = check(arrived, track, now_ms)
        assert set(arrived.flags) <= set(judged.flags)
        assert list(judged.flags) == sorted(set(judged.flags))
        assert replace(judged, flags=arrived.flags) == arrived
