"""What happened: the journal's events. `board.apply` is their only meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from matcher.core.event_parts import NO_ENTRY, Candidate, EntryOrder, LeftOut, UnitSpec
from matcher.core.events_book import CallReferred, CodebookTaken, PlanRaised
from matcher.core.events_crew import (
    SelfInitiated,
    UnitInExercise,
    UnitTouched,
    WelfareAsked,
    WelfareUnanswered,
)
from matcher.core.events_desk import (
    IncidentJoined,
    IncidentParted,
    IncidentUpdated,
    MessageAnswered,
    MessageSent,
    MessageShown,
    OrderAnsweredAt,
    OrderRead,
    OrderRevised,
    OrderWaits,
    PremiseForgotten,
    PremiseNoted,
    ReadOverdue,
    UnitManned,
    UnitPlaced,
    VisibilitySet,
)
from matcher.core.events_order import (
    Decided,
    MessageDelivered,
    MessageExpired,
    MessageQueued,
    OrderIssued,
    OrderOverdue,
    OrderStepped,
    OrderTook,
)
from matcher.core.events_sos import (
    OrderVacated,
    SosAcknowledged,
    SosEscalated,
    SosJoined,
    SosRaised,
    SosSaid,
    SosTested,
    SosTestPermitted,
)
from protocol.dispatch import Place


@dataclass(frozen=True, slots=True)
class TermBegan:
    """This matcher took the fleet over."""

    at_ms: int
    term: int


@dataclass(frozen=True, slots=True)
class FleetConfigured:
    at_ms: int
    mode: str
    units: tuple[UnitSpec, ...]


@dataclass(frozen=True, slots=True)
class IdentitiesTaken:
    """From here this version of the identities document holds."""

    at_ms: int
    version: int
    digest: bytes
    terminals: tuple[tuple[bytes, str], ...]  # enrolment id, device; active ones


@dataclass(frozen=True, slots=True)
class LoggedOn:
    at_ms: int
    enrolment: bytes
    device: str
    order: EntryOrder  # of the entry among this terminal's own
    logon: int
    unit: str
    crew: tuple[str, ...]
    vehicle: str | None


@dataclass(frozen=True, slots=True)
class LoggedOff:
    at_ms: int
    enrolment: bytes
    order: EntryOrder
    logon: int


@dataclass(frozen=True, slots=True)
class UnitStatusSet:
    at_ms: int
    unit: str
    status: int  # words.Status
    by: str
    enrolment: bytes  # empty where the desk or a rule set it
    order: EntryOrder
    reason: str | None


@dataclass(frozen=True, slots=True)
class UnitHeld:
    at_ms: int
    unit: str
    on: bool
    by: str


@dataclass(frozen=True, slots=True)
class IncidentOpened:
    at_ms: int
    incident: str
    number: str
    kind: str
    priority: int
    place: Place
    plan_units: int
    plan_officers: int
    hazards: tuple[str, ...]
    notes: str
    channel: str
    by: str
    capabilities: tuple[str, ...] = ()  # a code as often as units with it are wanted
    alert: bool = False  # neighbours hear it at once
    exercise: bool = False  # played: only units in exercise are sent, and no figure counts it
    long_number: str = ""  # the whole number; empty in journals older than the codebook
    serial_day: int = 0  # of both numbers, days since 1970 in the fleet's time
    serial: int = 0
    staging_m: int | None = None  # wait so far off and go in together
    by_book: bool = False  # the plan is the codebook's, no person's


@dataclass(frozen=True, slots=True)
class PlanSet:
    """The incident's least units were changed by a person."""

    at_ms: int
    incident: str
    units: int
    by: str


@dataclass(frozen=True, slots=True)
class RuleStopped:
    """No rule sends to this incident until a person lets it again."""

    at_ms: int
    incident: str
    on: bool
    by: str


@dataclass(frozen=True, slots=True)
class ModeSet:
    """Who sends at a priority, from now."""

    at_ms: int
    priority: int
    mode: str
    veto_s: int
    by: str


