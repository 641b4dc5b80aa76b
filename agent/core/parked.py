"""Parked means parked: at rest the reported position stands still, the track keeps every fix.

A receiver at rest wanders by metres and now and then by tens of them. While it cannot be told from
rest, the reported position is the anchor, flagged `parked`; the kept fix is the receiver's own,
with the same flag, so that nobody counts the wander as a way. At rest is presumed until movement
shows: by speed summed up beyond what a receiver at rest says (a CUSUM test, quick), or by a stay
outside the anchor's circle (slow, finds towing at walking pace). Where the receiver's own time is
in dispute nothing is claimed. Pure; called by `whereabouts` with each fix, in order.
"""

from collections import deque
from dataclasses import dataclass, replace
from math import cos, hypot, radians
from typing import Final

from agent.core.fix import Fix
from protocol.geodesy import EARTH_RADIUS_M

ACCURACY_M_PER_HDOP: Final = 5.0  # 68 % radius of a plain receiver at HDOP 1
ACCURACY_M_DEFAULT: Final = 10.0
ACCURACY_M_MAX: Final = 100.0
REST_MPS: Final = 1.0  # a receiver at rest says less, but for moments
STANDS_MPS: Final = 0.7  # coming to rest: less than a stroll
DRIVES_MPS: Final = 3.0  # in the very first fix: no rest is presumed
MOVED_M: Final = 2.5  # summed speed beyond REST_MPS: 2 s after driving off at 2 m/s^2
MOVED_SHARE: Final = 0.4  # of the summed speed must show as change of place
STEP_S_MAX: Final = 5.0  # over a longer silence speeds say nothing
CIRCLE_M_MIN: Final = 45.0  # excursions of 30 m beside some metres of wander stay inside
FAR_CIRCLES: Final = 2.0  # no excursion: at once
OUTSIDE_S: Final = 10.0
REST_S: Final = 10.0  # of standing until there is a new anchor
REST_SPREAD_M: Final = 8.0
BETTER: Final = 0.5  # an anchor is placed anew by a fix of half its error
TOWED_M: Final = 50.0
DISPUTED_MS: Final = 60_000
_REST_FIXES_MAX: Final = 128
_ELAPSED_SLACK_MS: Final = 2_000

_LEAPS: Final = frozenset({"date_jump", "time_ahead"})
_ODD: Final = frozenset({"frozen", "time_back"})
_PARKED: Final = "parked"

Metres = tuple[float, float]  # north, east


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchoredFix:
    """What to report, what to keep, and what happened with this fix."""

    reported: Fix
    kept: Fix  # the receiver's own place and time
    parked: bool
    moved_off: bool = False  # the flag has just gone: worth a message at once
    towed: bool = False  # told once for each time


@dataclass(frozen=True, slots=True)
class _Place:
    lat_deg: float
    lon_deg: float
    accuracy_m: float


@dataclass(frozen=True, slots=True)
class _Seen:
    """A fix with a place, and when it came."""

    fix: Fix
    place: _Place
    now_ms: int


