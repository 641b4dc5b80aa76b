"""The centre's state, made from events alone, and its hash.

`apply(board, event)` is total over the events and decides nothing. Positions are not here: they
change every second and are no events; their travel times enter through commands.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

import cbor2

from matcher.core.board_sos import Sos, SosTest, Watch
from matcher.core.book import BookInForce, default_book
from matcher.core.events import NO_ENTRY, Candidate, EntryOrder
from protocol.dispatch import Place
from protocol.order import HELD, OPEN, OrderKind, OrderState
from protocol.words import Status

REQUEST_KEPT_MS = 24 * 3_600_000


class IncidentState(StrEnum):
    PENDING = "pending"
    ASSIGNED = "assigned"
    EN_ROUTE = "en_route"
    ON_SCENE = "on_scene"
    CLEARED = "cleared"
    CANCELLED = "cancelled"


BINDING = frozenset({OrderKind.ASSIGN, OrderKind.BACKUP})
INCIDENT_CLOSED = frozenset({IncidentState.CLEARED, IncidentState.CANCELLED})


@dataclass(slots=True)
class Unit:
    unit: str
    kind: str
    officers: int
    capabilities: tuple[str, ...]
    visibility: str = "open"  # restricted, covert: known to `group` only
    group: str = ""
    configured: tuple[str, str] = ("open", "")  # both, as the settings had them last
    home: tuple[str, ...] = ()  # devices of its vehicle, also where nobody has logged on
    status: int = Status.OFF_DUTY
    status_since_ms: int = 0
    hold: bool = False
    terminals: dict[bytes, int] = field(default_factory=dict)  # enrolment -> log-on number
    crew: tuple[str, ...] = ()
    order: str | None = None  # its open assign or backup, offered or held
    vehicle: str | None = None
    radio_crew: bool = False  # logged on by the desk, without a terminal
    place: Place | None = None  # as it said by radio
    placed_ms: int = 0
    exercise: bool = False  # sent to exercises only
    touched_ms: int = 0  # the crew's last sign of life on scene

    @property
    def officers_now(self) -> int:
        """Officers aboard; a drone carries none."""
        if self.kind == "drone":
            return 0
        return len(self.crew) if self.crew else self.officers

    @property
    def logon(self) -> int | None:
        return max(self.terminals.values(), default=None)


@dataclass(slots=True)
class Terminal:
    enrolment: bytes
    device: str
    counter: int = 0  # last dispatch number of this term
    unit: str | None = None
    logon: int | None = None
    logon_order: EntryOrder = NO_ENTRY  # of the last log-on or log-off applied
    status_order: EntryOrder = NO_ENTRY  # of the last status applied


@dataclass(slots=True)
class Incident:
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
    reported_ms: int
    state: str = IncidentState.PENDING
    orders: list[str] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)  # units that declined or were stood down
    capabilities: tuple[str, ...] = ()
    alert: bool = False
    waits: str | None = None
    waits_since_ms: int = 0
    recommended: tuple[Candidate, ...] = ()
    escalated: bool = False  # the recommendation was told once more
    due_ms: int | None = None  # when the rule sends unless a person stops it
    stopped: bool = False  # no rule sends here
    alerted: set[str] = field(default_factory=set)  # units that heard it as an alert
    revision: int = 1
    changed_by: str | None = None  # the person whose request changed it last
    times_ms: dict[str, int] = field(default_factory=dict)
    disposition: str | None = None
    first: dict[str, str] = field(default_factory=dict)  # what was said before it was corrected
    joined_into: str | None = None
    exercise: bool = False
    own_of: str | None = None  # the unit that began it itself
    long_number: str = ""
    staging_m: int | None = None
    by_book: bool = False  # the plan is the codebook's, no person's
    referred_to: tuple[str, ...] = ()  # services; no unit is sent by rule


@dataclass(slots=True)
class Order:
    order: str
    incident: str
    unit: str
    kind: str
    slot: int
    priority: int
    logon: int | None
    issued_ms: int
    expires_ms: int
    answer_s: int
    issuer: str
    eta_ms: int | None
    state: str = OrderState.ISSUED
    attached: bool = False
    overdue: str | None = None
    times_ms: dict[str, int] = field(default_factory=dict)
    means: dict[str, int] = field(default_factory=dict)
    reason: str | None = None
    revision: int = 1
    revision_class: int = 0  # dispatch.Revision
    read_revision: int = 0
    read_by_ms: int | None = None  # until when the crew must have read it
    wait_for: str | None = None
    wait_s: int | None = None  # one officer alone waits; None: need not
    answered_by: str | None = None  # the terminal whose answer counted
    by_radio: bool = False  # told by voice: no terminal shows it

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def holds_place(self) -> bool:
        return self.state in HELD and not self.attached

    @property
    def binds(self) -> bool:
        """Whether it is the unit's one order; an alert only tells."""
        return self.kind in BINDING


