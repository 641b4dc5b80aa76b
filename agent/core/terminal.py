"""The terminal's decisions: what a message, an answer or a log-on leads to; pure.

`decide(state, input, now) -> Decision`: the state afterwards and the bodies of the entries that
are committed with it. Nothing here is shown, sent or answered before that commit. Called by
`agent/terminal.py`.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from agent.core import answers, orders
from agent.core.answers import CrewRefused
from agent.core.crew import Crew, binds_the_same, follow, keeps_recorders, logged_on, set_by_hand
from agent.core.now import Now
from agent.core.orders import Desk
from protocol import device
from protocol.dispatch import Answered, Bind, Cancel, Confirm, Numbered
from protocol.entry import Body, Delivered, DeviceEvent, Here, Logoff, Logon
from protocol.order import HELD, AnswerMeans
from protocol.refusal import Reason, Refused
from protocol.window import Take, Window

NEW_LOGON: Final = "new_logon"
BY_DESK: Final = "by_desk"
ORDER_IN_HAND: Final = "order_in_hand"  # a log-on by the desk that cannot be now


@dataclass(frozen=True, slots=True)
class State:
    """All that a terminal decides by; kept whole in the store."""

    crew: Crew = field(default_factory=Crew)
    desk: Desk = field(default_factory=Desk)
    window: Window = field(default_factory=Window)


@dataclass(frozen=True, slots=True)
class Decision:
    """The state after `bodies` are committed."""

    state: State
    bodies: tuple[Body, ...] = ()


def take_dispatch(state: State, numbered: Numbered, now: Now, first_n: int = 0) -> Decision:
    """One opened dispatch message; raises Refused(stale_term, replayed) if it is not taken.

    `first_n` is the number of the entry to come: a log-on by the desk is known by its own.

    A number seen before changes nothing: its `delivered` entry is in the logbook already.
    """
    match state.window.judge(numbered.term, numbered.counter):
        case Take.STALE_TERM:
            detail = f"term {numbered.term} after {state.window.term}"
            raise Refused(Reason.STALE_TERM, detail)
        case Take.BEYOND:
            detail = f"number {numbered.counter} is too far ahead of {state.window.floor}"
            raise Refused(Reason.REPLAYED, detail)
        case Take.SEEN:
            return Decision(state)
        case Take.NEW:
            pass
    taken = orders.take(state.desk, numbered, state.crew.logon, now)
    window = state.window.taken(numbered.term, numbered.counter)
    after = replace(state, desk=taken.desk, window=window)
    outcome, bound = taken.outcome, Decision(after)
    if isinstance(numbered.body, Bind) and outcome == orders.SHOWN:
        try:
            bound = _bound(after, numbered.body, first_n + 1)
        except CrewRefused:
            outcome = ORDER_IN_HAND
    delivered = Delivered(numbered.term, numbered.counter, taken.order, taken.revision, outcome)
    if isinstance(numbered.body, Cancel | Confirm | Answered):
        after = _follow(after, state, numbered.body.order)
        return Decision(after, (delivered,))
    return Decision(bound.state, (delivered, *bound.bodies))


def _bound(state: State, bind: Bind, first_n: int) -> Decision:
    """The desk logs on or off here; the crew's own open order stays with the unit."""
    if bind.unit is None:
        if state.crew.logon is None:
            return Decision(state)
        return Decision(replace(state, crew=Crew()), (Logoff(state.crew.logon, BY_DESK),))
    recorders = keeps_recorders(state.crew, bind.unit, bind.crew)
    command = device.Logon(
        unit=bind.unit, crew=bind.crew, vehicle=bind.vehicle, driver=bind.driver,
        recorders=recorders,
    )  # fmt: skip
    return log_on(state, command, first_n)


def release(state: State, now: Now) -> Decision:
    """Show what waited for trusted time; each message is delivered anew, with its outcome."""
    desk, done = orders.release(state.desk, state.crew.logon, now)
    bodies = tuple(_delivered(numbered, outcome) for numbered, outcome in done)
    return Decision(replace(state, desk=desk), bodies)


def tick(state: State, now: Now) -> State:
    """Close what has expired."""
    desk = orders.expire(state.desk, now)
    if desk is state.desk:
        return state
    after = replace(state, desk=desk)
    gone = state.crew.status_order
    return after if gone is None else _follow(after, state, gone)


def answer(
    state: State,
    command: device.Answer,
    here: Here | None,
    means: AnswerMeans = AnswerMeans.TOUCH,
) -> Decision:
    """Raises CrewRefused."""
    card, body = answers.answer(state.desk, command, here, means)
    after = replace(state, desk=state.desk.with_card(card))
    return Decision(_follow(after, state, command.order), (body,))


def chimed(state: State, order: str, revision: int) -> State:
    """The screen has sounded for that revision: no other one does, after a restart either."""
    card = state.desk.cards.get(order)
    if card is None or card.shown is None or revision > card.shown:
        return state
    if card.chimed is not None and card.chimed >= revision:
        return state
    return replace(state, desk=state.desk.with_card(replace(card, chimed=revision)))


def log_on(state: State, command: device.Logon, first_n: int) -> Decision:
    """A log-on; one in force is logged off first. `first_n` is the next entry's number.

    Raises CrewRefused.
    """
    answers.check_hand_over(state.crew, state.desk, command.unit)
    old = state.crew.logon
    before: tuple[Body, ...] = () if old is None else (Logoff(old, NEW_LOGON),)
    body = answers.log_on(command, first_n + len(before))
    if binds_the_same(state.crew, body):
        return Decision(state)
    return Decision(replace(state, crew=logged_on(body)), (*before, body))


def reply(state: State, command: device.Reply) -> Decision:
    """Raises CrewRefused."""
    desk, body = answers.reply(state.desk, command)
    return Decision(replace(state, desk=desk), (body,))


def log_off(state: State, command: device.Logoff) -> Decision:
    """Raises CrewRefused."""
    body = answers.log_off(state.crew, state.desk, command)
    return Decision(replace(state, crew=Crew()), (body,))


def set_status(state: State, command: device.SetStatus) -> Decision:
    """Raises CrewRefused."""
    body = answers.set_status(state.crew, command)
    return Decision(replace(state, crew=set_by_hand(state.crew, body.status)), (body,))


def event_body(state: State, event: device.Event, here: Here | None) -> DeviceEvent:
    """A device's event with where and in which order it happened."""
    return DeviceEvent(
        event.device, event.device_kind, event.boot, event.event, event.name,
        event.device_time_ms, tuple(event.detail.items()), here, orders.in_hand(state.desk),
    )  # fmt: skip


def logon_of(body: Body, in_force: int | None) -> int | None:
    """The log-on number that an entry carries: a log-on its own."""
    return body.number if isinstance(body, Logon | Logoff) else in_force


def _follow(after: State, before: State, order: str) -> State:
    """The crew's status after what happened to `order`; another order in hand takes over."""
    card, old = after.desk.cards.get(order), before.desk.cards.get(order)
    if card is None or (old is not None and old.state is card.state):
        return after
    crew = follow(after.crew, order, card.state)
    if crew.status_order is None and crew != after.crew:
        for other in after.desk.cards.values():
            if other.state in HELD:
                crew = follow(crew, other.order.order, other.state)
    return replace(after, crew=crew)


def _delivered(numbered: Numbered, outcome: str) -> Delivered:
    body = numbered.body
    order = getattr(body, "order", None)
    return Delivered(
        numbered.term, numbered.counter, order, getattr(body, "revision", None), outcome
    )
