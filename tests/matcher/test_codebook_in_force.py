"""The codebook decides: times, plans, numbers, words; journaled, replaced, and replayed."""

from __future__ import annotations

import pytest

from matcher.core import events as ev
from matcher.core.apply import apply
from matcher.core.assign import why_not
from matcher.core.board import Board
from matcher.core.commands import COMMANDS
from matcher.core.decide import decide
from matcher.core.modes import mode_of
from matcher.core.records import decoder, encode
from matcher.texts import alert_title
from protocol import entry as entries
from protocol.codebook_shipped import shipped_text
from protocol.order import OrderState
from protocol.words import Status
from tests.matcher.books import UNITS, report, take, text_of
from tests.matcher.fleet import FleetUnderTest


def replayed(fleet: FleetUnderTest) -> Board:
    """From the events alone, through the journal's own codec."""
    read = decoder(ev.EVENTS)
    board = Board()
    for event in fleet.events:
        apply(board, read(encode(event)))
    return board


# --- in force ---------------------------------------------------------------------------------


def test_the_first_is_journaled_once_and_is_what_held_by_default() -> None:
    fleet = FleetUnderTest(UNITS)
    before = (fleet.board.book.version, fleet.board.book.digest)
    assert [type(e).__name__ for e in take(fleet, shipped_text())] == ["CodebookTaken"]
    assert (fleet.board.book.version, fleet.board.book.digest) == before
    assert fleet.board.book.is_journaled
    assert take(fleet, shipped_text()) == []


def test_a_new_one_holds_for_what_comes_and_running_orders_keep_theirs() -> None:
    fleet = FleetUnderTest(UNITS)
    take(fleet, shipped_text())
    running = fleet.orders(fleet.report(priority=3))[0]
    edits = (
        ("delivery_s = 30\nanswer_s = 60\n", "delivery_s = 30\nanswer_s = 45\n"),
        ("plan = { units = 1, officers = 2 }\nplans.1 = { units = 2, officers = 4, alert = true }",
         "plan = { units = 3, officers = 3 }\nplans.1 = { units = 2, officers = 4, alert = true }"),
    )  # fmt: skip
    take(fleet, text_of(*edits))
    assert fleet.board.book.version == 2
    later = fleet.board.incidents[str(report(fleet, "theft").incident)]
    assert (later.priority, later.plan_units, later.plan_officers) == (3, 3, 3)
    assert [o.answer_s for o in fleet.orders(later)] == [45, 45, 45]
    assert running.answer_s == 60
    fleet.deliver("a")
    fleet.wait(46)
    assert running.state == OrderState.DELIVERED
    fleet.wait(15)
    assert running.state == OrderState.EXPIRED


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (text_of(version=1) + "# another\n", "version: does not rise"),
        (text_of(("[kinds.theft]\n", "[kinds.larceny]\n")), "kinds.theft: has vanished"),
        (text_of(('zh = "盗窃、扒窃"\nen = "Theft"', 'zh = "打猎"\nen = "Hunting"')),
         "kinds.theft: has another name in both languages"),
        ("version = ", "is not TOML"),
        ("version = 2\n", "is missing"),
    ],
    ids=["same version", "vanished", "another meaning", "no toml", "no codebook"],
)  # fmt: skip
def test_what_may_not_follow_is_refused_told_once_and_changes_nothing(text: str, says: str) -> None:
    fleet = FleetUnderTest(UNITS)
    take(fleet, shipped_text())
    held = fleet.board.book
    take(fleet, text)
    take(fleet, text)
    assert fleet.board.book is held
    (alert,) = [a for a in fleet.board.alerts.values() if a.kind == "codebook_refused"]
    assert says in alert.text
    assert alert.text.startswith("version 1 stays in force")


def test_an_older_one_never_comes_back() -> None:
    fleet = FleetUnderTest(UNITS)
    take(fleet, text_of(version=5))
    take(fleet, text_of(version=4))
    assert fleet.board.book.version == 5
    assert "codebook_refused" in fleet.alert_kinds()


def test_a_restart_with_another_codebook_decides_the_old_by_the_old() -> None:
    """The same commands give the same events, whatever is in force now; the state is the same."""
    fleet = FleetUnderTest(UNITS)
    take(fleet, shipped_text())
    fleet.attend(fleet.orders(fleet.report(priority=1, units=2))[0])
    sooner = ("answer_s = 10\n", "answer_s = 9\n")
    take(fleet, text_of(sooner, sooner))  # of priority 0 and 1
    fleet.restart()
    report(fleet, "robbery")
    board, commands = Board(), decoder(COMMANDS)
    again = [e for c in fleet.commands for e in decide(board, commands(encode(c)))]
    assert [encode(e) for e in again] == [encode(e) for e in fleet.events]
    assert board.digest() == replayed(fleet).digest() == fleet.board.digest()
    answers = [e.answer_s for e in again if isinstance(e, ev.OrderIssued) and e.answer_s]
    assert set(answers) == {10, 9}


def test_a_journal_from_before_the_codebook_is_read_and_counted_on() -> None:
    """Its numbers had the day of UTC and no serial of their own."""
    fleet = FleetUnderTest(UNITS)
    fleet.report()
    old = next(e for e in fleet.events if isinstance(e, ev.IncidentOpened))
    record = encode(old)[: 1 + 15]  # as far as `exercise`
    known = decoder(ev.EVENTS)(record)
    assert isinstance(known, ev.IncidentOpened)
    assert (known.long_number, known.serial, known.staging_m, known.by_book) == ("", 0, None, False)
    board = Board()
    apply(board, known)
    apply(board, known)
    assert (board.day, board.day_reports) == (old.at_ms // 86_400_000, 2)


def test_statuses_say_who_can_be_sent() -> None:
    fleet = FleetUnderTest(UNITS)
    fleet.entry("a", entries.StatusChange(int(Status.BUSY), "meal"))
    incident = fleet.report(priority=3)
    a = ev.Candidate("a", 1, 1, 1, "live")
    assert why_not(fleet.board, incident, a) == "status busy"
    take(fleet, text_of(('busy = { zh = "处置中", en = "Busy", dispatchable_to = 2,',
                         'busy = { zh = "处置中", en = "Busy", dispatchable_to = 4,')))  # fmt: skip
    assert why_not(fleet.board, incident, a) is None


def test_modes_by_priority_are_the_codebooks() -> None:
    fleet = FleetUnderTest(UNITS, mode="by_priority")
    assert [mode_of(fleet.board, p)[0] for p in range(5)] == ["auto", "auto", *["recommend"] * 3]
    take(fleet, text_of(('sound = "prompt"\nmode = "recommend"',
                         'sound = "prompt"\nmode = "auto_veto"\nveto_s = 7')))  # fmt: skip
    assert mode_of(fleet.board, 2) == ("auto_veto", 7)


def test_an_alert_has_the_name_of_the_codebook_in_force() -> None:
    fleet = FleetUnderTest(UNITS)
    take(fleet, text_of(('en = "No answer to an order"', 'en = "The crew is silent"')))
    codes = fleet.board.book.codes
    assert alert_title(codes, "no_answer") == ("The crew is silent", "警组无应答")
    assert alert_title(codes, "a_new_alarm") == ("a_new_alarm", "a_new_alarm")
