"""Orders on a terminal: each rule by its example."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import orders, terminal
from agent.core.answers import CrewRefused
from agent.core.terminal import Decision, State
from protocol import device
from protocol.dispatch import ConfirmState, Numbered
from protocol.entry import Delivered, Logoff, Logon
from protocol.order import OrderState
from protocol.refusal import Reason, Refused
from protocol.words import Status, TimeTrust
from tests.agent.order_desk import LOGON, T0, Terminal, at, cancel, confirm, given_order


def test_an_order_lives_from_shown_to_cleared() -> None:
    t = Terminal()
    assert t.take(given_order()) == "shown"
    assert t.say("accept").revision == 1
    assert t.state.crew.status == Status.AVAILABLE
    assert t.take(confirm(ConfirmState.HELD)) == "shown"
    assert (t.state.crew.status, t.state.crew.status_order) == (Status.DISPATCHED, "o-1")
    assert orders.in_hand(t.state.desk) == "o-1"
    t.say("en-route")
    assert t.state.crew.status == Status.EN_ROUTE
    t.say("on-scene")
    assert t.state.crew.status == Status.ON_SCENE
    t.say("clear")
    assert (t.card.state, t.state.crew.status) == (OrderState.CLEARED, Status.AVAILABLE)
    assert orders.in_hand(t.state.desk) is None


@pytest.mark.parametrize(
    ("state", "after", "status"),
    [
        (ConfirmState.HELD, OrderState.CONFIRMED, Status.DISPATCHED),
        (ConfirmState.ATTACHED, OrderState.CONFIRMED, Status.DISPATCHED),
        (ConfirmState.TOO_LATE, OrderState.EXPIRED, Status.AVAILABLE),
        (ConfirmState.CANCELLED, OrderState.CANCELLED, Status.AVAILABLE),
    ],
)
def test_confirm_decides_an_accept(state: ConfirmState, after: OrderState, status: Status) -> None:
    t = Terminal()
    t.take(given_order())
    t.say("accept")
    t.take(confirm(state))
    assert (t.card.state, t.card.confirm, t.state.crew.status) == (after, state, status)


def test_cancel_ends_an_order_in_hand_and_beats_a_later_confirm() -> None:
    t = Terminal()
    t.take(given_order())
    t.say("accept")
    t.take(confirm(ConfirmState.HELD))
    assert t.take(cancel()) == "shown"
    assert (t.card.state, t.state.crew.status) == (OrderState.CANCELLED, Status.AVAILABLE)
    t.take(confirm(ConfirmState.HELD))
    assert t.card.state is OrderState.CANCELLED
    with pytest.raises(CrewRefused, match="cancelled"):
        t.say("accept")


def test_cancel_before_its_order_is_kept_until_the_orders_expiry() -> None:
    t = Terminal()
    assert t.take(cancel()) == "kept"
    t.state = terminal.tick(t.state, at(59_000))
    assert t.take(given_order()) == "cancelled_before"
    assert not t.state.desk.cards
    t.state = terminal.tick(t.state, at(60_000))
    assert not t.state.desk.cancels
    assert t.take(given_order(), at(60_001)) == "expired"


@pytest.mark.parametrize("answers", [["decline"], ["accept", "clear"]])
def test_closed_order_that_is_cancelled_takes_no_revision_any_more(answers: list[str]) -> None:
    t = Terminal()
    t.take(given_order())
    for answer in answers:
        t.say(answer)
        t.take(confirm(ConfirmState.HELD))
    closed = t.card
    t.take(cancel())
    assert t.take(given_order(revision=2)) == "cancelled_before"
    assert t.card == closed


def test_order_of_another_log_on_is_kept_and_not_shown() -> None:
    t = Terminal()
    assert t.take(given_order(logon=LOGON + 1)) == "wrong_logon"
    assert t.card.shown is None
    with pytest.raises(CrewRefused, match="no order o-1"):
        t.say("accept")


def test_without_trusted_time_an_order_waits_and_is_delivered_anew() -> None:
    t = Terminal()
    assert t.take(given_order(), at(trust=TimeTrust.RTC)) == "kept"
    assert t.card.shown is None
    assert terminal.release(t.state, at(trust=TimeTrust.RTC)) == Decision(t.state)
    shown = terminal.release(t.state, at(100))
    assert shown.bodies == (Delivered(1, 1, "o-1", 1, "shown"),)
    assert shown.state.desk.cards["o-1"].state is OrderState.DELIVERED
    late = terminal.release(t.state, at(60_000))
    assert late.bodies == (Delivered(1, 1, "o-1", 1, "expired"),)
    assert late.state.desk.cards["o-1"].shown is None


def test_order_that_waits_and_is_cancelled_is_never_shown() -> None:
    t = Terminal()
    t.take(given_order(), at(trust=TimeTrust.NONE))
    assert t.take(cancel(), at(trust=TimeTrust.NONE)) == "cancelled_before"
    after = terminal.release(t.state, at())
    assert after.state.desk.cards["o-1"].shown is None
    assert not after.bodies


def test_revision_changes_the_card_and_keeps_its_state() -> None:
    t = Terminal()
    t.take(given_order())
    t.say("accept")
    assert t.take(given_order(revision=2, notes="armed")) == "shown"
    assert (t.card.order.notes, t.card.state) == ("armed", OrderState.ACCEPTED)
    assert t.take(given_order(revision=1, notes="old")) == "shown"
    assert t.card.order.notes == "armed"


def test_offer_that_ran_out_is_closed_and_may_be_accepted_late() -> None:
    t = Terminal()
    t.take(given_order())
    t.state = terminal.tick(t.state, at(60_000, TimeTrust.RTC))
    assert t.is_(OrderState.DELIVERED)
    t.state = terminal.tick(t.state, at(60_000))
    assert t.is_(OrderState.EXPIRED)
    t.say("accept")
    t.take(confirm(ConfirmState.HELD), at(60_001))
    assert t.card.state is OrderState.CONFIRMED


def test_another_order_in_hand_takes_over_the_status() -> None:
    t = Terminal()
    for name in ("o-1", "o-2"):
        t.take(given_order(name))
        t.say("accept", name)
        t.take(confirm(ConfirmState.HELD, name))
    t.take(cancel("o-2"))
    assert (t.state.crew.status, t.state.crew.status_order) == (Status.DISPATCHED, "o-1")


def test_numbers_of_an_old_term_and_far_ahead_are_refused() -> None:
    t = Terminal()
    t.take(given_order())
    state = replace(t.state, window=t.state.window.raised(2))
    with pytest.raises(Refused) as refused:
        terminal.take_dispatch(state, Numbered(1, 2, cancel()), at())
    assert refused.value.reason is Reason.STALE_TERM
    with pytest.raises(Refused) as refused:
        terminal.take_dispatch(state, Numbered(2, 300, cancel()), at())
    assert refused.value.reason is Reason.REPLAYED
    assert terminal.take_dispatch(t.state, Numbered(1, 1, cancel()), at()) == Decision(t.state)


def test_log_on_takes_its_own_entrys_number_and_ends_the_one_before() -> None:
    first = terminal.log_on(State(), device.Logon(unit="621", crew=("4711",)), 7)
    assert first.state.crew.logon == 7
    assert first.state.crew.status == Status.AVAILABLE
    again = terminal.log_on(first.state, device.Logon(unit="621", crew=("4711",)), 9)
    assert again == Decision(first.state)
    other = terminal.log_on(first.state, device.Logon(unit="622", crew=("4711",)), 9)
    assert other.bodies[0] == Logoff(7, "new_logon")
    assert isinstance(other.bodies[1], Logon)
    assert other.bodies[1].number == other.state.crew.logon == 10


def test_commands_that_make_no_sense_are_refused_with_a_remedy() -> None:
    t = Terminal()
    with pytest.raises(CrewRefused, match="log on first"):
        terminal.set_status(State(), device.SetStatus(status="available"))
    with pytest.raises(CrewRefused, match="use one of"):
        terminal.set_status(t.state, device.SetStatus(status="flying"))
    with pytest.raises(CrewRefused, match="nobody is logged on"):
        terminal.log_off(State(), device.Logoff())
    t.take(given_order())
    with pytest.raises(CrewRefused, match="accept or decline it first"):
        t.say("on-scene")
    t.say("accept")
    with pytest.raises(CrewRefused, match="wait for the centre"):
        t.say("en-route")
    t.take(confirm(ConfirmState.HELD))
    with pytest.raises(CrewRefused, match="clear it"):
        terminal.log_off(t.state, device.Logoff())


def test_an_emergency_is_ended_by_hand_only() -> None:
    t = Terminal()
    t.take(given_order())
    t.state = terminal.set_status(t.state, device.SetStatus(status="emergency")).state
    t.say("accept")
    t.take(confirm(ConfirmState.HELD))
    assert t.state.crew.status == Status.EMERGENCY


def test_desk_stays_bounded_and_forgets_what_is_long_over() -> None:
    t = Terminal()
    for i in range(orders.CARDS_MAX + 20):
        t.take(given_order(f"o-{i}", issued_ms=T0 + i))
        t.take(cancel(f"x-{i}", expires_ms=T0 + i + 1))
    assert len(t.state.desk.cards) == orders.CARDS_MAX
    assert len(t.state.desk.cancels) == orders.CANCELS_MAX
    assert "o-0" not in t.state.desk.cards
    later = terminal.tick(terminal.tick(t.state, at(60_000)), at(60_000 + 24 * 3_600_000))
    assert not later.desk.cards
    assert not later.desk.cancels
