"""Distances on the sphere: enough for ranking and for arrival (error below 0.6 %)."""

from __future__ import annotations

from math import asin, atan2, cos, degrees, radians, sin, sqrt
from typing import Final

EARTH_RADIUS_M: Final = 6_371_008.8  # mean radius R1 (Moritz, GRS 80)


def distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance by the haversine formula; degrees in, metres out."""
    a, b = radians(lat1), radians(lat2)
    h = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(h)))


def bearing_deg(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Initial bearing, 0 <= x < 360."""
    a, b, d = radians(lat1), radians(lat2), radians(lon2 - lon1)
    y, x = sin(d) * cos(b), cos(a) * sin(b) - sin(a) * cos(b) * cos(d)
    return degrees(atan2(y, x)) % 360 % 360  # once more: -1e-17 % 360 is 360.0
