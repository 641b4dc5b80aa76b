"""A route's geometry: straights joined by arcs, in metres east and north of its first point.

Corners are rounded within 4 m of the corner, and each arc has the speed at which a vehicle turns
with `LATERAL_MPS2`; a turn of more than 150° is a stop on the spot. Used by hil/route.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LATERAL_MPS2: Final = 1.5
CORNER_CUT_M: Final = 4.0
TURN_RADIUS_MAX_M: Final = 400.0
BEND_IGNORED_RAD: Final = math.radians(0.5)
BEND_STOPS_RAD: Final = math.radians(150)

Point = tuple[float, float]  # metres east, metres north


@dataclass(frozen=True, slots=True)
class Plane:
    """A flat map round one point (WGS 84), good for a city."""

    lat_deg: float
    lon_deg: float

    def _scale(self) -> Point:
        lat = math.radians(self.lat_deg)
        north = 111132.92 - 559.82 * math.cos(2 * lat) + 1.175 * math.cos(4 * lat)
        east = 111412.84 * math.cos(lat) - 93.5 * math.cos(3 * lat)
        return east, north

    def to_metres(self, lat_deg: float, lon_deg: float) -> Point:
        """Metres east and north."""
        east, north = self._scale()
        return (lon_deg - self.lon_deg) * east, (lat_deg - self.lat_deg) * north

    def to_degrees(self, point: Point) -> tuple[float, float]:
        """Latitude and longitude."""
        east, north = self._scale()
        return self.lat_deg + point[1] / north, self.lon_deg + point[0] / east


@dataclass(frozen=True, slots=True)
class Piece:
    """A straight (`curvature` 0) or an arc (1/m, left positive), and how fast it may be driven."""

    start: Point
    heading_rad: float  # counter-clockwise from east, at the start
    length_m: float
    curvature: float = 0.0
    speed_max_mps: float = math.inf
    stop_before: bool = False  # the vehicle turns on the spot before this piece

    def at(self, along_m: float) -> tuple[Point, float]:
        """Position and heading `along_m` from the start."""
        x, y = self.start
        a = self.heading_rad
        if self.curvature == 0:
            return (x + along_m * math.cos(a), y + along_m * math.sin(a)), a
        b = a + along_m * self.curvature
        radius = 1 / self.curvature
        return (
            x + radius * (math.sin(b) - math.sin(a)),
            y - radius * (math.cos(b) - math.cos(a)),
        ), b


def turn(a_rad: float, b_rad: float) -> float:
    """From heading a to heading b, -pi..pi."""
    return (b_rad - a_rad + math.pi) % (2 * math.pi) - math.pi


def heading_of(a: Point, b: Point) -> float:
    """The heading from a to b."""
    return math.atan2(b[1] - a[1], b[0] - a[0])


def without_repeats(points: Sequence[Point]) -> list[Point]:
    """Drops points that lie within 5 cm of the one before."""
    kept: list[Point] = []
    for point in points:
        if not kept or math.dist(kept[-1], point) > 0.05:
            kept.append(point)
    return kept


def pieces_of(points: Sequence[Point]) -> list[Piece]:
    """Straights and arcs along the polyline; empty for fewer than two distinct points."""
    points = without_repeats(points)
    if len(points) < 2:
        return []
    pieces: list[Piece] = []
    start = points[0]
    stops = False
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        incoming, outgoing = heading_of(before, corner), heading_of(corner, after)
        bend = turn(incoming, outgoing)
        if abs(bend) < BEND_IGNORED_RAD or abs(bend) > BEND_STOPS_RAD:
            pieces.append(_straight(start, corner, stops))
            start, stops = corner, abs(bend) > BEND_STOPS_RAD
            continue
        room = 0.49 * min(math.dist(before, corner), math.dist(corner, after))
        arc, end = _arc(corner, incoming, bend, room)
        pieces.append(_straight(start, arc.start, stops))
        pieces.append(arc)
        start, stops = end, False
    pieces.append(_straight(start, points[-1], stops))
    return pieces


def _straight(start: Point, end: Point, stop_before: bool) -> Piece:
    return Piece(start, heading_of(start, end), math.dist(start, end), stop_before=stop_before)


def _arc(corner: Point, incoming: float, bend: float, room_m: float) -> tuple[Piece, Point]:
    half = abs(bend) / 2
    cut = 1 / math.cos(half) - 1
    radius = min(TURN_RADIUS_MAX_M, CORNER_CUT_M / cut, room_m / math.tan(half))
    tangent = radius * math.tan(half)
    start = (corner[0] - tangent * math.cos(incoming), corner[1] - tangent * math.sin(incoming))
    arc = Piece(
        start,
        incoming,
        radius * abs(bend),
        math.copysign(1 / radius, bend),
        math.sqrt(LATERAL_MPS2 * radius),
    )
    outgoing = incoming + bend
    end = (corner[0] + tangent * math.cos(outgoing), corner[1] + tangent * math.sin(outgoing))
    return arc, end
