"""Events of a running incident: what is known better, what crews were told, joined reports."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.dispatch import Place


@dataclass(frozen=True, slots=True)
class IncidentUpdated:
    """Only what changed is not None; `hazards` and `notes` are the whole new value."""

    at_ms: int
    incident: str
    revision_class: int  # dispatch.Revision
    by: str
    kind: str | None
    priority: int | None
    place: Place | None
    hazards: tuple[str, ...] | None
    notes: str | None


@dataclass(frozen=True, slots=True)
class IncidentJoined:
    """A repeated report of `into`; it can be parted again."""

    at_ms: int
    incident: str
    into: str
    by: str


@dataclass(frozen=True, slots=True)
class IncidentParted:
    at_ms: int
    incident: str
    by: str


@dataclass(frozen=True, slots=True)
class OrderRevised:
    """The crew gets the order anew; `read_by_ms`: until when they must have said that they read."""

    at_ms: int
    order: str
    revision: int
    revision_class: int
    read_by_ms: int | None
    expires_ms: int


@dataclass(frozen=True, slots=True)
class OrderWaits:
    """One officer alone: told to wait for `unit` (None: for whoever comes), `wait_s` later."""

    at_ms: int
    order: str
    unit: str | None
    wait_s: int


@dataclass(frozen=True, slots=True)
class OrderAnsweredAt:
    """The terminal of the unit whose answer counted first."""

    at_ms: int
    order: str
    device: str


@dataclass(frozen=True, slots=True)
class OrderRead:
    at_ms: int
    order: str
    revision: int
    by: str


@dataclass(frozen=True, slots=True)
class ReadOverdue:
    """Nobody said in time that they read it; the desk is told."""

    at_ms: int
    order: str


@dataclass(frozen=True, slots=True)
class MessageSent:
    at_ms: int
    message: str
    incident: str | None
    units: tuple[str, ...]
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageShown:
    """A terminal keeps and shows it."""

    at_ms: int
    message: str
    unit: str


@dataclass(frozen=True, slots=True)
class MessageAnswered:
    """Read (`read`), or answered by a code."""

    at_ms: int
    message: str
    unit: str
    code: str


@dataclass(frozen=True, slots=True)
class PremiseNoted:
    """What is said of a place; shown to crews as unverified until it expires."""

    at_ms: int
    premise: str
    place: Place
    text: str
    source: str
    by: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class PremiseForgotten:
    at_ms: int
    premise: str
    by: str


@dataclass(frozen=True, slots=True)
class UnitPlaced:
    """Where a unit says by radio that it is."""

    at_ms: int
    unit: str
    place: Place
    by: str


@dataclass(frozen=True, slots=True)
class UnitManned:
    """The desk logged a crew on that has no terminal; an empty crew: off."""

    at_ms: int
    unit: str
    crew: tuple[str, ...]
    vehicle: str | None
    by: str


@dataclass(frozen=True, slots=True)
class VisibilitySet:
    """Who knows of a unit: all, or `group` only; by a person, or by changed settings."""

    at_ms: int
    unit: str
    visibility: str  # open, restricted, covert
    group: str
    by: str
