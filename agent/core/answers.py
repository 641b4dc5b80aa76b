"""The crew's commands judged: an answer, a log-on, a status; pure.

A command that cannot be done is refused with the reason and what to do instead; nothing else
comes of it. Called by the terminal.
"""

from dataclasses import replace
from typing import Final

from agent.core.crew import Crew
from agent.core.notes import answered
from agent.core.orders import Card, Desk
from protocol import device
from protocol.entry import Here, Logoff, Logon, MessageAnswer, OrderAnswer, StatusChange
from protocol.order import (
    HELD,
    STEP_OF_ANSWER,
    Answer,
    AnswerMeans,
    OrderState,
    advance,
    allows,
)
from protocol.words import Status

_WITHOUT_LOGON: Final = frozenset({Status.EMERGENCY, Status.OUT_OF_SERVICE, Status.OFF_DUTY})
_REACHED_BY: Final = {
    Answer.EN_ROUTE: OrderState.EN_ROUTE,
    Answer.ON_SCENE: OrderState.ON_SCENE,
}
_NEXT_HINT: Final = {
    OrderState.DELIVERED: "accept or decline it first",
    OrderState.ACCEPTED: "wait for the centre to confirm your accept",
    OrderState.CONFIRMED: "answer en-route, on-scene or clear",
    OrderState.EN_ROUTE: "answer on-scene or clear",
    OrderState.ON_SCENE: "answer clear",
    OrderState.EXPIRED: "accept it late, or wait for another",
}


class CrewRefused(Exception):
    """A command that cannot be done, with the remedy."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} – {remedy}")
        self.reason, self.remedy = reason, remedy


def answer(
    desk: Desk,
    command: device.Answer,
    here: Here | None,
    means: AnswerMeans = AnswerMeans.TOUCH,
) -> tuple[Card, OrderAnswer]:
    """The card after the answer and its entry; raises CrewRefused."""
    card = desk.cards.get(command.order)
    if card is None or card.shown is None:
        raise CrewRefused(
            f"there is no order {command.order} here", "see `outrider agent status` for yours"
        )
    said = Answer.from_word(command.answer)
    if said is Answer.READ:
        read = OrderAnswer(command.order, card.shown, said, AnswerMeans.TOUCH, None, None, here)
        return replace(card, read=card.shown), read
    step = STEP_OF_ANSWER[said]
    if means is AnswerMeans.TOUCH and _is_so_by_itself(card, said):
        touched = OrderAnswer(command.order, card.shown, said, means, None, None, here)
        return replace(card, means=means), touched
    if not allows(card.state, step):
        remedy = _NEXT_HINT.get(card.state, "it is closed; nothing is left to answer")
        raise CrewRefused(f"order {command.order} is {card.state}, not to {said.word}", remedy)
    entry = OrderAnswer(
        command.order, card.shown, said, means, command.reason, command.disposition, here,
    )  # fmt: skip
    return replace(card, state=advance(card.state, step), means=means), entry


def _is_so_by_itself(card: Card, said: Answer) -> bool:
    """The crew touches what has just told itself: no fault of theirs."""
    return card.means == AnswerMeans.AUTOMATIC and _REACHED_BY.get(said) is card.state


def reply(desk: Desk, command: device.Reply) -> tuple[Desk, MessageAnswer]:
    """A message read or answered; raises CrewRefused."""
    if command.message not in desk.notes:
        raise CrewRefused(
            f"there is no message {command.message} here", "see `outrider agent status`"
        )
    notes = answered(desk.notes, command.message, command.code)
    return replace(desk, notes=notes), MessageAnswer(command.message, command.code)


def check_hand_over(crew: Crew, desk: Desk, unit: str) -> None:
    """Raises CrewRefused where an order is in hand and another unit would log on here.

    The same unit's next shift takes the order over.
    """
    held = [card.order.order for card in desk.cards.values() if card.state in HELD]
    if held and crew.unit not in (None, unit):
        raise CrewRefused(
            f"unit {crew.unit} has order {held[0]} in hand",
            f"clear it, or log on as {crew.unit} to take it over",
        )


def log_on(command: device.Logon, number: int) -> Logon:
    """The entry of a log-on; `number` is the entry's own."""
    return Logon(
        number, command.unit, command.vehicle, command.crew, command.driver, command.recorders
    )


def log_off(crew: Crew, desk: Desk, command: device.Logoff) -> Logoff:
    """Raises CrewRefused where nobody is logged on or an order is in hand."""
    if crew.logon is None:
        raise CrewRefused("nobody is logged on", "nothing to do")
    held = [card.order.order for card in desk.cards.values() if card.state in HELD]
    if held:
        raise CrewRefused(
            f"order {held[0]} is in hand", f"clear it: outrider agent answer {held[0]} clear"
        )
    return Logoff(crew.logon, command.reason)


def set_status(crew: Crew, command: device.SetStatus) -> StatusChange:
    """Raises CrewRefused for an unknown word or without a log-on."""
    try:
        status = Status.from_word(command.status.replace("-", "_"))
    except KeyError:
        words = ", ".join(one.word for one in Status)
        raise CrewRefused(f"{command.status!r:.40} is no status", f"use one of {words}") from None
    if crew.logon is None and status not in _WITHOUT_LOGON:
        raise CrewRefused("nobody is logged on", "log on first: outrider agent logon")
    return StatusChange(status, command.reason)
