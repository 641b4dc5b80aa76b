"""The orders a terminal holds: what is shown, kept, cancelled or too late; pure.

Invariants (tested over random interleavings): an order is shown at most once per (order,
revision) whatever numbers it comes under; nothing is shown after its cancel or its expiry; an
order for another log-on is never shown; a cancel beats every confirm. Called by the terminal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from agent.core.notes import Note, no_notes, with_message
from agent.core.now import Now
from protocol.dispatch import (
    Answered,
    Bind,
    Body,
    Cancel,
    Confirm,
    ConfirmState,
    Message,
    Numbered,
    Order,
)
from protocol.order import (
    HELD,
    OFFERED,
    OPEN,
    STEP_OF_ANSWER,
    Answer,
    AnswerMeans,
    OrderState,
    OrderStep,
    advance,
    allows,
)

CARDS_MAX: Final = 256
CANCELS_MAX: Final = 256
CLOSED_KEPT_MS: Final = 24 * 3_600_000

DESK: Final = "desk"  # in an `Answered`: by voice
SHOWN, KEPT, WRONG_LOGON = "shown", "kept", "wrong_logon"
CANCELLED_BEFORE, EXPIRED = "cancelled_before", "expired"
_CANCELLED: Final = frozenset({OrderState.CANCELLED, OrderState.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Card:
    """One order on this terminal.

    `shown` is the highest revision shown, None for one that is not shown; `kept` a message that
    waits for trusted time.
    """

    order: Order
    state: OrderState = OrderState.ISSUED
    shown: int | None = None
    confirm: int | None = None  # dispatch.ConfirmState
    by: str | None = None
    kept: Numbered | None = None
    read: int | None = None  # the highest revision that the crew said they read
    answered: str | None = None  # the unit's other terminal that answered, and how
    shown_ms: int | None = None  # UTC; when `shown` was first shown
    chimed: int | None = None  # the highest revision for which the screen has sounded
    means: int | None = None  # order.AnswerMeans: how it came to its state, where an answer did


@dataclass(frozen=True, slots=True)
class Desk:
    """`cancels`: orders cancelled before they came, with the instant until which that holds.

    `notes`: messages of the desk by their id.
    """

    cards: Mapping[str, Card] = field(default_factory=lambda: MappingProxyType({}))
    cancels: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    notes: Mapping[str, Note] = field(default_factory=no_notes)

    def with_card(self, card: Card) -> "Desk":
        return replace(self, cards=MappingProxyType({**self.cards, card.order.order: card}))


def holds_urgent(desk: Desk) -> bool:
    """Whether an order of the highest priorities is held: the centre wants each second's fix."""
    return any(card.state in HELD and card.order.priority <= 1 for card in desk.cards.values())


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a dispatch message."""

    desk: Desk
    outcome: str  # the word of its `delivered` entry
    order: str | None
    revision: int | None


def take(desk: Desk, numbered: Numbered, logon: int | None, now: Now) -> Taken:
    """Take one message whose number is new."""
    body: Body = numbered.body
    match body:
        case Order():
            return _take_order(desk, numbered, body, logon, now)
        case Cancel():
            return _take_cancel(desk, body)
        case Confirm():
            return _take_confirm(desk, body)
        case Message():
            shown = replace(desk, notes=with_message(desk.notes, body))
            return Taken(shown, EXPIRED if _is_late(body, now) else SHOWN, None, None)
        case Answered():
            return _take_answered(desk, body)
        case Bind():
            return Taken(desk, EXPIRED if _is_late(body, now) else SHOWN, None, None)


def release(
    desk: Desk, logon: int | None, now: Now
) -> tuple[Desk, tuple[tuple[Numbered, str], ...]]:
    """Show (or find too late) what waited for trusted time: each message with its outcome."""
    done: list[tuple[Numbered, str]] = []
    for name, card in desk.cards.items():
        if now.trusted and card.kept is not None:
            taken = take(desk.with_card(replace(card, kept=None)), card.kept, logon, now)
            desk = taken.desk
            done.append((card.kept, taken.outcome))
            assert desk.cards[name].kept is None
    return desk, tuple(done)


def expire(desk: Desk, now: Now) -> Desk:
    """Close offers whose time has run out and forget what is long over."""
    if not now.trusted:
        return desk
    cards = {name: _expired(card, now) for name, card in desk.cards.items()}
    cards = {name: card for name, card in cards.items() if not _is_over(card, now)}
    cancels = {name: until for name, until in desk.cancels.items() if until > now.utc_ms}
    if cards == dict(desk.cards) and cancels == dict(desk.cancels):
        return desk
    return replace(desk, cards=MappingProxyType(cards), cancels=MappingProxyType(cancels))


def next_expiry_ms(desk: Desk) -> int | None:
    """UTC instant at which `expire` next closes an offer."""
    offers = [c.order.expires_ms for c in desk.cards.values() if c.state in OFFERED]
    return min(offers, default=None)


def in_hand(desk: Desk) -> str | None:
    """The order that the crew works on, for the entries of their recorders."""
    for states in (HELD, frozenset({OrderState.ACCEPTED})):
        for card in reversed(tuple(desk.cards.values())):
            if card.state in states:
                return card.order.order
    return None


def _take_order(desk: Desk, numbered: Numbered, order: Order, logon: int | None, now: Now) -> Taken:
    card = desk.cards.get(order.order)
    outcome = _judge_order(desk, card, order, logon, now)
    if outcome == SHOWN:
        desk = _bounded(desk.with_card(_show(card, order, now)))
    elif outcome == KEPT:
        held = card or Card(order)
        newest = held.kept is None or _revision(held.kept) < order.revision
        if newest:
            held = replace(held, kept=numbered)
        desk = _bounded(desk.with_card(held))
    elif outcome == WRONG_LOGON and card is None:
        desk = _bounded(desk.with_card(Card(order)))
    return Taken(desk, outcome, order.order, order.revision)


def _judge_order(desk: Desk, card: Card | None, order: Order, logon: int | None, now: Now) -> str:
    if order.order in desk.cancels or (card is not None and card.state in _CANCELLED):
        return CANCELLED_BEFORE
    if card is not None and card.shown is not None and card.shown >= order.revision:
        return SHOWN  # under another number: it is on the screen already
    if order.logon is not None and order.logon != logon:
        return WRONG_LOGON
    if not now.trusted:
        return KEPT
    return EXPIRED if order.expires_ms <= now.utc_ms else SHOWN


def _show(card: Card | None, order: Order, now: Now) -> Card:
    if card is None or card.shown is None:
        return Card(order, OrderState.DELIVERED, order.revision, shown_ms=now.utc_ms)
    if card.shown >= order.revision:
        return card
    # an offer that ran out comes back to life only by a newer revision of it
    state = OrderState.DELIVERED if card.state is OrderState.EXPIRED else card.state
    return replace(
        card, order=order, shown=order.revision, state=state, kept=None, shown_ms=now.utc_ms
    )


def _take_cancel(desk: Desk, cancel: Cancel) -> Taken:
    card = desk.cards.get(cancel.order)
    if card is None:
        return Taken(_remember_cancel(desk, cancel), KEPT, cancel.order, None)
    step = OrderStep.CANCEL if cancel.superseded_by is None else OrderStep.SUPERSEDE
    if allows(card.state, step):
        card = replace(card, state=advance(card.state, step), by=cancel.superseded_by, kept=None)
    elif card.state is OrderState.EXPIRED:
        card = replace(card, state=OrderState.CANCELLED, kept=None)  # no late accept any more
    else:
        desk = _remember_cancel(desk, cancel)  # closed already: a revision must not come through
    outcome = SHOWN if card.shown is not None else CANCELLED_BEFORE
    return Taken(desk.with_card(card), outcome, cancel.order, None)


def _is_late(body: Message | Bind, now: Now) -> bool:
    return now.trusted and body.expires_ms <= now.utc_ms


def _take_answered(desk: Desk, body: Answered) -> Taken:
    """The unit's other screen, or the desk for it, has answered: what holds moves this card too."""
    card = desk.cards.get(body.order)
    if card is None or card.shown is None:
        return Taken(desk, KEPT, body.order, None)
    answer = Answer(body.answer)
    card = replace(card, answered=f"{body.device} {answer.word}")
    step = STEP_OF_ANSWER.get(answer)
    if body.counts and step is not None and allows(card.state, step):
        means = AnswerMeans.BY_DESK if body.device == DESK else AnswerMeans.TOUCH
        card = replace(card, state=advance(card.state, step), means=means)
    return Taken(desk.with_card(card), SHOWN, body.order, None)


