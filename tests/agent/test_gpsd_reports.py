"""gpsd's lines: one fix an epoch, every value checked, nothing believed that is no report."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fix import Fix, FixKind
from agent.core.gpsd import SKY_EPOCHS_MAX, GpsdReports

BEGIN_MS = 1_709_337_600_000  # 2024-03-02T00:00:00Z


def tpv(second: int = 0, **changes: Any) -> bytes:
    report = {
        "class": "TPV", "device": "/dev/a", "mode": 3, "time": f"2024-03-02T00:00:{second:02}.200Z",
        "lat": 24.5, "lon": 117.6, "altMSL": 12.5, "speed": 3.2, "track": 90.5, "eph": 9.0,
    }  # fmt: skip
    report |= changes
    return json.dumps({name: value for name, value in report.items() if value is not ...}).encode()


def one(line: bytes, reports: GpsdReports | None = None) -> Fix:
    reports = reports or GpsdReports()
    fixes = reports.feed(line) + reports.flush()
    assert len(fixes) == 1, reports.refused
    return fixes[0]


def test_a_report_is_a_fix() -> None:
    fix = one(tpv())
    assert (fix.epoch_ms, fix.time_of_day_ms) == (BEGIN_MS + 200, 200)
    assert (fix.lat_deg, fix.lon_deg, fix.alt_m) == (24.5, 117.6, 12.5)
    assert (fix.sog_mps, fix.cog_deg, fix.kind) == (3.2, 90.5, FixKind.FIX_3D)
    assert (fix.satellites, fix.hdop, fix.flags) == (None, 0.9, ())


def test_the_reports_of_one_epoch_are_one_fix_and_a_late_one_is_dropped() -> None:
    reports = GpsdReports()
    assert reports.feed(tpv(0, mode=2, altMSL=..., speed=...)) == []
    assert reports.feed(tpv(0)) == []
    (fix,) = reports.feed(tpv(1))
    assert (fix.epoch_ms, fix.kind, fix.sog_mps) == (BEGIN_MS + 200, FixKind.FIX_3D, 3.2)
    assert len(reports.flush()) == 1
    assert reports.feed(tpv(1)) == []
    assert reports.flush() == []
    assert reports.refused == {"repeated": 1}


def test_modes_without_a_fix_carry_no_place() -> None:
    fix = one(tpv(mode=1))
    assert (fix.kind, fix.lat_deg, fix.sog_mps) == (FixKind.NONE, None, None)
    fix = one(tpv(mode=1, time=..., lat=..., lon=...))
    assert (fix.kind, fix.epoch_ms) == (FixKind.NONE, None)


def test_sky_gives_hdop_satellites_and_levels_for_a_while() -> None:
    reports = GpsdReports()
    sky = {"class": "SKY", "hdop": 0.8, "satellites": [
        {"PRN": 1, "used": True, "ss": 40.0}, {"PRN": 2, "used": False, "ss": 0.0}]}  # fmt: skip
    reports.feed(json.dumps(sky).encode())
    fix = one(tpv(0), reports)
    assert (fix.hdop, fix.satellites, fix.snr_dbhz) == (0.8, 1, (40.0,))
    later = [one(tpv(second), reports) for second in range(1, SKY_EPOCHS_MAX + 1)]
    assert later[0].snr_dbhz is None, "said once"
    assert later[-2].hdop == 0.8
    assert later[-1].hdop == 0.9, "from eph, since SKY is old"
    assert one(tpv(19, eph=...), reports).hdop is None
    reports.feed(b'{"class":"SKY","hdop":1.5,"uSat":7}')
    assert one(tpv(20), reports).satellites == 7


@pytest.mark.parametrize(("status", "flag"), [(5, "estimated"), (8, "simulated"), (2, None)])
def test_the_origin_is_flagged(status: int, flag: str | None) -> None:
    assert one(tpv(status=status)).flags == (() if flag is None else (flag,))


def test_a_rollover_is_repaired_as_a_receivers_own() -> None:
    fix = one(tpv(), GpsdReports(not_before=date(2026, 1, 1)))
    assert fix.epoch_ms == BEGIN_MS + 200 + 7 * 1024 * 86_400_000
    assert (fix.raw_epoch_ms, fix.flags) == (BEGIN_MS + 200, ("rollover",))


def test_a_leap_second_is_of_the_old_day() -> None:
    assert one(tpv(time="2016-12-31T23:59:60.000Z")).time_of_day_ms == 86_399_999


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "json"),
        (b"\xff\xfe", "json"),
        (b"[1]", "json"),
        (b"[" * 100_000, "json"),
        (b'{"class":"TPV","mode":3,"lat":NaN,"lon":1}', "json"),
        (tpv(mode="3"), "mode"),
        (tpv(mode=True), "mode"),
        (tpv(mode=4), "mode"),
        (tpv(lat=91), "lat"),
        (tpv(lon=-180.5), "lon"),
        (tpv(lat="24.5"), "lat"),
        (tpv(lat=True), "lat"),
        (tpv(lat=...), "position"),
        (tpv(speed=-1), "speed"),
        (tpv(speed=1e9), "speed"),
        (tpv(track=361), "track"),
        (tpv(time="2024-02-30T00:00:00Z"), "time"),
        (tpv(time="0006-06-01T00:00:00Z"), "time"),
        (tpv(time="9999-12-31T23:59:59Z"), "time"),
        (tpv(time="2024-03-02T12:00:60Z"), "time"),
        (tpv(time=12), "time"),
    ],
)
def test_what_cannot_be_is_refused_and_counted(line: bytes, reason: str) -> None:
    reports = GpsdReports()
    assert reports.feed(line) == []
    assert reports.flush() == []
    assert reports.refused == {reason: 1}


def test_another_device_is_not_mixed_in() -> None:
    reports = GpsdReports()
    reports.feed(tpv(0))
    assert reports.feed(tpv(1, device="/dev/b")) == []
    assert reports.refused == {"other_device": 1}
    wanted = GpsdReports("/dev/b")
    wanted.feed(tpv(0))
    assert wanted.feed(tpv(1, device="/dev/b")) == []
    assert len(wanted.flush()) == 1


def test_a_device_that_gpsd_closed_is_gone_until_it_reports_again() -> None:
    reports = GpsdReports()
    reports.feed(tpv(0))
    reports.feed(b'{"class":"DEVICE","path":"/dev/other","activated":0}')
    assert not reports.is_gone
    reports.feed(b'{"class":"DEVICE","path":"/dev/a","activated":0}')
    assert reports.is_gone
    reports.feed(tpv(1, device="/dev/b"))
    assert not reports.is_gone


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    ["class", "device", "mode", "time", "lat", "lon", "speed", "hdop", "satellites", "uSat",
     "activated", "path", "status"]
)  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["TPV", "SKY", "DEVICE", "ERROR"]),
            st.dictionaries(_NAMES, _JSON, max_size=6),
        ),
        max_size=8,
    )
)
def test_no_report_raises_or_places_beyond_the_earth(
    given_reports: list[tuple[str, dict[str, Any]]],
) -> None:
    reports, fixes = GpsdReports(), []
    for name, changes in given_reports:
        base = json.loads(tpv()) if name == "TPV" else {}
        fixes += reports.feed(json.dumps(base | {"class": name} | changes).encode())
    for fix in fixes + reports.flush():
        if fix.kind is FixKind.NONE:
            assert fix.lat_deg is None
        else:
            assert abs(fix.lat_deg or 0) <= 90
            assert abs(fix.lon_deg or 0) <= 180
