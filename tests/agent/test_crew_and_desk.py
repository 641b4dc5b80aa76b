"""What the desk says to a crew beside orders: messages, log-on by the desk, the other screen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core import notes, state_rows, terminal
from agent.core.answers import CrewRefused
from agent.state_view import card_view
from protocol import device
from protocol.dispatch import Answered, Bind, ConfirmState, Message, Numbered, Revision
from protocol.entry import Delivered, Logoff, Logon, MessageAnswer
from protocol.order import Answer
from tests.agent.order_desk import LOGON, T0, Terminal, at, confirm, given_order

TEXT = Message("m-1-1", None, "d07", "注意安全", T0, T0 + 60_000)
BIND = Bind("621", "van-2", ("4800",), None, "d07", T0, T0 + 60_000)


def reply(t: Terminal, message: str, code: str = "read") -> MessageAnswer:
    decision = terminal.reply(t.state, device.Reply(message=message, code=code))
    t.state = decision.state
    (body,) = decision.bodies
    assert isinstance(body, MessageAnswer)
    return body


def test_a_message_is_shown_read_and_answered() -> None:
    t = Terminal()
    assert t.take(TEXT) == "shown"
    assert t.state.desk.notes["m-1-1"].state == "shown"
    assert reply(t, "m-1-1") == MessageAnswer("m-1-1", "read")
    assert t.take(TEXT) == "shown"  # under another number: it stays read
    assert t.state.desk.notes["m-1-1"].state == "read"
    assert reply(t, "m-1-1", "on_my_way").code == "on_my_way"
    with pytest.raises(CrewRefused):
        reply(t, "m-9-9")


def test_a_message_too_late_is_not_shown() -> None:
    t = Terminal()
    assert t.take(TEXT, at(60_000)) == "expired"


def test_messages_outlive_a_restart_and_the_oldest_give_way() -> None:
    t = Terminal()
    for n in range(notes.NOTES_MAX + 3):
        t.take(replace(TEXT, message=f"m-1-{n}"))
    rows = state_rows.rows_between(Terminal().state, t.state)
    again = state_rows.state_of(rows.meta, (), {})
    assert again.desk.notes == t.state.desk.notes
    assert "m-1-2" not in again.desk.notes
    assert len(again.desk.notes) == notes.NOTES_MAX


def bound(t: Terminal, bind: Bind, first_n: int) -> tuple[str, tuple[object, ...]]:
    t.counter += 1
    decision = terminal.take_dispatch(t.state, Numbered(1, t.counter, bind), at(), first_n)
    t.state = decision.state
    delivered, *others = decision.bodies
    assert isinstance(delivered, Delivered)
    return delivered.outcome, tuple(others)


def test_a_log_on_by_the_desk_is_an_entry_of_the_terminal_known_by_its_own_number() -> None:
    t = Terminal()
    outcome, bodies = bound(t, BIND, 40)
    assert outcome == "shown"
    assert bodies == (
        Logoff(LOGON, "new_logon"),
        Logon(42, "621", "van-2", ("4800",), None, ()),
    )  # 40 is the delivered entry's, 41 the log-off's
    assert t.state.crew.logon == 42
    assert bound(t, replace(BIND, unit=None, crew=()), 50)[1] == (Logoff(42, "by_desk"),)


def test_with_an_order_in_hand_only_the_same_unit_takes_over() -> None:
    t = Terminal()
    t.take(given_order())
    t.say("accept")
    t.take(confirm(ConfirmState.HELD))
    assert bound(t, replace(BIND, unit="618"), 40) == ("order_in_hand", ())
    with pytest.raises(CrewRefused, match="in hand"):
        terminal.log_on(t.state, device.Logon(unit="618", crew=("1",)), 1)
    assert bound(t, BIND, 41)[0] == "shown"
    assert t.card.state == "confirmed"


def test_the_other_screen_of_the_unit_shows_who_answered() -> None:
    t = Terminal()
    t.take(given_order())
    t.counter += 1
    late = Answered("o-1", "car-2", int(Answer.DECLINE), False, T0, T0 + 60_000)
    t.state = terminal.take_dispatch(t.state, Numbered(1, t.counter, late), at()).state
    assert (card_view(t.card)["answered"], t.card.state) == ("car-2 decline", "delivered")
    t.counter += 1
    first = Answered("o-1", "car-2", int(Answer.ACCEPT), True, T0, T0 + 60_000)
    t.state = terminal.take_dispatch(t.state, Numbered(1, t.counter, first), at()).state
    assert (card_view(t.card)["answered"], t.card.state) == ("car-2 accept", "accepted")


def test_a_safety_revision_must_be_read_and_is_then_quiet() -> None:
    t = Terminal()
    t.take(given_order())
    t.take(given_order(revision=2, revision_class=int(Revision.SAFETY)))
    assert card_view(t.card)["must_read"]
    assert t.say("read").revision == 2
    assert not card_view(t.card)["must_read"]
    t.take(given_order(revision=3, revision_class=int(Revision.NOTE)))
    assert not card_view(t.card)["must_read"]
