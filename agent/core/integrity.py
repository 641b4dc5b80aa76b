"""Doubt: each fix is compared with those before it and marked with what does not add up.

One table of rules, one state per receiver, no clock of its own: `now_ms` is the caller's monotonic
time at the fix's arrival. A lone receiver cannot prove a spoofer; it can show a transition: time
that stands, runs back or leaps, places too far apart, satellites gone at once. A new place or date
is believed after AGREEING_FIXES consistent fixes, so a receiver moved while off comes back by
itself. Called by the agent's GNSS task and `gnss_decode`, once for each fix, in order.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import asin, cos, radians, sin, sqrt
from typing import Final

from agent.core.fix import DAY_MS, Fix

JUMP_M: Final = 50_000.0
JUMP_MPS: Final = 250.0  # 900 km/h
SPEED_MPS_MAX: Final = 100.0  # 360 km/h: no unit of a fleet does it
SCATTER_M: Final = 50.0  # two good fixes of one place may lie this far apart
HDOP_MAX: Final = 10.0
CLOCK_STEP_MS: Final = 10_000  # receiver time against the caller's, beyond late arrival
AGREEING_FIXES: Final = 5
STILL_M: Final = 100.0  # to be driven, by its own speed, at one place: beyond any rounding
STILL_SOG_MPS: Final = 3.0
SATELLITES_PEAK_MIN: Final = 6
NULL_ISLAND_DEG: Final = 0.001

_EARTH_M: Final = 6_371_008.8
_ELAPSED_SLACK_MS: Final = 2_000
_ELAPSED_MS_MIN: Final = 1_000  # where only arrival tells: it comes in bursts
_PEAK_FADE: Final = 0.1  # satellites a fix: a receiver under a roof is not jammed for ever

SUSPECT: Final = frozenset(
    {
        "date_jump",
        "frozen",
        "jump",
        "manual",
        "null_island",
        "simulated",
        "speed_implausible",
        "suspect",  # as `suspicion` judged
        "time_back",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A fix and the caller's monotonic time at its arrival."""

    fix: Fix
    now_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What is remembered of one receiver between fixes; starts empty."""

    newest: Timed | None = None
    placed: Timed | None = None  # the newest with a position
    trusted: Timed | None = None  # the newest position believed
    stray: Timed | None = None  # the newest position not believed
    stray_fixes: int = 0  # that agree with each other
    clock_ms: int | None = None  # believed: UTC minus the caller's time; None until agreed on
    clock_vote_ms: int = 0
    clock_votes: int = 0
    still_m: float = 0.0  # that its speeds say it drove at one place, the same to the last digit
    satellites_peak: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What a rule may look at."""

    fix: Fix
    timed: Timed
    before: Track
    after: Track
    implied_mps: float | None  # from the position before, scatter allowed for


def is_suspect(fix: Fix) -> bool:
    """Whether the fix must not place a unit, prove an arrival or set a clock."""
    return not SUSPECT.isdisjoint(fix.flags)


def check(fix: Fix, before: Track, now_ms: int) -> tuple[Fix, Track]:
    """Return the fix with its flags added, and what to remember for the next one."""
    timed = Timed(fix=fix, now_ms=now_ms)
    after = _remember(timed, before)
    implied_mps = _implied_mps(timed, before)
    case = _Case(fix=fix, timed=timed, before=before, after=after, implied_mps=implied_mps)
    found = {flag for flag, rule in _RULES if rule(case)}
    flags = tuple(sorted(found.union(fix.flags)))
    return (fix if flags == fix.flags else replace(fix, flags=flags)), after


def distance_m(one: Fix, other: Fix) -> float:
    """Great-circle distance of two fixes that have positions."""
    assert one.lat_deg is not None
    assert one.lon_deg is not None
    assert other.lat_deg is not None
    assert other.lon_deg is not None
    one_lat, other_lat = radians(one.lat_deg), radians(other.lat_deg)
    lon_step = radians(other.lon_deg - one.lon_deg)
    half = sin((other_lat - one_lat) / 2) ** 2
    half += cos(one_lat) * cos(other_lat) * sin(lon_step / 2) ** 2
    return 2 * _EARTH_M * asin(min(1.0, sqrt(half)))


def _remember(timed: Timed, before: Track) -> Track:
    fix = timed.fix
    after = replace(
        before,
        newest=timed,
        satellites_peak=max(before.satellites_peak - _PEAK_FADE, fix.satellites or 0),
    )
    if fix.epoch_ms is not None:
        after = _vote_on_clock(fix.epoch_ms - timed.now_ms, after)
    if fix.lat_deg is None:
        return after
    after = replace(after, placed=timed, still_m=_still_m(timed, before))
    return _trust(timed, after)


def _vote_on_clock(offset_ms: int, track: Track) -> Track:
    """A clock is believed once several fixes agree on it, and kept until several deny it."""
    if track.clock_ms is not None and abs(offset_ms - track.clock_ms) <= CLOCK_STEP_MS:
        return replace(track, clock_ms=offset_ms, clock_votes=0)
    agrees = track.clock_votes > 0 and abs(offset_ms - track.clock_vote_ms) <= CLOCK_STEP_MS
    votes = track.clock_votes + 1 if agrees else 1
    if votes >= AGREEING_FIXES:
        return replace(track, clock_ms=offset_ms, clock_votes=0)
    return replace(track, clock_vote_ms=offset_ms, clock_votes=votes)


