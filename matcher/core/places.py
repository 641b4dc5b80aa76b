"""Places as people give them, turned into WGS 84 once, at the edge. And how far they are apart."""

from __future__ import annotations

from typing import Final

from protocol import request as rq
from protocol.datum import to_wgs84
from protocol.dispatch import Place
from protocol.geodesy import distance_m

LEAST_M_PER_LAT_E7: Final = 0.0111  # a little less than it is on protocol/geodesy.py's sphere


def place_of(request: rq.Report) -> tuple[float, float]:
    """The reported place in WGS 84: inside, nothing is in another datum."""
    return to_wgs84(request.place.lat, request.place.lon, request.place.datum)


def place_from(said: rq.PlaceOf) -> Place:
    """A place as a person or a map gave it, in WGS 84; the datum it came in stays in its source."""
    lat, lon = to_wgs84(said.lat, said.lon, said.datum)
    source = said.source if said.datum == "wgs84" else f"{said.source} ({said.datum})"
    return Place(
        round(lat * 1e7), round(lon * 1e7), "wgs84", source[:32], said.accuracy_m, said.text
    )


def apart_m(one: Place, other: Place) -> float:
    """Metres between two places in WGS 84."""
    return distance_m(one.lat_e7 / 1e7, one.lon_e7 / 1e7, other.lat_e7 / 1e7, other.lon_e7 / 1e7)


def is_within(one: Place, other: Place, within_m: float) -> bool:
    """Whether they are at most so far apart; the latitudes alone settle most pairs."""
    if abs(one.lat_e7 - other.lat_e7) * LEAST_M_PER_LAT_E7 > within_m:
        return False
    return apart_m(one, other) <= within_m
