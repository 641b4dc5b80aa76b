"""Small records inside of events and commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

# (boot, uptime_ms, entry number): orders one terminal's entries over logbooks and clocks
EntryOrder: TypeAlias = tuple[int, int, int]
NO_ENTRY: Final[EntryOrder] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """A unit as the fleet's settings name it."""

    unit: str
    kind: str  # words.UnitKind
    officers: int  # crew when nothing better is known
    capabilities: tuple[str, ...]
    visibility: str = "open"  # restricted, covert: known to `group` only
    group: str = ""
    terminals: tuple[str, ...] = ()  # the vehicle's own, also where nobody has logged on


@dataclass(frozen=True, slots=True)
class Candidate:
    """One unit's travel time as it entered a decision; integers, so that a replay is exact."""

    unit: str
    eta_ms: int
    distance_m: int
    age_ms: int
    band: str  # words.Freshness


@dataclass(frozen=True, slots=True)
class LeftOut:
    unit: str
    reason: str
