"""Orders in any interleaving, beside an oracle: what the screen shows is exactly what it must.

The oracle is written from the rules, not from the code: per order the revisions shown, what ended
it, when it chimed. Restarts, repeats under the same and under other numbers, new terms, clocks that
jump either way or are not believed, are steps like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core import state_rows, terminal
from agent.core.answers import CrewRefused
from agent.core.crew import Crew
from agent.core.now import Now
from agent.core.terminal import Decision, State
from protocol import device
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
from protocol.entry import Delivered
from protocol.order import Answer, AnswerMeans, OrderKind, OrderState
from protocol.refusal import Refused
from protocol.words import Status, TimeTrust
from tests.agent.order_desk import LOGON, T0, at, cancel, confirm, given_order

_NAMES = st.sampled_from(["o-1", "o-1", "o-1", "o-2"])
_LIVES = st.sampled_from([2_000, 18_000])
_BODIES = st.one_of(
    st.builds(
        lambda name, revision, logon, life, kind: given_order(
            name, revision, logon=logon, expires_ms=T0 + life, kind=kind
        ),
        _NAMES, st.integers(1, 4), st.sampled_from([LOGON, LOGON, LOGON, LOGON + 1, None]), _LIVES,
        st.sampled_from([OrderKind.ASSIGN, OrderKind.ASSIGN, OrderKind.ALERT]),
    ),
    st.builds(
        lambda name, by: cancel(name, expires_ms=T0 + 20_000, superseded_by=by),
        _NAMES, st.sampled_from([None, "o-9"]),
    ),
    st.builds(confirm, st.sampled_from(ConfirmState), _NAMES),
    st.builds(
        lambda name, by, answer, counts: Answered(name, by, answer, counts, T0, T0 + 20_000),
        _NAMES, st.sampled_from(["desk", "car-2"]), st.sampled_from(Answer), st.booleans(),
    ),
    st.builds(
        lambda unit, life: Bind(unit, None, ("4711",), None, "desk", T0, T0 + life),
        st.sampled_from(["621", "621", "622", None]), _LIVES,
    ),
    st.just(Message("m-1", None, "desk", "road closed", T0, T0 + 9000)),
)  # fmt: skip
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 2), _BODIES),
        st.tuples(st.just("new_term")),
        st.tuples(st.just("repeat"), st.integers(0, 30)),
        st.tuples(st.just("under_another_number"), st.integers(0, 30)),
        st.tuples(st.just("wait"), st.integers(1, 3000)),
        st.tuples(st.just("clock_jumps"), st.integers(-5000, 5000)),
        st.tuples(st.just("trust"), st.sampled_from([TimeTrust.RTC, TimeTrust.NTP])),
        st.tuples(st.just("restart")),
        st.tuples(st.just("chime")),
        st.tuples(
            st.just("answer"), _NAMES,
            st.sampled_from(["accept", "decline", "en-route", "on-scene", "clear", "read"]),
            st.sampled_from([AnswerMeans.TOUCH, AnswerMeans.AUTOMATIC]),
        ),
    ),
    max_size=40,
)  # fmt: skip
_ENDED = frozenset({OrderState.CANCELLED, OrderState.SUPERSEDED})


@dataclass
class Oracle:
    """What the rules say of one order, in the order in which things came."""

    shown: list[int] = field(default_factory=list)
    is_cancelled: bool = False
    chimed: list[int] = field(default_factory=list)


class Watched:
    """A terminal beside the oracle; `after` holds each new state against it."""

    def __init__(self) -> None:
        self.state = State(Crew(LOGON, "621", status=Status.AVAILABLE))
        self.uptime_ms, self.utc_ms, self.trust = 0, 0, TimeTrust.NTP
        self.term, self.counter = 1, 0
        self.oracle: dict[str, Oracle] = {}
        self.taken: list[Numbered] = []
        self.delivered: dict[tuple[int, int], str] = {}

    @property
    def now(self) -> Now:
        return replace(at(self.utc_ms, self.trust), uptime_ms=1000 + self.uptime_ms)

    def of(self, name: str) -> Oracle:
        return self.oracle.setdefault(name, Oracle())

    def after(self, decision: Decision) -> None:
        before, self.state = self.state, decision.state
        for name, card in self.state.desk.cards.items():
            old = before.desk.cards.get(name)
            if card.shown is not None and (old is None or card.shown != old.shown):
                self._check_showing(name, card.order, card.shown)
                self.of(name).shown.append(card.shown)
                assert card.shown_ms == self.now.utc_ms
            if old is not None and old.state in _ENDED:
                assert card.state in _ENDED, "came back after its cancel"
        for one in self.oracle.values():
            assert one.shown == sorted(set(one.shown)), "shown twice, or an older after a newer"

    def _check_showing(self, name: str, order: Order, revision: int) -> None:
        assert order.revision == revision
        assert not self.of(name).is_cancelled, "shown after its cancel"
        assert self.trust is TimeTrust.NTP, "shown without trusted time"
        assert order.expires_ms > self.now.utc_ms, "shown after its expiry"
        assert order.logon in (None, self.state.crew.logon), "shown to another log-on"

    def take(self, numbered: Numbered) -> None:
        before = self.state
        try:
            decision = terminal.take_dispatch(self.state, numbered, self.now, 100 + len(self.taken))
        except Refused:
            assert numbered.term < before.window.term or numbered.counter > before.window.floor
            return
        key = (numbered.term, numbered.counter)
        if not decision.bodies:
            assert key in self.delivered, "a new number without a `delivered`"
            assert decision.state == before, "a repeat changed something"
            return
        delivered = decision.bodies[0]
        assert isinstance(delivered, Delivered)
        assert key not in self.delivered, "number taken twice"
        self.delivered[key] = delivered.outcome
        self.after(decision)
        self._check_outcome(numbered.body, delivered.outcome)

    def _check_outcome(self, body: Body, outcome: str) -> None:
        """The word that the centre hears is what the screen shows."""
        cards = self.state.desk.cards
        match body:
            case Order():
                shown = body.order in cards and (cards[body.order].shown or -1) >= body.revision
                assert (outcome == "shown") is (shown and not self.of(body.order).is_cancelled)
            case Cancel():
                self.of(body.order).is_cancelled = True
                card = cards.get(body.order)
                assert card is None or card.kept is None
            case Confirm() if body.state == ConfirmState.CANCELLED and outcome == "shown":
                assert cards[body.order].state in {*_ENDED, OrderState.CLEARED}
                self.of(body.order).is_cancelled = cards[body.order].state in _ENDED
            case Bind(unit=None) if outcome == "shown":
                assert self.state.crew.logon is None

    def chime(self) -> None:
        """The screen sounds for what has not sounded yet."""
        for name, card in self.state.desk.cards.items():
            if card.shown is not None and card.chimed != card.shown:
                assert card.shown not in self.of(name).chimed, "a second chime"
                self.of(name).chimed.append(card.shown)
                self.state = terminal.chimed(self.state, name, card.shown)

    def restart(self) -> None:
        rows = state_rows.rows_between(State(), self.state)
        cards = [data for data in rows.cards.values() if data is not None]
        cancels = {name: until for name, until in rows.cancels.items() if until is not None}
        kept = state_rows.state_of(rows.meta, cards, cancels)
        assert kept == self.state
        self.state = kept

    def tick(self) -> None:
        self.after(Decision(terminal.tick(self.state, self.now)))


@settings(max_examples=1000, deadline=None)
@given(_STEPS)
def test_any_interleaving_shows_once_and_never_too_late(steps: list[tuple[Any, ...]]) -> None:
    w = Watched()
    for kind, *values in steps:
        match kind, values:
            case "take", [int(skipped), body]:
                w.counter += 1 + skipped
                w.taken.append(Numbered(w.term, w.counter, body))
                w.take(w.taken[-1])
            case "repeat", [int(i)] if w.taken:
                w.take(w.taken[i % len(w.taken)])
            case "under_another_number", [int(i)] if w.taken:
                w.counter += 1  # the centre took over and says again what is open
                w.take(Numbered(w.term, w.counter, w.taken[i % len(w.taken)].body))
            case "wait", [int(ms)]:
                w.uptime_ms, w.utc_ms = w.uptime_ms + ms, w.utc_ms + ms
                w.tick()
            case "clock_jumps", [int(ms)]:
                w.utc_ms += ms
                w.tick()
            case "trust", [TimeTrust() as trust]:
                w.trust = trust
                w.after(terminal.release(w.state, w.now))
            case "new_term", _:
                w.term, w.counter = w.term + 1, 0
            case "restart", _:
                w.restart()
            case "chime", _:
                w.chime()
            case "answer", [str(name), str(said), AnswerMeans() as means]:
                command = device.Answer.model_validate({"order": name, "answer": said})
                try:
                    w.after(terminal.answer(w.state, command, None, means))
                except CrewRefused:
                    continue
