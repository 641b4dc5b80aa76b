"""The life of an order as one table; both ends use it (DESIGN: life of an incident).

`accepted` is the terminal's claim; the order holds once the matcher has answered `confirm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final


class OrderState(StrEnum):
    ISSUED = "issued"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    EN_ROUTE = "en_route"
    ON_SCENE = "on_scene"
    CLEARED = "cleared"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class OrderStep(StrEnum):
    """What can happen to an order."""

    DELIVER = "deliver"
    ACCEPT = "accept"
    CONFIRM = "confirm"
    DEPART = "depart"
    ARRIVE = "arrive"
    CLEAR = "clear"
    DECLINE = "decline"
    EXPIRE = "expire"
    CANCEL = "cancel"
    SUPERSEDE = "supersede"


class OrderKind(StrEnum):
    ASSIGN = "assign"  # primary place of the plan
    BACKUP = "backup"  # further places
    ALERT = "alert"  # neighbours hear it and may take it
    POST = "post"
    CHECKPOINT = "checkpoint"
    STAND_DOWN = "stand_down"


class Answer(IntEnum):
    """The crew's answers, by number in an entry."""

    ACCEPT = 1
    DECLINE = 2
    EN_ROUTE = 3
    ON_SCENE = 4
    CLEAR = 5
    READ = 6  # a revision was seen; moves nothing

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")

    @classmethod
    def from_word(cls, word: str) -> Answer:
        return cls[word.upper().replace("-", "_")]


class AnswerMeans(IntEnum):
    """How an answer came about; told apart everywhere."""

    TOUCH = 1
    AUTOMATIC = 2
    BY_DESK = 3


S, T = OrderState, OrderStep
OPEN: Final = frozenset({S.ISSUED, S.DELIVERED, S.ACCEPTED, S.CONFIRMED, S.EN_ROUTE, S.ON_SCENE})
OFFERED: Final = frozenset({S.ISSUED, S.DELIVERED, S.ACCEPTED})
HELD: Final = frozenset({S.CONFIRMED, S.EN_ROUTE, S.ON_SCENE})

_FORWARD: Final = {
    (S.ISSUED, T.DELIVER): S.DELIVERED,
    (S.DELIVERED, T.ACCEPT): S.ACCEPTED,
    (S.ACCEPTED, T.CONFIRM): S.CONFIRMED,
    (S.CONFIRMED, T.DEPART): S.EN_ROUTE,
    (S.CONFIRMED, T.ARRIVE): S.ON_SCENE,
    (S.EN_ROUTE, T.ARRIVE): S.ON_SCENE,
    (S.CONFIRMED, T.CLEAR): S.CLEARED,
    (S.EN_ROUTE, T.CLEAR): S.CLEARED,
    (S.ON_SCENE, T.CLEAR): S.CLEARED,
    # an answer proves delivery, so it may overtake the `delivered` entry
    (S.ISSUED, T.ACCEPT): S.ACCEPTED,
    # late accepts: only what ran out may come back, and only by the matcher's decision
    (S.EXPIRED, T.ACCEPT): S.ACCEPTED,
}
NEXT: Final[Mapping[tuple[OrderState, OrderStep], OrderState]] = MappingProxyType(
    _FORWARD
    | {(state, T.CANCEL): S.CANCELLED for state in OPEN}
    | {(state, T.SUPERSEDE): S.SUPERSEDED for state in OPEN}
    | {(state, T.EXPIRE): S.EXPIRED for state in OFFERED}
    | {(state, T.DECLINE): S.DECLINED for state in OFFERED | {S.CONFIRMED, S.EN_ROUTE}}
)

STEP_OF_ANSWER: Final = MappingProxyType(
    {
        Answer.ACCEPT: T.ACCEPT,
        Answer.DECLINE: T.DECLINE,
        Answer.EN_ROUTE: T.DEPART,
        Answer.ON_SCENE: T.ARRIVE,
        Answer.CLEAR: T.CLEAR,
    }
)


class IllegalStep(Exception):
    """A step that the order's state does not allow."""


def advance(state: OrderState, step: OrderStep) -> OrderState:
    """The next state; raises IllegalStep."""
    following = NEXT.get((state, step))
    if following is None:
        raise IllegalStep(f"an order that is {state} cannot {step}")
    return following


def allows(state: OrderState, step: OrderStep) -> bool:
    return (state, step) in NEXT