class Anchor:
    """One receiver's rest and movement; bounded, without a clock of its own."""

    def __init__(self) -> None:
        self._anchor: _Place | None = None  # None: it moves, or nothing is known
        self._left: _Place | None = None  # where it was parked last
        self._is_presumed = False  # one fix says where: a few seconds' mean is better
        self._towed_told = False
        self._last: _Seen | None = None
        self._disputed_until_ms: int | None = None
        self._excess_m = self._travelled_m = self._outside_s = self._step_mps = 0.0
        self._from: _Place | None = None  # where the summed speed began
        self._resting: deque[_Seen] = deque(maxlen=_REST_FIXES_MAX)

    def feed(self, fix: Fix, now_ms: int, ignition: bool | None) -> AnchoredFix:
        """`now_ms` is the caller's monotonic time, `ignition` None where nobody says."""
        disputed = self._is_disputed(fix, now_ms)
        place = _place_of(fix)
        if place is None:
            return AnchoredFix(reported=fix, kept=fix, parked=False)
        seen, last = _Seen(fix, place, now_ms), self._last
        self._last = seen
        if disputed:
            return AnchoredFix(reported=fix, kept=fix, parked=False)
        if last is None or (self._anchor is None and self._left is None):
            return self._begin(fix, place)
        moved_off = False
        if self._anchor is None:
            self._look_for_rest(seen)
        else:
            moved_off = self._is_leaving(seen, last, ignition)
        if self._anchor is not None:
            return self._at_anchor(fix)
        towed = self._is_towed(place, ignition)
        return AnchoredFix(reported=fix, kept=fix, parked=False, moved_off=moved_off, towed=towed)

    def _begin(self, fix: Fix, place: _Place) -> AnchoredFix:
        if (fix.sog_mps or 0.0) < DRIVES_MPS:
            self._settle_at(place)
            self._is_presumed = True
            return self._at_anchor(fix)
        self._left, self._towed_told = place, True
        return AnchoredFix(reported=fix, kept=fix, parked=False)

    def _is_disputed(self, fix: Fix, now_ms: int) -> bool:
        """One odd fix is passed over; after a clock that leaps, rest is presumed anew."""
        if self._last is not None and not _LEAPS.isdisjoint(fix.flags):
            self._disputed_until_ms = now_ms + DISPUTED_MS
            self._anchor = self._left = None
            self._resting.clear()
        if self._disputed_until_ms is not None and now_ms < self._disputed_until_ms:
            return True
        return not _ODD.isdisjoint(fix.flags)

    def _settle_at(self, place: _Place) -> None:
        self._anchor, self._left = place, None
        self._is_presumed = self._towed_told = False
        self._excess_m = self._travelled_m = self._outside_s = self._step_mps = 0.0
        self._from = None
        self._resting.clear()

    def _at_anchor(self, fix: Fix) -> AnchoredFix:
        assert self._anchor is not None
        kept = replace(fix, flags=tuple(sorted({*fix.flags, _PARKED})))
        reported = replace(
            kept, lat_deg=self._anchor.lat_deg, lon_deg=self._anchor.lon_deg, sog_mps=0.0,
            cog_deg=None,
        )  # fmt: skip
        return AnchoredFix(reported=reported, kept=kept, parked=True)

    # --- leaving ------------------------------------------------------------------------------

    def _is_leaving(self, seen: _Seen, last: _Seen, ignition: bool | None) -> bool:
        anchor, place = self._anchor, seen.place
        assert anchor is not None
        elapsed_s = _elapsed_s(last, seen)
        drives = self._drives(seen, last, elapsed_s)
        away_m = _distance_m(anchor, place)
        if not drives and place.accuracy_m <= anchor.accuracy_m * BETTER:
            self._settle_at(place)  # the first fixes after a cold start come from afar
            return False
        circle_m = max(CIRCLE_M_MIN, 2 * (anchor.accuracy_m + place.accuracy_m))
        self._outside_s = self._outside_s + elapsed_s if away_m > circle_m else 0.0
        if ignition is False and "suspect" in seen.fix.flags:
            return False  # who switched off and is said to move by a doubtful fix stays
        if not drives and self._outside_s < OUTSIDE_S and away_m < FAR_CIRCLES * circle_m:
            if self._is_presumed:
                self._look_for_rest(seen)
            return False
        self._left, self._anchor = anchor, None
        self._resting.clear()
        return True

    def _drives(self, seen: _Seen, last: _Seen, elapsed_s: float) -> bool:
        """Speed summed up beyond rest, which the place confirms."""
        if elapsed_s > STEP_S_MAX:
            self._excess_m, self._from = 0.0, None
            return False
        sog_mps = self._speed_mps(seen, last, elapsed_s)
        self._excess_m = max(0.0, self._excess_m + (sog_mps - REST_MPS) * elapsed_s)
        if self._excess_m == 0.0:
            self._from = None
            return False
        if self._from is None:
            self._from, self._travelled_m = last.place, 0.0
        self._travelled_m += sog_mps * elapsed_s
        shown_m = _distance_m(self._from, seen.place)
        return self._excess_m >= MOVED_M and shown_m >= MOVED_SHARE * self._travelled_m

    def _speed_mps(self, seen: _Seen, last: _Seen, elapsed_s: float) -> float:
        """A receiver that gives none: the lower of its last two steps, so that one leap is none."""
        if seen.fix.sog_mps is not None:
            return seen.fix.sog_mps
        step_mps = _distance_m(last.place, seen.place) / elapsed_s if elapsed_s > 0 else 0.0
        lower_mps, self._step_mps = min(step_mps, self._step_mps), step_mps
        return lower_mps

    def _is_towed(self, place: _Place, ignition: bool | None) -> bool:
        """Far from where it was parked, and the ignition was never on."""
        if ignition is not False:
            self._towed_told = True  # driven off: what follows is no towing
            return False
        if self._towed_told or self._left is None:
            return False
        reach_m = TOWED_M + self._left.accuracy_m + place.accuracy_m
        self._towed_told = _distance_m(self._left, place) >= reach_m
        return self._towed_told

    # --- coming to rest -----------------------------------------------------------------------

    def _look_for_rest(self, seen: _Seen) -> None:
        resting = self._resting
        if (seen.fix.sog_mps or 0.0) > STANDS_MPS:
            resting.clear()
        while resting and _distance_m(resting[0].place, seen.place) > REST_SPREAD_M:
            resting.popleft()
        resting.append(seen)
        if (
            seen.now_ms - resting[0].now_ms >= REST_S * 1000
            and _distance_m(resting[0].place, seen.place) <= REST_SPREAD_M
        ):
            self._settle_at(_mean([one.place for one in resting]))


