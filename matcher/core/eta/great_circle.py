"""Travel time by air distance, detour factor and unit kind: where no graph is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol.geodesy import distance_m

LABEL: Final = "great-circle"


@dataclass(frozen=True, slots=True)
class Travel:
    """Speeds are urban means with blue light; a drone flies straight."""

    speed_mps: float
    detour: float


TRAVEL: Final = {
    "car": Travel(12.0, 1.3),
    "motorcycle": Travel(13.0, 1.25),
    "drone": Travel(15.0, 1.0),
    "foot": Travel(1.6, 1.2),
}


def eta_ms(kind: str, lat1: float, lon1: float, lat2: float, lon2: float) -> tuple[int, int]:
    """(travel time in ms, distance along the assumed way in m)."""
    travel = TRAVEL[kind]
    way_m = distance_m(lat1, lon1, lat2, lon2) * travel.detour
    return round(way_m / travel.speed_mps * 1000), round(way_m)