def _trust(timed: Timed, track: Track) -> Track:
    if track.trusted is None or not _is_far(track.trusted, timed):
        return replace(track, trusted=timed, stray=None, stray_fixes=0)
    agrees = track.stray is not None and not _is_far(track.stray, timed)
    stray_fixes = track.stray_fixes + 1 if agrees else 1
    if stray_fixes >= AGREEING_FIXES:
        return replace(track, trusted=timed, stray=None, stray_fixes=0)
    return replace(track, stray=timed, stray_fixes=stray_fixes)


def _still_m(timed: Timed, before: Track) -> float:
    sog_mps = timed.fix.sog_mps or 0.0
    if before.placed is None or sog_mps < STILL_SOG_MPS:
        return 0.0
    earlier = before.placed.fix
    if (timed.fix.lat_deg, timed.fix.lon_deg) != (earlier.lat_deg, earlier.lon_deg):
        return 0.0
    return before.still_m + sog_mps * _elapsed_s(before.placed, timed)


def _elapsed_s(earlier: Timed, later: Timed) -> float:
    """By the receiver's own clock, which arrival does not blur, unless it leaps."""
    arrival_ms = later.now_ms - earlier.now_ms
    if earlier.fix.epoch_ms is not None and later.fix.epoch_ms is not None:
        epoch_ms = later.fix.epoch_ms - earlier.fix.epoch_ms
        if epoch_ms > 0 and abs(epoch_ms - arrival_ms) <= _ELAPSED_SLACK_MS:
            return epoch_ms / 1000
    return max(arrival_ms, _ELAPSED_MS_MIN) / 1000


def _speed_between_mps(earlier: Timed, later: Timed) -> float:
    beyond_scatter_m = max(0.0, distance_m(earlier.fix, later.fix) - SCATTER_M)
    return beyond_scatter_m / _elapsed_s(earlier, later)


def _is_far(earlier: Timed, later: Timed) -> bool:
    if _speed_between_mps(earlier, later) >= JUMP_MPS:
        return True
    return distance_m(earlier.fix, later.fix) > JUMP_M


def _implied_mps(timed: Timed, before: Track) -> float | None:
    if before.placed is None or timed.fix.lat_deg is None:
        return None
    return _speed_between_mps(before.placed, timed)


def _time_step_ms(case: _Case) -> int | None:
    """Step of the receiver's time since the newest fix; by time of day where a date lacks."""
    if case.before.newest is None:
        return None
    newest = case.before.newest.fix
    if case.fix.epoch_ms is not None and newest.epoch_ms is not None:
        return case.fix.epoch_ms - newest.epoch_ms
    if case.fix.time_of_day_ms is None or newest.time_of_day_ms is None:
        return None
    step_ms = case.fix.time_of_day_ms - newest.time_of_day_ms
    return (step_ms + DAY_MS // 2) % DAY_MS - DAY_MS // 2  # the shorter way round midnight


def _is_frozen(case: _Case) -> bool:
    return _time_step_ms(case) == 0 or case.after.still_m >= STILL_M


def _is_time_back(case: _Case) -> bool:
    return (_time_step_ms(case) or 0) < 0


def _is_date_jump(case: _Case) -> bool:
    if case.fix.epoch_ms is None or case.before.clock_ms is None:
        return False
    offset_ms = case.fix.epoch_ms - case.timed.now_ms
    return abs(offset_ms - case.before.clock_ms) > CLOCK_STEP_MS


def _is_jump(case: _Case) -> bool:
    if case.fix.lat_deg is None or case.before.trusted is None:
        return False
    return _is_far(case.before.trusted, case.timed)


def _is_speed_implausible(case: _Case) -> bool:
    return max(case.fix.sog_mps or 0.0, case.implied_mps or 0.0) > SPEED_MPS_MAX


def _is_satellites_lost(case: _Case) -> bool:
    peak = case.after.satellites_peak
    used = case.fix.satellites
    return used is not None and peak >= SATELLITES_PEAK_MIN and used * 3 <= peak


def _is_hdop_high(case: _Case) -> bool:
    return case.fix.hdop is not None and case.fix.hdop > HDOP_MAX


def _is_null_island(case: _Case) -> bool:
    lat_deg, lon_deg = case.fix.lat_deg, case.fix.lon_deg
    if lat_deg is None or lon_deg is None:
        return False
    return max(abs(lat_deg), abs(lon_deg)) < NULL_ISLAND_DEG


_RULES: Final[tuple[tuple[str, Callable[[_Case], bool]], ...]] = (
    ("date_jump", _is_date_jump),
    ("frozen", _is_frozen),
    ("hdop_high", _is_hdop_high),
    ("jump", _is_jump),
    ("null_island", _is_null_island),
    ("satellites_lost", _is_satellites_lost),
    ("speed_implausible", _is_speed_implausible),
    ("time_back", _is_time_back),
)
