"""Signs in how a receiver moves: its place against its own speed and course; pure.

The sum of what the place does beyond what speed and course say stays within metres in every honest
receiver with sound geometry, and grows with each second in which only the place is drawn off.
Called by `suspicion`.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, hypot, radians, sin
from typing import Final

from agent.core.fix import Fix
from protocol.geodesy import EARTH_RADIUS_M

# Over so many seconds place and speed must agree within so many metres (recorded drives: 43 m).
WINDOWS: Final = ((20.0, 60.0), (90.0, 150.0))
STEP_M: Final = 25.0
STEP_S_MAX: Final = 2.5  # between fixes that are compared
BRAKING_MPS2: Final = 12.0  # no tyre does it
HDOP_SOUND: Final = 4.0
SATELLITES_SOUND: Final = 6  # with fewer an honest receiver leaps by itself

_BUCKET_S: Final = 1.0
_BUCKETS_MAX: Final = 96


@dataclass(frozen=True, slots=True)
class _Step:
    """What the place did beyond what the speed says, from one fix to the next."""

    north_m: float
    east_m: float
    elapsed_s: float


class Drift:
    """One receiver's; remembers the last 90 s in buckets."""

    def __init__(self) -> None:
        self._last: tuple[Fix, int] | None = None
        self._steps: deque[_Step] = deque(maxlen=_BUCKETS_MAX)

    def signs(self, fix: Fix, now_ms: int) -> Iterator[tuple[str, int]]:
        """`braking`, `step`, `drift`, each with its level."""
        if fix.lat_deg is None or _repeats(self._last, fix):
            return
        last, self._last = self._last, (fix, now_ms)
        step = None if last is None else _step(*last, fix, now_ms)
        if last is None or step is None:
            self._steps.clear()
            return
        self._remember(step)
        braked_mps = abs((fix.sog_mps or 0.0) - (last[0].sog_mps or 0.0))
        if braked_mps > BRAKING_MPS2 * max(1.0, step.elapsed_s):
            yield "braking", 1
        if hypot(step.north_m, step.east_m) > STEP_M:
            yield "step", 1
        if self._has_drifted():
            yield "drift", 2

    def _remember(self, step: _Step) -> None:
        """In buckets of a second, so that ten fixes a second cost no more than one."""
        if self._steps and self._steps[-1].elapsed_s + step.elapsed_s <= _BUCKET_S:
            last = self._steps.pop()
            step = _Step(
                last.north_m + step.north_m,
                last.east_m + step.east_m,
                last.elapsed_s + step.elapsed_s,
            )
        self._steps.append(step)

    def _has_drifted(self) -> bool:
        """Whether the place has left its own speed, over any of the windows."""
        north_m = east_m = elapsed_s = 0.0
        windows = list(WINDOWS)
        for step in reversed(self._steps):
            elapsed_s += step.elapsed_s
            while windows and elapsed_s > windows[0][0]:
                if hypot(north_m, east_m) > windows.pop(0)[1]:
                    return True
            if not windows:
                return False
            north_m, east_m = north_m + step.north_m, east_m + step.east_m
        return hypot(north_m, east_m) > windows[0][1]


def _step(last: Fix, last_ms: int, fix: Fix, now_ms: int) -> _Step | None:
    """None where the two cannot be compared: no speed, poor geometry, a pause."""
    if last.lat_deg is None or last.lon_deg is None or fix.lat_deg is None or fix.lon_deg is None:
        return None
    elapsed_s = _elapsed_s(last, last_ms, fix, now_ms)
    speeds = _velocity_mps(last), _velocity_mps(fix)
    if speeds[0] is None or speeds[1] is None or not 0 < elapsed_s <= STEP_S_MAX:
        return None
    if not _is_sound(last) or not _is_sound(fix):
        return None
    north_m = radians(fix.lat_deg - last.lat_deg) * EARTH_RADIUS_M
    turn_deg = (fix.lon_deg - last.lon_deg + 180) % 360 - 180
    east_m = radians(turn_deg) * EARTH_RADIUS_M * cos(radians(fix.lat_deg))
    return _Step(
        north_m - (speeds[0][0] + speeds[1][0]) / 2 * elapsed_s,
        east_m - (speeds[0][1] + speeds[1][1]) / 2 * elapsed_s,
        elapsed_s,
    )


def _is_sound(fix: Fix) -> bool:
    """Good enough that honest places and speeds agree."""
    satellites = SATELLITES_SOUND if fix.satellites is None else fix.satellites
    few = satellites < SATELLITES_SOUND
    return not few and (fix.hdop or 0.0) <= HDOP_SOUND and "estimated" not in fix.flags


def _repeats(last: tuple[Fix, int] | None, fix: Fix) -> bool:
    """A receiver under way that says its last place once more."""
    if last is None or (fix.sog_mps or 0.0) <= 1.0:
        return False
    return (last[0].lat_deg, last[0].lon_deg) == (fix.lat_deg, fix.lon_deg)


def _elapsed_s(last: Fix, last_ms: int, fix: Fix, now_ms: int) -> float:
    if last.epoch_ms is not None and fix.epoch_ms is not None:
        return (fix.epoch_ms - last.epoch_ms) / 1000
    return (now_ms - last_ms) / 1000


def _velocity_mps(fix: Fix) -> tuple[float, float] | None:
    """North and east; a receiver that stands gives no course."""
    if fix.sog_mps is None or (fix.cog_deg is None and fix.sog_mps > 1.0):
        return None
    course = radians(fix.cog_deg or 0.0)
    return fix.sog_mps * cos(course), fix.sog_mps * sin(course)
