"""What the tests of orders share: messages, instants, and a terminal's pure state to feed."""

from __future__ import annotations

from agent.core import orders, terminal
from agent.core.crew import Crew
from agent.core.now import Now
from agent.core.terminal import State
from protocol import device
from protocol.dispatch import Body, Cancel, Confirm, ConfirmState, Numbered, Order
from protocol.entry import Delivered, OrderAnswer
from protocol.order import OrderState
from protocol.words import Status, TimeTrust
from tests.agent.centre import order

T0 = 1_795_000_000_000
LOGON = 3


def at(ms: int = 0, trust: TimeTrust = TimeTrust.NTP) -> Now:
    return Now(1000 + ms, T0 + ms, trust)


def given_order(name: str = "o-1", revision: int = 1, **changes: object) -> Order:
    fields = {"logon": LOGON, "issued_ms": T0, "expires_ms": T0 + 60_000} | changes
    logon = fields.pop("logon")
    return order(name, logon, revision=revision, **fields)  # type: ignore[arg-type]


def cancel(name: str = "o-1", **changes: object) -> Cancel:
    fields = {
        "order": name, "incident": "i-1", "superseded_by": None, "reason": "found",
        "issuer": "desk", "time_ms": T0, "expires_ms": T0 + 60_000,
    }  # fmt: skip
    return Cancel(**(fields | changes))  # type: ignore[arg-type]


def confirm(state: ConfirmState, name: str = "o-1") -> Confirm:
    return Confirm(name, "i-1", state, None, T0)


class Terminal:
    """Feeds messages with numbers of one term."""

    def __init__(self) -> None:
        self.state = State(Crew(LOGON, "621", status=Status.AVAILABLE))
        self.counter = 0

    def take(self, body: Body, now: Now | None = None) -> str:
        """The word of the `delivered` entry."""
        self.counter += 1
        decision = terminal.take_dispatch(
            self.state,
            Numbered(1, self.counter, body),
            now or at(),
        )
        self.state = decision.state
        (body_of,) = decision.bodies
        assert isinstance(body_of, Delivered)
        assert (body_of.term, body_of.counter) == (1, self.counter)
        return body_of.outcome

    def say(self, answer: str, name: str = "o-1") -> OrderAnswer:
        command = device.Answer(order=name, answer=answer)  # type: ignore[arg-type]
        decision = terminal.answer(self.state, command, None)
        self.state = decision.state
        (body,) = decision.bodies
        assert isinstance(body, OrderAnswer)
        return body

    @property
    def card(self) -> orders.Card:
        return self.state.desk.cards["o-1"]

    def is_(self, state: OrderState) -> bool:
        return self.card.state is state
