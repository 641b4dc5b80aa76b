"""Closed lists of words that travel: status, kinds, trust, freshness (docs/glossary.md).

Numbers on the wire are fixed here and never reused.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Status(IntEnum):
    """A unit's status; the codebook says from which priority it may be sent."""

    OFF_DUTY = 0
    AVAILABLE = 1
    DISPATCHED = 2
    EN_ROUTE = 3
    STAGING = 4
    ON_SCENE = 5
    TRANSPORTING = 6
    AT_FACILITY = 7
    BUSY = 8
    OUT_OF_SERVICE = 9
    EMERGENCY = 10

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def from_word(cls, word: str) -> Status:
        return cls[word.upper()]


class UnitKind(StrEnum):
    CAR = "car"
    MOTORCYCLE = "motorcycle"
    DRONE = "drone"
    FOOT = "foot"


class TimeTrust(IntEnum):
    """How far a time may be believed."""

    NONE = 0
    RTC = 1
    NTP = 2
    GNSS = 3


class FixKind(IntEnum):
    NONE = 0
    FIX_2D = 1
    FIX_3D = 2


class Freshness(StrEnum):
    LIVE = "live"
    STALE = "stale"
    LOST = "lost"
    RADIO_ONLY = "radio_only"


# Flags of a fix, one bit each, as a position and a track carry them.
FIX_FLAGS: tuple[str, ...] = (
    "parked",  # the commonest first: they keep the number short
    "suspect",
    "alone",
    "hdop_high",
    "rollover",
    "frozen",
    "time_back",
    "date_jump",
    "jump",
    "speed_implausible",
    "satellites_lost",
    "estimated",
    "manual",
    "simulated",
    "null_island",
)


def flags_to_bits(flags: tuple[str, ...]) -> int:
    """Bits of the known flags; an unknown flag is an error of ours."""
    return sum(1 << FIX_FLAGS.index(flag) for flag in flags)


def bits_to_flags(bits: int) -> tuple[str, ...]:
    return tuple(flag for i, flag in enumerate(FIX_FLAGS) if bits >> i & 1)