@dataclass(frozen=True, slots=True)
class IncidentMoved:
    at_ms: int
    incident: str
    state: str  # board.IncidentState
    by: str
    disposition: str | None


@dataclass(frozen=True, slots=True)
class IncidentWaits:
    """Short of its plan without an open offer, and why; reason None: no longer.

    `recommended`: the best of now, for a person; `due_ms`: when the rule sends unless stopped.
    """

    at_ms: int
    incident: str
    reason: str | None
    recommended: tuple[Candidate, ...] = ()
    due_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Escalated:
    """A recommendation stayed untouched for too long."""

    at_ms: int
    incident: str


@dataclass(frozen=True, slots=True)
class AlertRaised:
    at_ms: int
    alert: str
    kind: str
    unit: str | None
    incident: str | None
    order: str | None
    text: str


@dataclass(frozen=True, slots=True)
class AlertAcknowledged:
    at_ms: int
    alert: str
    by: str


@dataclass(frozen=True, slots=True)
class RequestDone:
    """Journaled with what it decided: the same request gets the same reply for 24 h."""

    at_ms: int
    enrolment: bytes
    request_id: str
    digest: bytes
    manager: str
    reply: bytes
    person: str = ""
    incident: str = ""  # that it changed


Event: TypeAlias = (
    TermBegan | FleetConfigured | ModeSet | IdentitiesTaken | LoggedOn | LoggedOff | UnitManned
    | UnitPlaced | UnitStatusSet | UnitHeld | IncidentOpened | IncidentUpdated | PlanSet
    | RuleStopped | IncidentMoved | IncidentJoined | IncidentParted | IncidentWaits | Escalated
    | Decided | OrderIssued | OrderTook | OrderStepped | OrderOverdue | OrderRevised | OrderWaits
    | OrderAnsweredAt | OrderRead | ReadOverdue | MessageQueued | MessageDelivered
    | MessageExpired | PremiseNoted | PremiseForgotten | MessageSent | MessageShown
    | MessageAnswered | AlertRaised | AlertAcknowledged | RequestDone | SosRaised | SosJoined
    | SosAcknowledged | SosEscalated | SosSaid | SosTestPermitted | SosTested | OrderVacated
    | UnitTouched | WelfareAsked | WelfareUnanswered | SelfInitiated | UnitInExercise
    | VisibilitySet
    | CodebookTaken | CallReferred | PlanRaised
)  # fmt: skip
EVENTS: Final = Event.__args__

__all__ = [
    "EVENTS", "NO_ENTRY", "AlertAcknowledged", "AlertRaised", "CallReferred", "Candidate",
    "CodebookTaken", "Decided", "EntryOrder", "Escalated", "Event", "FleetConfigured",
    "IdentitiesTaken", "IncidentJoined", "IncidentMoved", "IncidentOpened", "IncidentParted",
    "IncidentUpdated", "IncidentWaits", "LeftOut", "LoggedOff", "LoggedOn", "MessageAnswered",
    "MessageDelivered", "MessageExpired", "MessageQueued", "MessageSent", "MessageShown", "ModeSet",
    "OrderAnsweredAt", "OrderIssued", "OrderOverdue", "OrderRead", "OrderRevised", "OrderStepped",
    "OrderTook", "OrderVacated", "OrderWaits", "PlanRaised", "PlanSet", "PremiseForgotten",
    "PremiseNoted", "ReadOverdue", "RequestDone", "RuleStopped", "SelfInitiated", "SosAcknowledged",
    "SosEscalated", "SosJoined", "SosRaised", "SosSaid", "SosTestPermitted", "SosTested",
    "TermBegan", "UnitHeld", "UnitInExercise", "UnitManned", "UnitPlaced", "UnitSpec",
    "UnitStatusSet", "UnitTouched", "VisibilitySet", "WelfareAsked", "WelfareUnanswered",
]  # fmt: skip