def _place_of(fix: Fix) -> _Place | None:
    if fix.lat_deg is None or fix.lon_deg is None:
        return None
    if fix.hdop is None:
        return _Place(fix.lat_deg, fix.lon_deg, ACCURACY_M_DEFAULT)
    accuracy_m = min(ACCURACY_M_MAX, fix.hdop * ACCURACY_M_PER_HDOP)
    return _Place(fix.lat_deg, fix.lon_deg, accuracy_m)


def _elapsed_s(earlier: _Seen, later: _Seen) -> float:
    """By the receiver's own clock, which arrival does not blur, where the two agree."""
    arrival_ms = max(0, later.now_ms - earlier.now_ms)
    if earlier.fix.epoch_ms is not None and later.fix.epoch_ms is not None:
        epoch_ms = later.fix.epoch_ms - earlier.fix.epoch_ms
        if epoch_ms > 0 and abs(epoch_ms - arrival_ms) <= _ELAPSED_SLACK_MS:
            return epoch_ms / 1000
    return arrival_ms / 1000


def _distance_m(one: _Place, other: _Place) -> float:
    """On the tangent plane: these places are near each other, or far enough not to matter."""
    north_m = radians(other.lat_deg - one.lat_deg) * EARTH_RADIUS_M
    lon_deg = (other.lon_deg - one.lon_deg + 180) % 360 - 180
    return hypot(north_m, radians(lon_deg) * EARTH_RADIUS_M * cos(radians(one.lat_deg)))


def _mean(places: list[_Place]) -> _Place:
    """Around the first, so that the date line does no harm."""
    first, count = places[0], len(places)
    lat_deg = sum(place.lat_deg for place in places) / count
    east = sum((place.lon_deg - first.lon_deg + 180) % 360 - 180 for place in places) / count
    lon_deg = (first.lon_deg + east + 180) % 360 - 180
    return _Place(lat_deg, lon_deg, min(place.accuracy_m for place in places))
