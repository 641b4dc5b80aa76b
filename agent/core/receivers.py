"""Which of a terminal's receivers is believed: fail-over, return, and whether they agree; pure.

The first is preferred. Another takes over with its own next fix once the one in use has had no good
fix for FAILOVER_MS (or vanished), so within 3 s at 1 Hz; the first comes back after it has been
good for RETURN_MS without a gap. Each epoch is given on once, whoever reports it. A fix is good
with a position that `integrity` does not suspect. Called by the agent's GNSS task with judged
fixes.
"""

from dataclasses import dataclass, replace
from math import cos, radians, sin
from typing import Final

from agent.core.fix import Fix
from agent.core.integrity import distance_m, is_suspect
from agent.core.positions import METRES_PER_HDOP

FAILOVER_MS: Final = 1_800  # a lost epoch at 1 Hz is 2 s minus the jitter of its neighbours
RETURN_MS: Final = 30_000
DISAGREE_MS: Final = 5_000
SAME_EPOCHS_MS: Final = 10_000  # further back it is a receiver's clock that was wrong
COMPARE_MS: Final = 1_500  # how far apart in time two fixes may be to be compared
UNKNOWN_HDOP: Final = 2.0
HDOP_FLOOR: Final = 1.0
_RADII_OF_95: Final = 2.0  # 95 % of fixes lie within twice the radius of 68 %
_METRES_PER_DEG: Final = 111_195.0


@dataclass(slots=True)
class _Heard:
    """What one receiver has said."""

    heard_ms: int | None = None
    good_ms: int | None = None
    good_since_ms: int = 0
    placed: Fix | None = None  # the newest with a position
    placed_ms: int = 0

    def take(self, fix: Fix, now_ms: int) -> None:
        self.heard_ms = now_ms
        if fix.lat_deg is not None:
            self.placed, self.placed_ms = fix, now_ms
        if fix.lat_deg is None or is_suspect(fix):
            self.good_ms = None
            return
        if self.good_ms is None or now_ms - self.good_ms > FAILOVER_MS:
            self.good_since_ms = now_ms
        self.good_ms = now_ms

    def worth(self, now_ms: int) -> int:
        """2: good fixes; 1: it speaks; 0: it is silent."""
        return _is_recent(self.heard_ms, now_ms) + _is_recent(self.good_ms, now_ms)

    def is_steady(self, now_ms: int) -> bool:
        return self.worth(now_ms) == 2 and now_ms - self.good_since_ms >= RETURN_MS


class Receivers:
    """`take` each receiver's fixes by its place, 0 the preferred; `now_ms` never goes back."""

    def __init__(self, count: int) -> None:
        self._all = [_Heard() for _ in range(count)]
        self._last_epoch_ms: int | None = None
        self._last_of = 0
        self._waits_until_ms: int | None = None  # for the preferred one, at the start
        self._apart_since_ms: int | None = None
        self._apart_m = 0.0
        self._compared_ms = 0
        self.active = 0
        self.changes = 0
        self.doubles = 0  # epochs that another receiver had given already

    def take(self, which: int, fix: Fix, now_ms: int) -> Fix | None:
        """The fix if it is to be used, else None."""
        if self._waits_until_ms is None:
            self._waits_until_ms = now_ms + FAILOVER_MS
        self._all[which].take(fix, now_ms)
        self._compare(now_ms)
        if which != self.active and self._should_use(which, now_ms):
            self.active = which
            self.changes += 1
        if which != self.active:
            return None
        return self._once(which, fix)

    def lost(self, which: int) -> bool:
        """Its port is gone: the next to speak takes over. True where none is left."""
        self._all[which] = _Heard()
        self._waits_until_ms = 0
        return all(one.heard_ms is None for one in self._all)

    def disagreement_m(self, now_ms: int) -> float | None:
        """How far two receivers are apart, once beyond their error bounds for DISAGREE_MS."""
        since_ms = self._apart_since_ms
        if since_ms is None or now_ms - self._compared_ms > DISAGREE_MS:
            return None
        return self._apart_m if self._compared_ms - since_ms >= DISAGREE_MS else None

    def _should_use(self, which: int, now_ms: int) -> bool:
        used, other = self._all[self.active], self._all[which]
        if used.heard_ms is None and now_ms < (self._waits_until_ms or 0):
            return False
        if other.worth(now_ms) > used.worth(now_ms):
            return True
        return which < self.active and other.is_steady(now_ms)

    def _once(self, which: int, fix: Fix) -> Fix | None:
        if which != self._last_of and self._was_given(fix.epoch_ms):
            self.doubles += 1
            return None
        self._last_of = which
        if fix.epoch_ms is not None:
            self._last_epoch_ms = fix.epoch_ms
        return fix

    def _was_given(self, epoch_ms: int | None) -> bool:
        if epoch_ms is None or self._last_epoch_ms is None:
            return False
        return 0 <= self._last_epoch_ms - epoch_ms <= SAME_EPOCHS_MS

    def _compare(self, now_ms: int) -> None:
        """The first two that have a place; two receivers cannot outvote each other."""
        placed = [(one.placed, one.placed_ms) for one in self._all if one.placed is not None]
        if len(placed) < 2:
            return
        (one, one_ms), (other, other_ms) = placed[:2]
        assert one is not None
        assert other is not None
        if one.epoch_ms is not None and other.epoch_ms is not None:
            step_ms = other.epoch_ms - one.epoch_ms
        else:
            step_ms = other_ms - one_ms
        if abs(step_ms) > COMPARE_MS or min(one_ms, other_ms) < now_ms - COMPARE_MS:
            return
        self._compared_ms = now_ms
        self._apart_m = distance_m(_moved(one, step_ms), other)
        if self._apart_m <= error_bound_m(one) + error_bound_m(other):
            self._apart_since_ms = None
        elif self._apart_since_ms is None:
            self._apart_since_ms = now_ms


def error_bound_m(fix: Fix) -> float:
    """Radius that holds 95 % of such fixes, by HDOP."""
    hdop = UNKNOWN_HDOP if fix.hdop is None else max(fix.hdop, HDOP_FLOOR)
    return hdop * METRES_PER_HDOP * _RADII_OF_95


def _moved(fix: Fix, step_ms: int) -> Fix:
    """Where it would be `step_ms` later, going on as it went."""
    if fix.sog_mps is None or fix.cog_deg is None or fix.lat_deg is None or fix.lon_deg is None:
        return fix
    way_deg = fix.sog_mps * step_ms / 1000 / _METRES_PER_DEG
    east = way_deg * sin(radians(fix.cog_deg)) / max(0.01, cos(radians(fix.lat_deg)))
    north = way_deg * cos(radians(fix.cog_deg))
    return replace(fix, lat_deg=fix.lat_deg + north, lon_deg=fix.lon_deg + east)


def _is_recent(at_ms: int | None, now_ms: int) -> bool:
    return at_ms is not None and now_ms - at_ms <= FAILOVER_MS