@dataclass(slots=True)
class Outbound:
    """A message not yet shown delivered."""

    term: int
    counter: int
    before: tuple[tuple[int, int], ...]
    message: bytes
    expires_ms: int


@dataclass(slots=True)
class Alert:
    alert: str
    kind: str
    unit: str | None
    incident: str | None
    order: str | None
    text: str
    raised_ms: int
    acknowledged_by: str | None = None
    exercise: bool = False


@dataclass(slots=True)
class Note:
    """A message to crews: `sent`, `shown`, `read`, or a code, by unit."""

    message: str
    incident: str | None
    units: tuple[str, ...]
    by: str
    text: str
    at_ms: int
    states: dict[str, str]


@dataclass(slots=True)
class Premise:
    """A note of a place, unverified, for a time."""

    premise: str
    place: Place
    text: str
    source: str
    by: str
    at_ms: int
    expires_ms: int


@dataclass(slots=True)
class Done:
    """A request's digest and reply."""

    at_ms: int
    digest: bytes
    manager: str
    reply: bytes


@dataclass(slots=True)
class Board:
    term: int = 0
    mode: str = "recommend"  # of the settings
    modes: dict[int, tuple[str, int]] = field(default_factory=dict)  # priority -> mode, veto_s
    identities_version: int = 0
    units: dict[str, Unit] = field(default_factory=dict)
    terminals: dict[bytes, Terminal] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    outbound: dict[bytes, list[Outbound]] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    messages: dict[str, Note] = field(default_factory=dict)
    sos: dict[str, Sos] = field(default_factory=dict)  # by incident
    sos_tests: dict[str, SosTest] = field(default_factory=dict)  # by terminal
    watches: dict[str, Watch] = field(default_factory=dict)  # welfare checks, by unit
    premises: dict[str, Premise] = field(default_factory=dict)
    unread_ids: set[str] = field(default_factory=set)  # orders whose crew must say that they read
    requests: dict[tuple[bytes, str], Done] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)  # counters of ids made in this term
    open_ids: set[str] = field(default_factory=set)  # incidents that are not closed
    offered_ids: set[str] = field(default_factory=set)  # orders that wait for an answer
    day: int = 0  # days since 1970, in the fleet's time, of the newest number
    day_reports: int = 0  # its serial
    book: BookInForce = field(default_factory=default_book)

    def open_incidents(self) -> list[Incident]:
        """Most urgent first, then oldest, then by id."""
        found = [self.incidents[incident] for incident in self.open_ids]
        return sorted(found, key=lambda i: (i.priority, i.reported_ms, i.incident))

    def offered_orders(self) -> list[Order]:
        """Orders that wait for an answer, oldest first."""
        found = [self.orders[order] for order in self.offered_ids]
        return sorted(found, key=lambda o: (o.issued_ms, o.order))

    def orders_of(self, incident: Incident) -> list[Order]:
        return [self.orders[order] for order in incident.orders]

    def open_orders_of(self, incident: Incident) -> list[Order]:
        """Assigns and backups that are offered or held."""
        return [o for o in self.orders_of(incident) if o.is_open and o.binds]

    def reached_at(self, unit_id: str) -> dict[bytes, int | None]:
        """Its terminals with their log-on; where nobody has logged on, those of its vehicle."""
        unit = self.units[unit_id]
        if unit.terminals:
            return dict(unit.terminals)
        return {
            enrolment: None
            for enrolment, terminal in self.terminals.items()
            if terminal.unit is None and terminal.device in unit.home
        }

    def digest(self) -> str:
        """Hash of the whole state; equal after a replay of the journal."""
        return hashlib.sha256(cbor2.dumps(_canonical(self), canonical=True)).hexdigest()


def _canonical(value: object) -> object:
    """Plain arrays in an order that no dictionary or set decides."""
    if isinstance(value, BookInForce):
        return [value.version, value.digest, value.is_journaled]
    if hasattr(value, "__dataclass_fields__"):
        return [_canonical(getattr(value, name)) for name in value.__dataclass_fields__]
    if isinstance(value, dict):
        pairs = ((_canonical(key), _canonical(item)) for key, item in value.items())
        return sorted(([k, v] for k, v in pairs), key=lambda p: cbor2.dumps(p[0]))
    if isinstance(value, set | frozenset):
        return sorted((_canonical(item) for item in value), key=cbor2.dumps)
    if isinstance(value, tuple | list):
        return [_canonical(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value
