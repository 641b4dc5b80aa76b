"""Ways from a track: how far, and from where to where; pure.

What is flagged `parked` is no way, however much the receiver wandered, and what is `suspect`
proves none. A way begins at the last place before the first moving fix and ends where the next
parked or last fix stands. Called by whoever evaluates tracks; the points are a track's, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from protocol import geodesy
from protocol.track import TrackPoint
from protocol.words import flags_to_bits

HALT_MS: Final = 180_000  # a shorter halt (lights, a word with somebody) does not end a trip
TRIP_M_MIN: Final = 50.0  # shorter is no trip: a car moved in its yard

_PARKED: Final = flags_to_bits(("parked",))
_SUSPECT: Final = flags_to_bits(("suspect",))


@dataclass(frozen=True, slots=True)
class Trip:
    """From the last place before moving to the last moving fix."""

    begin: TrackPoint
    end: TrackPoint
    distance_m: float


@dataclass(frozen=True, slots=True)
class _Leg:
    begin: TrackPoint
    end: TrackPoint
    length_m: float


def distance_m(points: Iterable[TrackPoint]) -> float:
    """Metres on the way, straight between fixes."""
    return sum(leg.length_m for leg in _legs(points))


def trips(points: Iterable[TrackPoint]) -> tuple[Trip, ...]:
    """Ways of at least TRIP_M_MIN, parted by halts of at least HALT_MS."""
    found: list[Trip] = []
    for leg in _legs(points):
        if found and leg.begin.time_ms - found[-1].end.time_ms < HALT_MS:
            whole_m = found[-1].distance_m + leg.length_m
            found[-1] = Trip(found[-1].begin, leg.end, whole_m)
        else:
            found.append(Trip(leg.begin, leg.end, leg.length_m))
    return tuple(trip for trip in found if trip.distance_m >= TRIP_M_MIN)


def _legs(points: Iterable[TrackPoint]) -> Iterator[_Leg]:
    """Each move between two fixes that count, the later one not parked."""
    before: TrackPoint | None = None
    for point in points:
        if point.flags & _SUSPECT:
            continue
        if before is not None and not point.flags & _PARKED:
            yield _Leg(before, point, _between_m(before, point))
        before = point


def _between_m(one: TrackPoint, other: TrackPoint) -> float:
    return geodesy.distance_m(
        one.lat_e6 / 1e6, one.lon_e6 / 1e6, other.lat_e6 / 1e6, other.lon_e6 / 1e6
    )
