"""Drives a vehicle along a polyline, as a driver would: at most 20 m/s and 3 m/s².

It speeds up and slows down smoothly, slows for corners, stops at the end, and never jumps: a new
route while moving begins with braking straight on where the new way needs it. Time comes in as
`advance(dt_s)`, so a test drives an hour in a moment. Used by hil/gnss.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hil.path import Piece, Plane, Point, pieces_of, turn

SPEED_MAX_MPS: Final = 20.0
ACCEL_MAX_MPS2: Final = 2.9  # 3 with a margin for rounding in the sentences
JERK_MPS3: Final = 4.0
PLANNED_BRAKING: Final = 0.8  # of the acceleration; the rest corrects
STEP_S: Final = 0.02
ROUTE_POINTS_MAX: Final = 10_000
EASE_MPS: Final = 0.3
JOIN_M: Final = 5.0
LEAD_M: Final = 15.0
SAME_WAY_RAD: Final = math.radians(3)


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast, and how hard on pedals, this route is driven."""

    speed_mps: float = 14.0
    accel_mps2: float = 2.5

    @property
    def braking_mps2(self) -> float:
        """What is planned for; less than what is possible."""
        return min(self.accel_mps2, ACCEL_MAX_MPS2) * PLANNED_BRAKING


class Vehicle:
    """A vehicle at a place (WGS 84 degrees), standing or on its way."""

    def __init__(self, lat_deg: float, lon_deg: float, heading_deg: float = 0.0) -> None:
        self._plane = Plane(lat_deg, lon_deg)
        self._at: Point = (0.0, 0.0)
        self._heading_rad = math.radians(90 - heading_deg)
        self._pieces: list[Piece] = []
        self._along_m = 0.0  # on the first piece
        self._accel_mps2 = 0.0
        self._limits = Limits()
        self._stopping = False
        self._is_there = False  # a route that ends where it begins
        self.speed_mps = 0.0

    @property
    def position(self) -> tuple[float, float]:
        """Latitude and longitude."""
        return self._plane.to_degrees(self._at)

    def shifted(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Latitude and longitude of a point beside the vehicle."""
        return self._plane.to_degrees((self._at[0] + east_m, self._at[1] + north_m))

    @property
    def course_deg(self) -> float:
        """Clockwise from north, 0 <= x < 360."""
        return (90 - math.degrees(self._heading_rad)) % 360

    @property
    def is_driving(self) -> bool:
        """Whether there is a way left to drive."""
        return bool(self._pieces)

    def take_route(self, route: Sequence[tuple[float, float]], limits: Limits) -> None:
        """Leaves for the last point, through the others (lat, lon); replaces any route before."""
        points = [self._plane.to_metres(lat, lon) for lat, lon in route][:ROUTE_POINTS_MAX]
        near_m = max(JOIN_M, 2 * self.speed_mps)
        if len(points) > 1 and math.dist(points[0], self._at) < near_m:
            points = points[1:]
        self._limits = limits
        self._stopping = False
        self._along_m = 0.0
        pieces = pieces_of([self._at, *points])
        if self.speed_mps > 0 and not self._can_follow(pieces):
            pieces = pieces_of([self._at, self._lead_point(), *points])
        self._pieces = pieces
        self._is_there = not pieces

    def _lead_point(self) -> Point:
        ahead_m = self.speed_mps**2 / (2 * self._limits.braking_mps2) + LEAD_M
        a = self._heading_rad
        return self._at[0] + ahead_m * math.cos(a), self._at[1] + ahead_m * math.sin(a)

    def _can_follow(self, pieces: list[Piece]) -> bool:
        """Whether the way goes on as we drive, and every corner is far enough to brake for."""
        if not pieces or abs(turn(self._heading_rad, pieces[0].heading_rad)) > SAME_WAY_RAD:
            return False
        return self.speed_mps <= self._speed_for(pieces, 0.0) + 0.01

    def stop(self) -> None:
        """Brakes to a standstill on the way and forgets the rest of the route."""
        self._stopping = True

    def advance(self, dt_s: float) -> str | None:
        """Moves on by `dt_s`; returns "arrived" or "stopped" when the drive ended in it."""
        ended = None
        while dt_s > 1e-9:
            step_s = min(STEP_S, dt_s)
            ended = self._step(step_s) or ended
            dt_s -= step_s
        return ended

    def _step(self, dt_s: float) -> str | None:
        if not self._pieces:
            return self._stand_still()
        before_mps = self.speed_mps
        self.speed_mps = max(0.0, before_mps + self._choose_accel(dt_s) * dt_s)
        self._move((before_mps + self.speed_mps) / 2 * dt_s)
        return self._end_of_drive()

    def _stand_still(self) -> str | None:
        ended = "arrived" if self._is_there else "stopped" if self._stopping else None
        self._is_there = self._stopping = False
        return ended

    def _choose_accel(self, dt_s: float) -> float:
        wanted_mps = self._speed_for(self._pieces, self._along_m)
        if self._stopping:
            wanted_mps = min(wanted_mps, self.speed_mps - self._limits.braking_mps2 * dt_s)
        hardest = min(self._limits.accel_mps2, ACCEL_MAX_MPS2)
        missing_mps = wanted_mps - self.speed_mps
        if missing_mps < 0:
            self._accel_mps2 = max(-hardest, missing_mps / dt_s)
            return self._accel_mps2
        gentle = min(hardest, math.sqrt(2 * JERK_MPS3 * missing_mps), missing_mps / dt_s)
        if self._pieces[0].curvature:
            gentle = min(gentle, hardest / 2)
        self._accel_mps2 = min(gentle, max(self._accel_mps2, 0.0) + JERK_MPS3 * dt_s)
        return self._accel_mps2

    def _speed_for(self, pieces: list[Piece], along_m: float) -> float:
        """The speed now from which every limit ahead can be met with planned braking."""
        braking = self._limits.braking_mps2
        allowed = min(self._limits.speed_mps, SPEED_MAX_MPS, pieces[0].speed_max_mps)
        ahead_m = pieces[0].length_m - along_m
        for piece in pieces[1:]:
            if 2 * braking * ahead_m > SPEED_MAX_MPS**2:
                return allowed
            if piece.stop_before:
                return min(allowed, _speed_before_stop(braking, ahead_m))
            limit = piece.speed_max_mps
            allowed = min(allowed, math.sqrt(limit**2 + 2 * braking * max(0.0, ahead_m)))
            ahead_m += piece.length_m
        return min(allowed, _speed_before_stop(braking, ahead_m))

    def _move(self, way_m: float) -> None:
        self._along_m += way_m
        while len(self._pieces) > 1 and self._along_m >= self._pieces[0].length_m - 0.02:
            if self._pieces[1].stop_before:
                if self.speed_mps > 0.3:
                    break  # the last centimetres
                self.speed_mps = self._accel_mps2 = 0.0
            self._along_m = max(0.0, self._along_m - self._pieces.pop(0).length_m)
        piece = self._pieces[0]
        self._along_m = min(self._along_m, piece.length_m)
        self._at, self._heading_rad = piece.at(self._along_m)

    def _end_of_drive(self) -> str | None:
        if self._stopping and self.speed_mps < 0.05:
            return self._stand("stopped")
        left_m = self._pieces[0].length_m - self._along_m
        if len(self._pieces) == 1 and left_m < 0.02 and self.speed_mps < 0.3:
            return self._stand("arrived")
        return None

    def _stand(self, why: str) -> str:
        self._pieces, self._stopping = [], False
        self.speed_mps = self._accel_mps2 = self._along_m = 0.0
        return why


def _speed_before_stop(braking_mps2: float, left_m: float) -> float:
    """Braking that eases off towards standstill, as a good driver's does."""
    return math.sqrt(EASE_MPS**2 + 2 * braking_mps2 * max(0.0, left_m)) - EASE_MPS
