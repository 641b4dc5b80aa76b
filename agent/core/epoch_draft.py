"""One epoch in the making: what its sentences have said so far, and which of them said it.

Receivers repeat themselves, and some stamp one second's sentences with two positions. The rules
here decide which word counts and how many dimensions they make. Filled by `epoch` only.
"""

from collections import Counter
from operator import sub
from typing import Final

from agent.core.fix import FixKind
from agent.core.nmea import Sentence

SAME_PLACE_DEG: Final = 1e-6
KEYS_MAX: Final = 32  # sentences of one cycle that are remembered

Key = tuple[str, str, int]  # talker, formatter, how many of them came before in this cycle

# What a formatter may tell: so that a cycle is learned alike with and without a fix.
_MAY_TELL: Final = {
    "RMC": frozenset(("position", "date", "motion")),
    "GGA": frozenset(("position", "quality")),
    "GNS": frozenset(("position", "quality")),
    "GLL": frozenset(("position",)),
    "GSA": frozenset(("dimension",)),
    "VTG": frozenset(("motion",)),
    "ZDA": frozenset(("date",)),
}

# Whose position counts where they differ: chart plotters stamp their GGA a second off.
_POSITION_RANK: Final = {"GGA": 0, "GNS": 0, "RMC": 1, "GLL": 2}
_DIMENSION_RANK: Final = {FixKind.NONE: 0, FixKind.FIX_2D: 1, FixKind.FIX_3D: 2}


class EpochDraft:
    """The fix in the making; fields are None until a sentence tells them."""

    def __init__(self) -> None:
        self.time_of_day_ms: int | None = None
        self.day: int | None = None
        self.day_trusted = False  # dated by a valid sentence, so later epochs may rest on it
        self.position_deg: tuple[float, float] | None = None
        self.alt_m: float | None = None
        self.sog_mps: float | None = None
        self.cog_deg: float | None = None
        self.satellites: int | None = None
        self.hdop: float | None = None
        self.dimension: FixKind | None = None
        self.listed: frozenset[tuple[str, int]] = frozenset()
        self.origins: set[str] = set()
        self.seen: Counter[tuple[str, str]] = Counter()
        self.keys: list[Key] = []
        self._position_rank = 0
        self._told: frozenset[str] = frozenset()
        self._valid: set[str] = set()
        self._void: set[str] = set()

    @property
    def void(self) -> bool:
        """One formatter that says void outweighs the others; one talker of it does not."""
        return bool(self._void - self._valid)

    def has(self, sentence: Sentence) -> bool:
        """Whether this talker's sentence of this formatter is already in."""
        return (sentence.talker, sentence.formatter) in self.seen

    def takes(self, sentence: Sentence) -> bool:
        """Whether a position sentence is of this epoch; a second of its kind is the next round."""
        unlike = self.time_of_day_ms != sentence.time_of_day_ms
        timed = None not in (self.time_of_day_ms, sentence.time_of_day_ms)
        return not self.has(sentence) and not (unlike and timed)

    @property
    def used(self) -> int | None:
        """Satellites used: GGA stops at 12 in many receivers, so the GSAs' lists may know more."""
        if self.satellites is None:
            return len(self.listed) or None
        return max(self.satellites, len(self.listed))

    def merge(self, sentence: Sentence) -> Key:
        """Take what the sentence adds; return its key, remembered if it added something."""
        name = (sentence.talker, sentence.formatter)
        key = (*name, self.seen[name])
        self.seen[name] += 1
        news = _MAY_TELL[sentence.formatter] - self._told
        self._told |= _MAY_TELL[sentence.formatter]
        if (self._take(sentence) or news or sentence.formatter == "GSA") and (
            len(self.keys) < KEYS_MAX
        ):
            self.keys.append(key)
        return key

    def _take(self, sentence: Sentence) -> bool:
        before = self._filled()
        if self.time_of_day_ms is None:
            self.time_of_day_ms = sentence.time_of_day_ms
        if sentence.valid is not None:
            (self._valid if sentence.valid else self._void).add(sentence.formatter)
        self._take_day(sentence)
        if sentence.lat_deg is not None and sentence.lon_deg is not None:
            self._take_position(
                (sentence.lat_deg, sentence.lon_deg), _POSITION_RANK[sentence.formatter]
            )
        self._take_motion(sentence)
        self._take_quality(sentence)
        return before != self._filled()

    def _take_day(self, sentence: Sentence) -> None:
        trusted = sentence.valid is not False
        if sentence.day is not None and (self.day is None or (trusted and not self.day_trusted)):
            self.day, self.day_trusted = sentence.day, trusted

    def _take_position(self, position_deg: tuple[float, float], rank: int) -> None:
        """A newer word of equal rank counts; of the same place the first, often finer, stays."""
        if self.position_deg is not None:
            steps_deg = map(sub, position_deg, self.position_deg)
            if rank < self._position_rank or max(map(abs, steps_deg)) <= SAME_PLACE_DEG:
                return
        self.position_deg, self._position_rank = position_deg, rank

    def _take_motion(self, sentence: Sentence) -> None:
        if self.alt_m is None:
            self.alt_m = sentence.alt_m
        if self.sog_mps is None:
            self.sog_mps = sentence.sog_mps
        if self.cog_deg is None:
            self.cog_deg = sentence.cog_deg

    def _take_quality(self, sentence: Sentence) -> None:
        if sentence.origin is not None:
            self.origins.add(sentence.origin)
        if sentence.dimension is not None:
            self.dimension = max(
                self.dimension or FixKind.NONE,
                sentence.dimension,
                key=lambda kind: _DIMENSION_RANK[kind],
            )
        if self.hdop is None:
            self.hdop = sentence.hdop
        self.listed |= sentence.satellite_ids
        if sentence.satellites is not None:
            self.satellites = max(self.satellites or 0, sentence.satellites)

    def _filled(self) -> tuple[object, ...]:
        return (
            self.time_of_day_ms,
            self.day,
            self.position_deg,
            self.alt_m,
            self.sog_mps,
            self.cog_deg,
            self.used,
            self.hdop,
            self.dimension,
            self.void,
            len(self.origins),
        )
