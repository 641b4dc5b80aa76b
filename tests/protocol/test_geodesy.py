"""Distances and bearings against places whose distance is known, and against themselves."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.geodesy import EARTH_RADIUS_M, bearing_deg, distance_m

lat = st.floats(-90, 90)
lon = st.floats(-180, 180)


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((0, 0), (0, 1), 111_195), ((0, 0), (1, 0), 111_195), ((60, 0), (60, 1), 55_597),
        ((90, 0), (-90, 50), 20_015_115), ((0, 179.5), (0, -179.5), 111_195),
        ((24.513, 117.647), (24.513, 117.647), 0),
    ],
)  # fmt: skip
def test_distances(one: tuple[float, float], other: tuple[float, float], metres: float) -> None:
    assert distance_m(*one, *other) == pytest.approx(metres, abs=1)


@given(lat, lon, lat, lon)
def test_distance_is_the_same_back_and_never_more_than_half_round(
    a: float, b: float, c: float, d: float
) -> None:
    there = distance_m(a, b, c, d)
    assert isclose(there, distance_m(c, d, a, b), rel_tol=1e-9, abs_tol=1e-3)
    assert 0 <= there <= 3.14160 * EARTH_RADIUS_M


@pytest.mark.parametrize(
    ("one", "other", "degrees"),
    [((0, 0), (1, 0), 0), ((0, 0), (0, 1), 90), ((1, 0), (0, 0), 180), ((0, 1), (0, 0), 270)],
)
def test_bearings(one: tuple[float, float], other: tuple[float, float], degrees: float) -> None:
    assert bearing_deg(*one, *other) == pytest.approx(degrees)


@given(lat, lon, lat, lon)
@example(0.0, 0.0, 1.0, -1e-20)  # -1e-18 % 360 is 360.0
def test_a_bearing_is_below_360(a: float, b: float, c: float, d: float) -> None:
    assert 0 <= bearing_deg(a, b, c, d) < 360
