"""Fixes to track entries of at most 60 s; pure.

Every fix with a position is taken, whatever the reporting policy says. What is not yet in an
entry can be packed for the scratch record at any time. While the store has no room the points
wait here, bounded: the oldest go first, counted in `dropped` and told by `take_lost`. Called by the
terminal.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from agent.core.fix import DAY_MS, Fix, FixKind
from agent.core.integrity import is_suspect
from protocol.entry import Track
from protocol.track import CODEC, TrackPoint, pack
from protocol.words import FIX_FLAGS, flags_to_bits
from protocol.words import FixKind as WireFixKind

WAITING_MAX: Final = 3600  # an hour at 1 Hz while the disk is full
TimedPoint: TypeAlias = tuple[int, TrackPoint]  # uptime in ms, point

PACKED_BYTES_MAX: Final = 2700  # an entry has room for 2,800

WIRE_KIND: Final = {
    FixKind.NONE: int(WireFixKind.NONE),
    FixKind.FIX_2D: int(WireFixKind.FIX_2D),
    FixKind.FIX_3D: int(WireFixKind.FIX_3D),
}


@dataclass(frozen=True, slots=True)
class Lost:
    """Fixes that no entry could hold, and the times of the first and the last of them."""

    count: int
    first_ms: int
    last_ms: int


class TrackBuilder:
    """Collects points; `fixes_max` and `entry_ms` bound one entry."""

    def __init__(self, entry_ms: int, fixes_max: int) -> None:
        self.dropped = 0
        self._lost: Lost | None = None
        self._entry_ms, self._fixes_max = entry_ms, fixes_max
        self._points: deque[TimedPoint] = deque()

    def use(self, entry_ms: int, fixes_max: int) -> None:
        """Other bounds from now on."""
        self._entry_ms, self._fixes_max = entry_ms, fixes_max

    def add(self, point: TrackPoint, uptime_ms: int) -> None:
        if len(self._points) >= WAITING_MAX:
            self._drop_oldest()
        self._points.append((uptime_ms, point))

    def due(self, uptime_ms: int) -> bool:
        """Whether an entry should be made now."""
        if not self._points:
            return False
        full = len(self._points) >= self._fixes_max
        return full or uptime_ms - self._points[0][0] >= self._entry_ms

    @property
    def waiting(self) -> int:
        return len(self._points)

    def peek(self) -> tuple[TrackPoint, ...]:
        """Points of the next entry, oldest first."""
        return tuple(point for _, point in self._next())

    def take(self) -> tuple[TimedPoint, ...]:
        """The same, out of here; whoever cannot keep them puts them back."""
        taken = self._next()
        for _ in taken:
            self._points.popleft()
        return taken

    def put_back(self, points: Sequence[TimedPoint]) -> None:
        self._points.extendleft(reversed(points))
        while len(self._points) > WAITING_MAX:
            self._drop_oldest()

    def take_lost(self) -> Lost | None:
        """What was dropped since it was last told."""
        lost, self._lost = self._lost, None
        return lost

    def _drop_oldest(self) -> None:
        time_ms = self._points.popleft()[1].time_ms
        self.dropped += 1
        old = self._lost
        self._lost = Lost(
            1 if old is None else old.count + 1, time_ms if old is None else old.first_ms, time_ms
        )

    def _next(self) -> tuple[TimedPoint, ...]:
        points: list[TimedPoint] = []
        for uptime_ms, point in self._points:
            if len(points) == self._fixes_max or uptime_ms - self._points[0][0] > self._entry_ms:
                break
            points.append((uptime_ms, point))
        return tuple(points)


def point_of(fix: Fix, utc_ms: int) -> TrackPoint | None:
    """The track's point, None without a position; `utc_ms` stands in for what time it lacks."""
    if fix.lat_deg is None or fix.lon_deg is None:
        return None
    return TrackPoint(
        fix.epoch_ms if fix.epoch_ms is not None else _dated(fix.time_of_day_ms, utc_ms),
        round(fix.lat_deg * 1e6),
        round(fix.lon_deg * 1e6),
        None if fix.sog_mps is None else min(65535, round(fix.sog_mps * 10)),
        None if fix.cog_deg is None else round(fix.cog_deg) % 360,
        WIRE_KIND[fix.kind],
        flag_bits(fix),
    )


def _dated(time_of_day_ms: int | None, utc_ms: int) -> int:
    """A receiver that gives no date still knows the time of day: on the day that is nearest."""
    if time_of_day_ms is None:
        return utc_ms
    late_ms = (utc_ms - time_of_day_ms + DAY_MS // 2) % DAY_MS - DAY_MS // 2
    return max(0, utc_ms - late_ms)


def flag_bits(fix: Fix) -> int:
    """The wire's bits; what has no bit of its own still shows as `suspect` where it is."""
    known = tuple(flag for flag in fix.flags if flag in FIX_FLAGS and flag != "suspect")
    return flags_to_bits((*known, "suspect") if is_suspect(fix) else known)


def entries_of(points: Sequence[TrackPoint]) -> tuple[Track, ...]:
    """One entry, or several where noise makes the points pack badly."""
    packed = pack(points)
    if len(packed) <= PACKED_BYTES_MAX:
        return (Track(CODEC, len(points), packed),)
    half = len(points) // 2
    return entries_of(points[:half]) + entries_of(points[half:])
