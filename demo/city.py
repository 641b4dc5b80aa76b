"""A compact made-up city: a street grid round one point, districts, posts and ways along streets.

Generated from the seed; no real place is copied. Coordinates are WGS 84 degrees.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from math import cos, radians
from typing import Final

CENTRE: Final = (24.513, 117.647)
SIDE_M: Final = 2_400.0
BLOCK_M: Final = 200.0
NODES: Final = round(SIDE_M / BLOCK_M) + 1  # along each side
DISTRICTS: Final = (4, 3)  # columns, rows
ON_LINE_M: Final = 8.0  # a vehicle so close to a street is on it
_METRES_PER_DEGREE: Final = 111_320.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Node:
    """A crossing: column from the west, row from the south."""

    column: int
    row: int

    @property
    def place(self) -> Point:
        return place(self.column * BLOCK_M, self.row * BLOCK_M)


def place(east_m: float, north_m: float) -> Point:
    """Degrees of a point counted from the city's south-west corner."""
    lat, lon = CENTRE
    return (
        round(lat + (north_m - SIDE_M / 2) / _METRES_PER_DEGREE, 7),
        round(lon + (east_m - SIDE_M / 2) / (_METRES_PER_DEGREE * cos(radians(lat))), 7),
    )


def metres(point: Point) -> tuple[float, float]:
    """(east, north) of a place, from the south-west corner."""
    lat, lon = CENTRE
    return (
        (point[1] - lon) * _METRES_PER_DEGREE * cos(radians(lat)) + SIDE_M / 2,
        (point[0] - lat) * _METRES_PER_DEGREE + SIDE_M / 2,
    )


def districts() -> dict[str, object]:
    """GeoJSON for the centre's statistics: 1 to 12, west to east, south to north."""
    columns, rows = DISTRICTS
    east_m, north_m = SIDE_M / columns, SIDE_M / rows
    features: list[object] = []
    for row in range(rows):
        for column in range(columns):
            west, south = column * east_m, row * north_m
            corners = [(west, south), (west + east_m, south), (west + east_m, south + north_m),
                       (west, south + north_m), (west, south)]  # fmt: skip
            ring = [[lon, lat] for lat, lon in (place(*corner) for corner in corners)]
            features.append(
                {
                    "type": "Feature",
                    "properties": {"district": str(row * columns + column + 1)},
                    "geometry": {"type": "Polygon", "coordinates": [ring]},
                }
            )
    return {"type": "FeatureCollection", "features": features}


def posts(count: int, rng: random.Random) -> list[Node]:
    """Spread crossings: one per cell of a coarse raster, in drawn order."""
    columns = -(-count // 4)
    cells = [(c, r) for c in range(columns) for r in range(4)]
    rng.shuffle(cells)
    return [
        Node(
            min(NODES - 1, 1 + round(c * (NODES - 3) / (columns - 1))),
            min(NODES - 1, 1 + round(r * (NODES - 3) / 3)),
        )
        for c, r in cells[:count]
    ]


def scene(rng: random.Random) -> Point:
    """A place on a street, between two crossings."""
    node = Node(rng.randrange(NODES - 1), rng.randrange(NODES - 1))
    along_m = rng.uniform(30, BLOCK_M - 30)
    east_m, north_m = node.column * BLOCK_M, node.row * BLOCK_M
    return (
        place(east_m + along_m, north_m) if rng.random() < 0.5 else place(east_m, north_m + along_m)
    )


def way(start: Point, end: Point) -> list[Point]:
    """The shortest along streets: to a crossing, along its row, along a column, to the end."""
    if street_distance_m(start, end) < 1 or _on_one_street(start, end):
        return [end]
    ways = [
        [first.place, Node(last.column, first.row).place, last.place, end]
        for first in _crossings(start)
        for last in _crossings(end)
    ]
    points = min(ways, key=lambda points: _length_m([start, *points]))
    return [point for i, point in enumerate(points) if i == 0 or point != points[i - 1]]


def _length_m(points: list[Point]) -> float:
    return sum(street_distance_m(a, b) for a, b in pairwise(points))


def _on_one_street(start: Point, end: Point) -> bool:
    """Both on the same row, or on the same column."""
    return any(
        _is_on_line(a) and round(a / BLOCK_M) == round(b / BLOCK_M) and _is_on_line(b)
        for a, b in zip(metres(start), metres(end), strict=True)
    )


def _is_on_line(along_m: float) -> bool:
    return abs(along_m / BLOCK_M - round(along_m / BLOCK_M)) * BLOCK_M < ON_LINE_M


def _crossings(point: Point) -> list[Node]:
    """The crossings at both ends of the point's stretch of street; the one that it stands on."""
    east_m, north_m = metres(point)
    return [Node(column, row) for column in _lines(east_m) for row in _lines(north_m)]


def _lines(along_m: float) -> list[int]:
    """Indices of the lines beside it; the own one where it lies on one."""
    index = along_m / BLOCK_M
    found = {round(index)} if _is_on_line(along_m) else {int(index), int(index) + 1}
    return sorted(min(NODES - 1, max(0, line)) for line in found)


def street_distance_m(start: Point, end: Point) -> float:
    """Along a street grid: the sum of both differences."""
    a, b = metres(start), metres(end)
    return abs(a[0] - b[0]) + abs(a[1] - b[1])
