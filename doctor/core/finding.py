"""What one check found: a level, what it looked at, what it saw, and what a person can do. Pure.

Made by every judgement of doctor/core, printed by doctor/report.py.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DAY_MS: Final = 86_400_000


class Level(StrEnum):
    """`warn`: it works now, and will not for long, or cannot be shown to work."""

    OK = "ok"
    WARN = "warn"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `remedy` is empty where nothing is to be done."""

    level: Level
    name: str
    found: str
    remedy: str = ""


def ok(name: str, found: str) -> Finding:
    return Finding(Level.OK, name, found)


def warn(name: str, found: str, remedy: str) -> Finding:
    return Finding(Level.WARN, name, found, remedy)


def fault(name: str, found: str, remedy: str) -> Finding:
    return Finding(Level.FAULT, name, found, remedy)


def span(duration_ms: float) -> str:
    """A duration for people: `4.2 s`, `35 min`, `7 h`, `12 days`; of its size only."""
    seconds = abs(duration_ms) / 1000
    for limit_s, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit_s:
            value = seconds / unit_s
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{seconds / 86_400:,.0f} days"
