"""Events of orders and of the numbered messages that carry them."""

from __future__ import annotations

from dataclasses import dataclass

from matcher.core.event_parts import Candidate, LeftOut


@dataclass(frozen=True, slots=True)
class Decided:
    """Why this unit: what `matcher explain` reads."""

    at_ms: int
    incident: str
    order: str | None  # None: nobody could be sent
    rule: str
    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    reason: str | None = None  # code, where a person chose


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
    by_radio: bool = False  # told by voice: no terminal shows it


@dataclass(frozen=True, slots=True)
class OrderTook:
    """An alert was taken: from now it is a backup, in a place (slot) or attached (slot 0)."""

    at_ms: int
    order: str
    slot: int


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
