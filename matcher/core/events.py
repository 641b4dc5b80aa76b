"""What happened: the journal's events. `board.apply` is their only meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from protocol.dispatch import Place

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


@dataclass(frozen=True, slots=True)
class IncidentMoved:
    at_ms: int
    incident: str
    state: str  # board.IncidentState
    by: str
    disposition: str | None


@dataclass(frozen=True, slots=True)
class IncidentWaits:
    """Short of its plan without an open offer, and why; reason None: no longer."""

    at_ms: int
    incident: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """Why this unit: what `matcher explain` reads."""

    at_ms: int
    incident: str
    order: str | None  # None: nobody could be sent
    rule: str
    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class OrderIssued:
    at_ms: int
    order: str
    incident: str
    unit: str
    kind: str  # order.OrderKind
    slot: int  # place of the plan, from 1
    logon: int | None
    expires_ms: int
    answer_s: int
    issuer: str
    eta_ms: int | None


@dataclass(frozen=True, slots=True)
class OrderStepped:
    """One transition of the order's table, with who made it and by what means."""

    at_ms: int
    order: str
    step: str  # order.OrderStep
    by: str
    means: int  # order.AnswerMeans
    attached: bool  # confirmed without a place
    reason: str | None
    disposition: str | None


@dataclass(frozen=True, slots=True)
class OrderOverdue:
    """A limit passed: `undelivered` or `unanswered`. Releases nobody."""

    at_ms: int
    order: str
    what: str


@dataclass(frozen=True, slots=True)
class MessageQueued:
    """A numbered message; repeated byte for byte until delivered or expired."""

    at_ms: int
    enrolment: bytes
    term: int
    counter: int
    before: tuple[tuple[int, int], ...]  # its numbers under earlier terms
    message: bytes  # encoded dispatch.Numbered
    expires_ms: int


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    at_ms: int
    enrolment: bytes
    term: int
    counter: int
    outcome: str


@dataclass(frozen=True, slots=True)
class MessageExpired:
    at_ms: int
    enrolment: bytes
    term: int
    counter: int


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


Event: TypeAlias = (
    TermBegan | FleetConfigured | IdentitiesTaken | LoggedOn | LoggedOff | UnitStatusSet | UnitHeld
    | IncidentOpened | IncidentMoved | IncidentWaits | Decided | OrderIssued | OrderStepped
    | OrderOverdue | MessageQueued | MessageDelivered | MessageExpired | AlertRaised
    | AlertAcknowledged | RequestDone
)  # fmt: skip
EVENTS: Final = Event.__args__
