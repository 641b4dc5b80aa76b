"""Which district a place lies in: point in polygon on integers, no geometry library.

Input: GeoJSON (RFC 7946) FeatureCollection of Polygon and MultiPolygon, the name in
`properties.district`. Even-odd rule over all rings, so holes are holes; a box goes before the
rings. Where districts overlap, the first in the file has the place. Exact: coordinates are whole
1e-7 degrees. Called by figures.py through a function that is passed in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

NOWHERE: Final = "-"
DISTRICTS_MAX: Final = 64
POINTS_MAX: Final = 200_000
NAME_CHARACTERS_MAX: Final = 31
_E7: Final = 10_000_000

Ring: TypeAlias = tuple[tuple[int, int], ...]  # (lon_e7, lat_e7), first point again at the end


class BadDistricts(ValueError):
    """The text is no such collection; says where and what."""


@dataclass(frozen=True, slots=True)
class District:
    name: str
    rings: tuple[Ring, ...]
    box: tuple[int, int, int, int]  # west, south, east, north, in 1e-7 degrees

    def holds(self, lat_e7: int, lon_e7: int) -> bool:
        west, south, east, north = self.box
        if not (west <= lon_e7 <= east and south <= lat_e7 <= north):
            return False
        return sum(_crosses(ring, lat_e7, lon_e7) for ring in self.rings) % 2 == 1


class Districts:
    """All districts of a fleet, in the file's order."""

    def __init__(self, found: tuple[District, ...] = ()) -> None:
        self._found = found

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self._found)

    def at(self, lat_e7: int, lon_e7: int) -> str:
        """The district's name; `-` outside all."""
        return next((one.name for one in self._found if one.holds(lat_e7, lon_e7)), NOWHERE)


def parse(text: str | bytes) -> Districts:
    """Raises BadDistricts."""
    try:
        collection = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise BadDistricts(f"is no JSON: {cause}") from None
    if not isinstance(collection, dict) or collection.get("type") != "FeatureCollection":
        raise BadDistricts("is no GeoJSON FeatureCollection")
    features = collection.get("features")
    if not isinstance(features, list) or len(features) > DISTRICTS_MAX:
        raise BadDistricts(f"features: must be a list of at most {DISTRICTS_MAX}")
    districts = tuple(_district(one, f"features[{i}]") for i, one in enumerate(features))
    if sum(len(ring) for one in districts for ring in one.rings) > POINTS_MAX:
        raise BadDistricts(f"has more than {POINTS_MAX} points")
    return Districts(districts)


def _crosses(ring: Ring, lat_e7: int, lon_e7: int) -> int:
    """How many edges of the ring a ray from the place to the east meets."""
    count = 0
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > lat_e7) != (y2 > lat_e7):
            side = (x2 - x1) * (lat_e7 - y1) - (lon_e7 - x1) * (y2 - y1)
            count += (side > 0) == (y2 > y1) and side != 0
    return count


def _district(feature: Any, place: str) -> District:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    name = properties.get("district") if isinstance(properties, dict) else None
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARACTERS_MAX or name == NOWHERE:
        what = f"a name of 1 to {NAME_CHARACTERS_MAX} characters, not '{NOWHERE}'"
        raise BadDistricts(f"{place}.properties.district: must be {what}")
    if not name.isprintable():
        raise BadDistricts(f"{place}.properties.district: has a character that cannot be shown")
    rings = tuple(_rings(feature.get("geometry"), f"{place}.geometry"))
    points = [point for ring in rings for point in ring]
    lons, lats = [x for x, _ in points], [y for _, y in points]
    return District(name, rings, (min(lons), min(lats), max(lons), max(lats)))


def _rings(geometry: Any, place: str) -> Iterator[Ring]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    parts = geometry.get("coordinates") if kind else None
    polygons = [parts] if kind == "Polygon" else parts
    if kind not in ("Polygon", "MultiPolygon") or not isinstance(polygons, list) or not polygons:
        raise BadDistricts(f"{place}: must be a Polygon or a MultiPolygon")
    for polygon in polygons:
        if not isinstance(polygon, list) or not polygon:
            raise BadDistricts(f"{place}: a polygon without a ring")
        for ring in polygon:
            yield _ring(ring, place)


def _ring(ring: Any, place: str) -> Ring:
    if not isinstance(ring, list) or len(ring) < 4 or ring[0] != ring[-1]:
        raise BadDistricts(f"{place}: a ring needs 4 points or more, the last like the first")
    return tuple(_point(one, place) for one in ring)


def _point(point: Any, place: str) -> tuple[int, int]:
    is_pair = isinstance(point, list) and len(point) >= 2
    if not is_pair or not all(type(one) in (int, float) for one in point[:2]):
        raise BadDistricts(f"{place}: a point must be [longitude, latitude]")
    lon, lat = point[:2]
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise BadDistricts(f"{place}: {point!r:.60} is no longitude and latitude in degrees")
    return round(lon * _E7), round(lat * _E7)
