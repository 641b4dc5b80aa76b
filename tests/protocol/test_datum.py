"""Datums: the shared cities within the source's tolerance, there and back, and outside China."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.datum import Datum, from_wgs84, in_china, to_wgs84
from protocol.geodesy import distance_m

TOLERANCE_DEG = 1e-4


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_cities_match_both_ways(shared_data: Path, datum: Datum) -> None:
    cities = json.loads((shared_data / "gcj02" / "china_cities_gcj02.json").read_text())
    assert len(cities) > 300
    for city in cities:
        lon, lat = city["wgs84_lonlat"]
        there_lon, there_lat = city[f"{datum}_lonlat"]
        assert from_wgs84(lat, lon, datum) == pytest.approx(
            (there_lat, there_lon), abs=TOLERANCE_DEG
        )
        assert to_wgs84(there_lat, there_lon, datum) == pytest.approx((lat, lon), abs=TOLERANCE_DEG)


@given(st.floats(20, 50), st.floats(80, 130), st.sampled_from(["gcj02", "bd09"]))
def test_there_and_back_returns_within_a_decimetre(lat: float, lon: float, datum: Datum) -> None:
    there = from_wgs84(lat, lon, datum)
    assert distance_m(lat, lon, *to_wgs84(*there, datum)) < 0.1
    assert 1 < distance_m(lat, lon, *there) < 2500  # not the same place: the shift is real


def test_outside_china_gcj02_is_wgs84() -> None:
    assert not in_china(48.137, 11.575)
    assert from_wgs84(48.137, 11.575, "gcj02") == (48.137, 11.575)
    assert to_wgs84(48.137, 11.575, "gcj02") == (48.137, 11.575)
