"""Suspicion: how far a position may be spoofed or jammed, as far as NMEA alone can show; pure.

Level 0 nothing, 1 noticed, 2 doubtful (flag `suspect`: not used without a human), 3 several
independent signs. A sign is a transition or a contradiction: a leap, a clock that leaves the
caller's, a place that leaves its own speed, signals that are all alike or gone. A spoofer that
was there first, or that draws place, speed and time off together and slowly, shows none of them.
Signs of deceit hold for HOLD_MS, since a leap is over after a second and the lie is not.
docs/spoofing.md has the rates. Called by `whereabouts` with each fix that `integrity` judged.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean, pstdev
from typing import Final

from agent.core.drift import Drift
from agent.core.fix import Fix
from agent.core.time_sign import TimeSign

SUSPECT_LEVEL: Final = 2
HOLD_MS: Final = 60_000
LEVELS_MIN: Final = 6  # satellites, to say anything of their levels
UNIFORM_DB: Final = 1.0
UNIFORM_REPORTS: Final = 5
GONE_REPORTS: Final = 5
FADE_DB: Final = 10.0  # of all signals at once
ESTIMATED_MS_MAX: Final = 30_000  # dead reckoning is believed for a tunnel's length
APART_M: Final = 100.0  # of two receivers on one vehicle

_MEAN_REPORTS: Final = 64
# Flags of `integrity` that are signs, and how heavy.
_FLAGGED: Final = {
    "date_jump": 2, "frozen": 2, "jump": 2, "manual": 2, "null_island": 2, "simulated": 2,
    "speed_implausible": 2, "time_back": 2, "hdop_high": 1,
}  # fmt: skip
_DECEIT: Final = frozenset(
    {"apart", "date_jump", "drift", "jump", "leap", "speed_implausible", "time_ahead"}
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`signs` name what was seen, sorted; `held`: the level is that of a sign shortly before.

    `is_deceit`: one of them no roof, tunnel or poor receiver makes.
    """

    level: int
    signs: tuple[str, ...] = ()
    held: bool = False
    is_deceit: bool = False


class Suspicion:
    """One receiver's; bounded, without a clock of its own. `counts`: fixes with each sign."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._drift, self._time = Drift(), TimeSign()
        self._was_placed = False
        self._uniform = self._gone = 0
        self._means: deque[float] = deque(maxlen=_MEAN_REPORTS)
        self._lost_ms: int | None = None  # since when satellites are lost
        self._hold_until_ms: int | None = None
        self._held_level = 0

    def judge(self, fix: Fix, now_ms: int, apart_m: float | None = None) -> Verdict:
        """`now_ms`: the caller's monotonic time.

        `apart_m`: how far another receiver is off, beyond both their errors and for seconds.
        """
        signs = dict(self._signs(fix, now_ms, apart_m))
        if {"step", "braking"} <= signs.keys():
            signs["leap"] = 2  # halted in no time, elsewhere: another transmitter's place
        if {"levels_faded", "hdop_high"} <= signs.keys():
            signs["noise"] = 2  # all signals sink and the geometry goes: a jammer, or a roof
        self.counts.update(signs.keys())
        level = _level(signs)
        deceit = any(weight >= SUSPECT_LEVEL and sign in _DECEIT for sign, weight in signs.items())
        if deceit:
            self._held_level = max(level, self._held_level if self._holds(now_ms) else 0)
            self._hold_until_ms = now_ms + HOLD_MS
        held = self._holds(now_ms)
        is_higher = held and self._held_level > level
        told = self._held_level if is_higher else level
        return Verdict(told, tuple(sorted(signs)), is_higher, deceit)

    def _holds(self, now_ms: int) -> bool:
        return self._hold_until_ms is not None and now_ms < self._hold_until_ms

    def mark(self, fix: Fix, now_ms: int, apart_m: float | None = None) -> tuple[Fix, Verdict]:
        """The fix, flagged `suspect` where its level says so, and `time_ahead`."""
        verdict = self.judge(fix, now_ms, apart_m)
        found = {*fix.flags, *(sign for sign in verdict.signs if sign == "time_ahead")}
        if verdict.level >= SUSPECT_LEVEL:
            found.add("suspect")
        flags = tuple(sorted(found))
        return (fix if flags == fix.flags else replace(fix, flags=flags)), verdict

    def _signs(self, fix: Fix, now_ms: int, apart_m: float | None) -> Iterator[tuple[str, int]]:
        self._was_placed = self._was_placed or fix.lat_deg is not None
        cold = not self._was_placed  # a receiver that still looks for its place and time
        yield from ((flag, 1 if cold else _FLAGGED[flag]) for flag in fix.flags if flag in _FLAGGED)
        yield from self._of_satellites(fix, now_ms)
        if not cold and self._time.is_ahead(fix, now_ms):
            yield "time_ahead", 2
        yield from self._of_levels(fix)
        yield from self._drift.signs(fix, now_ms)
        if apart_m is not None:
            yield "apart", 2 if apart_m > APART_M else 1

    def _of_satellites(self, fix: Fix, now_ms: int) -> Iterator[tuple[str, int]]:
        if "satellites_lost" not in fix.flags:
            self._lost_ms = None
            return
        self._lost_ms = now_ms if self._lost_ms is None else self._lost_ms
        reckons = "estimated" in fix.flags and now_ms - self._lost_ms <= ESTIMATED_MS_MAX
        yield "satellites_lost", 1 if reckons else 2

    def _of_levels(self, fix: Fix) -> Iterator[tuple[str, int]]:
        levels = fix.snr_dbhz
        if levels is None:
            return
        heard = len(levels) >= LEVELS_MIN
        self._uniform = self._uniform + 1 if heard and pstdev(levels) < UNIFORM_DB else 0
        measured = fix.lat_deg is not None and "estimated" not in fix.flags
        self._gone = self._gone + 1 if measured and not levels and self._means else 0
        if self._uniform:
            yield "levels_alike", 2 if self._uniform >= UNIFORM_REPORTS else 1
        if self._gone >= GONE_REPORTS:
            yield "levels_gone", 2
        if not levels:
            return
        mean = fmean(levels)
        if self._means and max(self._means) - mean >= FADE_DB:
            yield "levels_faded", 1
        self._means.append(mean)


def _level(signs: dict[str, int]) -> int:
    """The heaviest sign; two heavy ones, or three of any kind, make it one more."""
    if not signs:
        return 0
    heaviest = max(signs.values())
    heavy = sum(weight >= SUSPECT_LEVEL for weight in signs.values())
    return min(3, heaviest + (heavy > 1 or len(signs) > 2))
