"""Events of an SOS: an incident of priority 0 with a life of its own."""

from __future__ import annotations

from dataclasses import dataclass

from matcher.core.event_parts import EntryOrder


@dataclass(frozen=True, slots=True)
class SosRaised:
    """`incident` was opened for it; `source` names the one press of a button."""

    at_ms: int
    incident: str
    source: str
    device: str  # the terminal that told us
    unit: str | None
    silent: bool  # nothing may sound or light up where it was raised


@dataclass(frozen=True, slots=True)
class SosJoined:
    """A further press, recorder or unit of an SOS that is open."""

    at_ms: int
    incident: str
    source: str
    device: str
    unit: str | None
    silent: bool


@dataclass(frozen=True, slots=True)
class SosAcknowledged:
    """A named dispatcher has it."""

    at_ms: int
    incident: str
    by: str


@dataclass(frozen=True, slots=True)
class SosEscalated:
    """Nobody had it in time; `step`: who was told then (board_sos.DESKS, NEIGHBOURS)."""

    at_ms: int
    incident: str
    step: str


@dataclass(frozen=True, slots=True)
class SosSaid:
    """The crew set another status (or `false_alarm`) during its SOS: only the desk closes it."""

    at_ms: int
    incident: str
    unit: str
    enrolment: bytes
    order: EntryOrder
    status: int  # words.Status, as the crew set it
    reason: str | None
    is_false_alarm: bool


@dataclass(frozen=True, slots=True)
class SosTestPermitted:
    """An SOS from this terminal is a test until then."""

    at_ms: int
    device: str
    until_ms: int
    by: str


@dataclass(frozen=True, slots=True)
class SosTested:
    """An SOS under a permit: marked, and nobody is sent."""

    at_ms: int
    device: str
    source: str
    by: str


@dataclass(frozen=True, slots=True)
class OrderVacated:
    """The crew is in danger itself: its order stays and is seen, its place is looked for again."""

    at_ms: int
    order: str
