"""Where a unit is between two reports: the same motion model at both ends.

The terminal reports when the truth leaves what the centre extrapolates from the last report; so
both must compute the same, from nothing but what was sent: place, speed, course, and one byte of
`motion` with the terminal's acceleration and turn.

    speed   rises towards CRUISE_MPS (or keeps, if above), falls towards standing; either change
            fades with its own time constant
    course  turns on by turn * TURN_FADE_S in all, at most TURN_MAX_DEG, fading likewise

The constants were fitted on recorded drives (docs/reporting.md); they are part of the contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, inf, log, radians, sin
from typing import Final

ACCEL_STEP_MPS2: Final = 0.4
TURN_STEP_DEG_S: Final = 5.0
STEADY: Final = 0  # neither accelerating nor turning: the shortest number
CRUISE_MPS: Final = 9.0
ACCEL_FADE_S: Final = 2.5
BRAKE_FADE_S: Final = 15.0
TURN_FADE_S: Final = 1.5
TURN_MAX_DEG: Final = 30.0
_BIAS: Final = 0x88
_METRES_PER_DEGREE: Final = 111_319.49  # of the equator, WGS 84


@dataclass(frozen=True, slots=True)
class Reported:
    """What was sent, in SI units: enough to extrapolate."""

    lat_deg: float
    lon_deg: float
    speed_mps: float
    course_deg: float | None
    motion: int


def motion_code(accel_mps2: float, turn_deg_s: float) -> int:
    """One byte: acceleration in the high half, turn in the low half, each -8..7 steps."""
    accel = max(-8, min(7, round(accel_mps2 / ACCEL_STEP_MPS2)))
    turn = max(-8, min(7, round(turn_deg_s / TURN_STEP_DEG_S)))
    return ((accel + 8) << 4 | (turn + 8)) ^ _BIAS


def motion_of(code: int) -> tuple[float, float]:
    """(acceleration in m/s², turn in degrees/s, clockwise) of a motion byte."""
    halves = code ^ _BIAS
    return ((halves >> 4) - 8) * ACCEL_STEP_MPS2, ((halves & 15) - 8) * TURN_STEP_DEG_S


def predict(seen: Reported, age_s: float) -> tuple[float, float]:
    """Latitude and longitude `age_s` after the report."""
    if seen.course_deg is None or age_s <= 0:
        return seen.lat_deg, seen.lon_deg
    accel_mps2, turn_deg_s = motion_of(seen.motion)
    way_m = _way_m(seen.speed_mps, accel_mps2, age_s)
    turned_deg = max(-TURN_MAX_DEG, min(TURN_MAX_DEG, turn_deg_s * TURN_FADE_S))
    # the mean course until now, of a turn that fades
    mean = 1 - TURN_FADE_S * (1 - exp(-age_s / TURN_FADE_S)) / age_s
    course = radians(seen.course_deg + turned_deg * mean)
    return (
        seen.lat_deg + way_m * cos(course) / _METRES_PER_DEGREE,
        seen.lon_deg + way_m * sin(course) / (_METRES_PER_DEGREE * _parallel(seen.lat_deg)),
    )


def _parallel(lat_deg: float) -> float:
    return max(1e-6, cos(radians(lat_deg)))


def _way_m(speed_mps: float, accel_mps2: float, age_s: float) -> float:
    """Along the way: speed changes by a fading acceleration until it reaches its limit."""
    if accel_mps2 == 0:
        return speed_mps * age_s
    fade_s = ACCEL_FADE_S if accel_mps2 > 0 else BRAKE_FADE_S
    limit_mps = max(speed_mps, CRUISE_MPS) if accel_mps2 > 0 else 0.0
    gain_mps = accel_mps2 * fade_s  # the whole change of speed, if nothing limits it
    share = (limit_mps - speed_mps) / gain_mps
    until_s = -fade_s * log(1 - share) if share < 1 else inf
    rising_s = min(age_s, until_s)
    way_m = speed_mps * rising_s
    way_m += gain_mps * (rising_s - fade_s * (1 - exp(-rising_s / fade_s)))
    return way_m + limit_mps * (age_s - rising_s)
