"""Orders in any interleaving: shown once, never after cancel or expiry, restarts included."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core import state_rows, terminal
from agent.core.answers import CrewRefused
from agent.core.crew import Crew
from agent.core.now import Now
from agent.core.terminal import Decision, State
from protocol import device
from protocol.dispatch import Cancel, ConfirmState, Message, Numbered
from protocol.refusal import Refused
from protocol.words import Status, TimeTrust
from tests.agent.order_desk import LOGON, T0, at, cancel, confirm, given_order

_NAMES = st.sampled_from(["o-1", "o-1", "o-1", "o-2"])
_BODIES = st.one_of(
    st.builds(
        lambda name, revision, logon, life: given_order(
            name, revision, logon=logon, expires_ms=T0 + life
        ),
        _NAMES, st.integers(1, 4), st.sampled_from([LOGON, LOGON, LOGON + 1]),
        st.sampled_from([2_000, 18_000]),
    ),
    st.builds(lambda name: cancel(name, expires_ms=T0 + 20_000), _NAMES),
    st.builds(confirm, st.sampled_from(ConfirmState), _NAMES),
    st.just(Message("m-1", None, "desk", "road closed", T0, T0 + 9000)),
)  # fmt: skip
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 2), _BODIES),
        st.tuples(st.just("new_term")),
        st.tuples(st.just("repeat"), st.integers(0, 30)),
        st.tuples(st.just("wait"), st.integers(1, 3000)),
        st.tuples(st.just("trust"), st.sampled_from([TimeTrust.RTC, TimeTrust.NTP])),
        st.tuples(st.just("restart")),
        st.tuples(
            st.just("answer"), _NAMES,
            st.sampled_from(["accept", "decline", "en-route", "on-scene", "clear"]),
        ),
    ),
    max_size=40,
)  # fmt: skip


class Watched:
    """A terminal whose screen is watched: what appears on it, and what must not."""

    def __init__(self) -> None:
        self.state = State(Crew(LOGON, "621", status=Status.AVAILABLE))
        self.ms, self.trust = 0, TimeTrust.NTP
        self.term, self.counter = 1, 0
        self.shown: list[tuple[str, int]] = []
        self.cancelled: set[str] = set()
        self.taken: list[Numbered] = []
        self.delivered: set[tuple[int, int]] = set()

    @property
    def now(self) -> Now:
        return at(self.ms, self.trust)

    def after(self, decision: Decision) -> None:
        old = self.state.desk.cards
        self.state = decision.state
        for name, card in decision.state.desk.cards.items():
            before = old[name].shown if name in old else None
            if card.shown is not None and card.shown != before:
                assert name not in self.cancelled, "shown after its cancel"
                assert self.trust is TimeTrust.NTP, "shown without trusted time"
                assert card.order.expires_ms > T0 + self.ms, "shown after its expiry"
                assert card.order.logon == LOGON, "shown to another log-on"
                self.shown.append((name, card.shown))
        assert len(self.shown) == len(set(self.shown)), "shown twice"

    def take(self, numbered: Numbered) -> None:
        try:
            decision = terminal.take_dispatch(self.state, numbered, self.now)
        except Refused:
            return
        if decision.bodies:
            assert (numbered.term, numbered.counter) not in self.delivered, "number taken twice"
            self.delivered.add((numbered.term, numbered.counter))
        self.after(decision)
        if decision.bodies and isinstance(numbered.body, Cancel):
            self.cancelled.add(numbered.body.order)

    def restart(self) -> None:
        rows = state_rows.rows_between(State(), self.state)
        cards = [data for data in rows.cards.values() if data is not None]
        cancels = {name: until for name, until in rows.cancels.items() if until is not None}
        kept = state_rows.state_of(rows.meta, cards, cancels)
        assert kept == self.state
        self.state = kept


@settings(max_examples=500, deadline=None)
@given(_STEPS)
def test_any_interleaving_shows_once_and_never_too_late(steps: list[tuple[object, ...]]) -> None:
    w = Watched()
    for kind, *values in steps:
        match kind, values:
            case "take", [int(skipped), body]:
                w.counter += 1 + skipped
                numbered = Numbered(w.term, w.counter, body)  # type: ignore[arg-type]
                w.taken.append(numbered)
                w.take(numbered)
            case "repeat", [int(i)] if w.taken:
                w.take(w.taken[i % len(w.taken)])
            case "wait", [int(ms)]:
                w.ms += ms
                w.after(Decision(terminal.tick(w.state, w.now)))
            case "trust", [TimeTrust() as trust]:
                w.trust = trust
                w.after(terminal.release(w.state, w.now))
            case "new_term", _:
                w.term, w.counter = w.term + 1, 0
            case "restart", _:
                w.restart()
            case "answer", [str(name), str(said)]:
                command = device.Answer(order=name, answer=said)  # type: ignore[arg-type]
                try:
                    w.after(terminal.answer(w.state, command, None))
                except CrewRefused:
                    continue
