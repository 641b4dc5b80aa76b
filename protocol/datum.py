"""WGS 84, GCJ-02 and BD-09: Chinese maps shift coordinates; inside Outrider everything is WGS 84.

GCJ-02 is WGS 84 plus a smooth shift inside China, 300 to 700 m in cities (no official text is
public; the polynomial and the sines are those on which open implementations agree). BD-09 adds a
rotation and 6.5 thousandths. The way back is by iteration: there and back returns within 0.1 mm.
Converted once, at the edge: where a place or a locator's position comes in.
"""

from __future__ import annotations

from collections.abc import Callable
from math import atan2, cos, hypot, pi, radians, sin, sqrt
from typing import Final, Literal, TypeAlias

Datum: TypeAlias = Literal["wgs84", "gcj02", "bd09"]
LatLon: TypeAlias = tuple[float, float]

_SEMI_MAJOR_M: Final = 6_378_245.0  # Krasovsky 1940
_ECCENTRICITY2: Final = 0.00669342162296594323
_BD_LAT, _BD_LON = 0.006, 0.0065
_BD_TURN: Final = pi * 3000 / 180
_CLOSE_DEG: Final = 1e-10
_STEPS_MAX: Final = 20


def in_china(lat: float, lon: float) -> bool:
    """The rectangle inside which GCJ-02 is shifted; outside it equals WGS 84."""
    return 72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271


def to_wgs84(lat: float, lon: float, datum: Datum) -> LatLon:
    """Degrees in `datum` as WGS 84 degrees."""
    if datum == "gcj02":
        return _gcj02_to_wgs84(lat, lon)
    if datum == "bd09":
        return _gcj02_to_wgs84(*_bd09_to_gcj02(lat, lon))
    return lat, lon


def from_wgs84(lat: float, lon: float, datum: Datum) -> LatLon:
    """WGS 84 degrees in `datum`."""
    if datum == "gcj02":
        return _wgs84_to_gcj02(lat, lon)
    if datum == "bd09":
        return _gcj02_to_bd09(*_wgs84_to_gcj02(lat, lon))
    return lat, lon


def _wgs84_to_gcj02(lat: float, lon: float) -> LatLon:
    if not in_china(lat, lon):
        return lat, lon
    north, east = _shift(lon - 105.0, lat - 35.0)
    magic = 1 - _ECCENTRICITY2 * sin(radians(lat)) ** 2
    meridian_m = _SEMI_MAJOR_M * (1 - _ECCENTRICITY2) / (magic * sqrt(magic))
    parallel_m = _SEMI_MAJOR_M / sqrt(magic) * cos(radians(lat))
    return lat + north * 180 / (meridian_m * pi), lon + east * 180 / (parallel_m * pi)


def _shift(x: float, y: float) -> tuple[float, float]:
    """Metres north and east; x and y are degrees east of 105 and north of 35."""
    root = sqrt(abs(x))
    common = 20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (common + 20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (common + 20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3
    east += (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    return north, east


def _gcj02_to_wgs84(lat: float, lon: float) -> LatLon:
    return _undone(_wgs84_to_gcj02, lat, lon) if in_china(lat, lon) else (lat, lon)


def _gcj02_to_bd09(lat: float, lon: float) -> LatLon:
    distance = hypot(lon, lat) + 0.00002 * sin(lat * _BD_TURN)
    angle = atan2(lat, lon) + 0.000003 * cos(lon * _BD_TURN)
    return distance * sin(angle) + _BD_LAT, distance * cos(angle) + _BD_LON


def _bd09_to_gcj02(lat: float, lon: float) -> LatLon:
    return _undone(_gcj02_to_bd09, lat, lon)


def _undone(forward: Callable[[float, float], LatLon], lat: float, lon: float) -> LatLon:
    """The place that `forward` shifts to (lat, lon): the shift changes little, so it converges."""
    guess = (lat, lon)
    for _ in range(_STEPS_MAX):
        there = forward(*guess)
        off = (lat - there[0], lon - there[1])
        guess = (guess[0] + off[0], guess[1] + off[1])
        if abs(off[0]) < _CLOSE_DEG and abs(off[1]) < _CLOSE_DEG:
            break
    return guess
