"""Parts of the board: an SOS, a technician's permit to test, a welfare check under way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

DESKS: Final = "desks"
NEIGHBOURS: Final = "neighbours"
SOURCES_MAX: Final = 256
NO_PLACE: Final = "unknown"  # source of a place that nobody knows


@dataclass(slots=True)
class Sos:
    """Beside its incident, which carries number, place, orders and state."""

    incident: str
    raised_ms: int
    silent: bool
    sources: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)  # crews in danger
    acknowledged_by: str | None = None
    false_alarm_by: str | None = None  # the unit whose crew said so
    told: list[str] = field(default_factory=list)  # steps of escalation that are done


@dataclass(slots=True)
class SosTest:
    """A terminal's permit."""

    permitted_ms: int
    until_ms: int
    by: str
    sources: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Watch:
    """A crew was asked whether it is well."""

    order: str
    asked_ms: int
    told: bool = False  # the desk knows that it did not answer
