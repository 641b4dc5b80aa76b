"""The predictor both ends share: bytes there and back, limits, and simple motions."""

from __future__ import annotations

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.geodesy import distance_m
from protocol.predict import (
    ACCEL_STEP_MPS2,
    CRUISE_MPS,
    STEADY,
    TURN_STEP_DEG_S,
    Reported,
    motion_code,
    motion_of,
    predict,
)

HERE = (24.513, 117.647)


def way_m(speed_mps: float, motion: int, age_s: float, course_deg: float | None = 90.0) -> float:
    return distance_m(*HERE, *predict(Reported(*HERE, speed_mps, course_deg, motion), age_s))


@given(st.integers(0, 255))
def test_motion_byte_there_and_back(code: int) -> None:
    assert motion_code(*motion_of(code)) == code


def test_steady_is_zero_and_goes_straight() -> None:
    assert motion_code(0.1, -2.0) == STEADY == 0
    assert way_m(12.0, STEADY, 10.0) == pytest.approx(120, rel=2e-3)
    lat, lon = predict(Reported(*HERE, 12.0, 0.0, STEADY), 10.0)
    assert lat > HERE[0]
    assert lon == pytest.approx(HERE[1])


def test_braking_ends_in_standing_and_never_runs_back() -> None:
    braking = motion_code(-2 * ACCEL_STEP_MPS2, 0)
    ways = [way_m(6.0, braking, age_s) for age_s in range(31)]
    assert ways == sorted(ways)
    assert ways[30] == pytest.approx(ways[15], abs=0.5)
    assert 20 < ways[30] < 60


def test_accelerating_stops_at_cruise_speed() -> None:
    rising = motion_code(5 * ACCEL_STEP_MPS2, 0)
    assert way_m(6.0, rising, 30.0) - way_m(6.0, rising, 29.0) == pytest.approx(
        CRUISE_MPS, rel=0.05
    )
    fast = 2 * CRUISE_MPS
    assert way_m(fast, rising, 10.0) == pytest.approx(fast * 10, rel=0.01)


def test_turn_bends_to_its_side_and_fades() -> None:
    right = predict(Reported(*HERE, 10.0, 0.0, motion_code(0, 3 * TURN_STEP_DEG_S)), 5.0)
    left = predict(Reported(*HERE, 10.0, 0.0, motion_code(0, -3 * TURN_STEP_DEG_S)), 5.0)
    assert right[1] > HERE[1] > left[1]
    assert right[0] == pytest.approx(left[0])


def test_without_a_course_or_before_the_report_nothing_moves() -> None:
    assert way_m(12.0, STEADY, 10.0, course_deg=None) == 0
    assert way_m(12.0, STEADY, 0.0) == 0


@given(
    st.floats(-90, 90), st.floats(0, 655), st.floats(0, 360), st.integers(0, 255), st.floats(0, 30)
)
def test_bounded_for_any_report(
    lat: float, speed_mps: float, course_deg: float, motion: int, age_s: float
) -> None:
    place = predict(Reported(lat, 0.0, speed_mps, course_deg, motion), age_s)
    assert all(isfinite(x) for x in place)
    if abs(lat) < 80:
        limit_m = max(speed_mps, CRUISE_MPS) * age_s * 1.02 + 1
        assert distance_m(lat, 0.0, *place) <= limit_m