def _remember_cancel(desk: Desk, cancel: Cancel) -> Desk:
    cancels = {**desk.cancels, cancel.order: cancel.expires_ms}
    while len(cancels) > CANCELS_MAX:
        del cancels[min(cancels, key=lambda name: cancels[name])]
    return replace(desk, cancels=MappingProxyType(cancels))


def _take_confirm(desk: Desk, confirm: Confirm) -> Taken:
    card = desk.cards.get(confirm.order)
    if card is None or card.shown is None:
        return Taken(desk, KEPT, confirm.order, None)
    return Taken(desk.with_card(_confirmed(card, confirm)), SHOWN, confirm.order, card.shown)


def _confirmed(card: Card, confirm: Confirm) -> Card:
    if card.state in _CANCELLED or card.state is OrderState.CLEARED:
        return card
    state: OrderState = card.state
    if confirm.state in (ConfirmState.HELD, ConfirmState.ATTACHED):
        # by voice, by driving there or by a late accept the centre may hold it for them
        if allows(state, OrderStep.ACCEPT):
            state = advance(state, OrderStep.ACCEPT)
        if allows(state, OrderStep.CONFIRM):
            state = advance(state, OrderStep.CONFIRM)
    elif confirm.state == ConfirmState.CANCELLED:
        state = OrderState.CANCELLED
    elif state in OFFERED:
        state = OrderState.EXPIRED
    return replace(card, state=state, confirm=confirm.state, by=confirm.by)


def _expired(card: Card, now: Now) -> Card:
    ran_out = card.state in OFFERED and card.order.expires_ms <= now.utc_ms
    if ran_out and card.kept is None:
        return replace(card, state=advance(card.state, OrderStep.EXPIRE))
    return card


def _is_over(card: Card, now: Now) -> bool:
    """Closed and so long past that it would be judged expired if it came again."""
    return card.state not in OPEN and card.order.expires_ms + CLOSED_KEPT_MS <= now.utc_ms


def _revision(numbered: Numbered) -> int:
    return numbered.body.revision if isinstance(numbered.body, Order) else -1


def _bounded(desk: Desk) -> Desk:
    """The oldest closed card goes first where there are too many, then the oldest."""
    cards = dict(desk.cards)
    while len(cards) > CARDS_MAX:
        del cards[
            min(cards, key=lambda name: (cards[name].state in OPEN, cards[name].order.issued_ms))
        ]
    return replace(desk, cards=MappingProxyType(cards)) if len(cards) != len(desk.cards) else desk
