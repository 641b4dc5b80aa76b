"""Numbered messages to one terminal: order, confirm, cancel, message, … (role `dispatch`).

Each has a number (term, counter), counted from 1 per enrolment and term and given in the deciding
transaction. `protocol/window.py` says which numbers a terminal takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeAlias

from protocol import cbor
from protocol.fields import (
    U16,
    U32,
    Check,
    flag,
    integer,
    many,
    maybe,
    plain,
    record,
    text,
    time_ms,
    uint,
    word,
)
from protocol.order import OrderKind
from protocol.position import LAT_MAX, LON_MAX
from protocol.refusal import Reason, Refused

ID_CHARACTERS: Final = 31


class Revision(IntEnum):
    """Class of a revision: how loudly a change is shown."""

    FIRST = 0
    SAFETY = 1
    PLACE = 2
    NOTE = 3


class ConfirmState(IntEnum):
    """The centre's answer to an accept."""

    HELD = 1  # you hold the place
    ATTACHED = 2  # no place left, you are with them
    TOO_LATE = 3  # somebody else has it
    CANCELLED = 4  # the order was cancelled before your accept


@dataclass(frozen=True, slots=True)
class Place:
    """Where units are sent. Coordinates are in `datum`; the terminal converts once, at the edge."""

    lat_e7: int
    lon_e7: int
    datum: str  # wgs84, gcj02, bd09
    source: str  # who says so: caller, map, desk, ...
    accuracy_m: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Least units and officers that the incident wants, and the units on it.

    `wait_for`: who comes too, where this crew should not go in alone, and how many seconds later.
    `stage_m`: wait so far off until the plan is complete, and go in together.
    """

    units: int
    officers: int
    on_it: tuple[str, ...]
    wait_for: str | None = None
    wait_s: int | None = None
    stage_m: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One order, or a revision of it."""

    order: str
    revision: int
    revision_class: int
    incident: str
    number: str  # short number for the radio
    unit: str
    logon: int | None  # for whom it was decided; another log-on answers wrong_logon
    kind: OrderKind
    priority: int
    incident_kind: str  # code
    issued_ms: int
    expires_ms: int
    answer_s: int  # answer time, from delivery
    issuer: str  # person or rule
    hazards: tuple[str, ...]
    place: Place
    notes: str
    plan: Plan
    eta_s: int | None


@dataclass(frozen=True, slots=True)
class Confirm:
    order: str
    incident: str
    state: int  # ConfirmState
    by: str | None  # who has it, where it is not you
    time_ms: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancels (or supersedes) an order; for an unknown order it is kept until `expires_ms`."""

    order: str
    incident: str
    superseded_by: str | None
    reason: str
    issuer: str
    time_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Message:
    """Free text to the crew; `incident` where it belongs to one."""

    message: str
    incident: str | None
    issuer: str
    text: str
    time_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Answered:
    """Another terminal of this unit, or the desk for it, has answered the order.

    `counts`: it holds at the centre; else it came second and is history.
    """

    order: str
    device: str
    answer: int  # order.Answer
    counts: bool
    time_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Bind:
    """The desk logs a crew on at this terminal, or off where `unit` is null."""

    unit: str | None
    vehicle: str | None
    crew: tuple[str, ...]
    driver: str | None
    issuer: str
    time_ms: int
    expires_ms: int


Body: TypeAlias = Order | Confirm | Cancel | Message | Answered | Bind


@dataclass(frozen=True, slots=True)
class Numbered:
    """A dispatch message: its number and its body."""

    term: int
    counter: int
    body: Body

    @property
    def expires_ms(self) -> int | None:
        return None if isinstance(self.body, Confirm) else self.body.expires_ms


_id = text(ID_CHARACTERS)
_lat, _lon = integer(-LAT_MAX, LAT_MAX), integer(-LON_MAX, LON_MAX)
_place = record(Place, _lat, _lon, text(8), text(32), maybe(uint(U32)), text(200))
_whole_plan = record(
    Plan, uint(99), uint(999), many(_id, 32), maybe(_id), maybe(uint(86400)), maybe(uint(U16))
)
_PLAN_BEFORE: Final = 5  # without stage_m, as journals and terminals may still keep it


def _plan(value: object, place: str) -> Plan:
    if isinstance(value, list) and len(value) == _PLAN_BEFORE:
        value = [*value, None]
    return _whole_plan(value, place)


_BODIES: Final[tuple[tuple[type[Any], Check], ...]] = (
    (
        Order,
        record(
            Order, _id, uint(U16), uint(3), _id, text(16), _id, maybe(uint(U32)),
            word(OrderKind), uint(9), text(32), time_ms, time_ms, uint(3600), text(64),
            many(text(32), 16), _place, text(1000), _plan, maybe(uint(86400)),
        ),
    ),
    (Confirm, record(Confirm, _id, _id, integer(1, 4), maybe(_id), time_ms)),
    (Cancel, record(Cancel, _id, _id, maybe(_id), text(64), text(64), time_ms, time_ms)),
    (Message, record(Message, _id, maybe(_id), text(64), text(1000), time_ms, time_ms)),
    (Answered, record(Answered, _id, _id, integer(1, 6), flag, time_ms, time_ms)),
    (
        Bind,
        record(
            Bind, maybe(_id), maybe(_id), many(text(16), 8), maybe(text(16)), text(64), time_ms,
            time_ms,
        ),
    ),
)  # fmt: skip


def encode(numbered: Numbered) -> bytes:
    """`[term, counter, type, body]`; type is the body's place in the table above, from 1."""
    types = [cls for cls, _ in _BODIES]
    number = types.index(type(numbered.body)) + 1
    return cbor.encode([numbered.term, numbered.counter, number, plain(numbered.body)])


def decode(payload: bytes) -> Numbered:
    """Raises Refused."""
    term, counter, number, body = cbor.array(cbor.decode(payload), 4, "dispatch")
    if type(number) is not int or not 1 <= number <= len(_BODIES):
        raise Refused(Reason.MALFORMED, f"dispatch: unknown type {number!r:.20}")
    cls, check = _BODIES[number - 1]
    return Numbered(
        uint(U32)(term, "dispatch.term"),
        integer(1, U32)(counter, "dispatch.counter"),
        check(body, cls.__name__.lower()),
    )


__all__ = [
    "Answered", "Bind", "Body", "Cancel", "Confirm", "ConfirmState", "Message", "Numbered", "Order",
    "Place", "Plan", "Revision", "decode", "encode",
]  # fmt: skip
