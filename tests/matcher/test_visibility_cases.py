"""Units that are not open to all: each way by which a name could come out, one by one."""

from __future__ import annotations

import json

from matcher.core import events as ev
from matcher.core.commands import RaiseAlert
from matcher.core.figures import Figures
from matcher.core.visibility import audiences_of_alert
from protocol import dispatch
from protocol import entry as entries
from protocol.dispatch import ConfirmState
from protocol.order import Answer
from protocol.words import Status
from tests.matcher.ears import Ears
from tests.matcher.fleet import FleetUnderTest
from tests.matcher.test_invariants import press
from tests.matcher.test_visibility import GROUP, HIDDEN, MEMBER, OUTSIDER, make, set_visibility

BASE = "outrider/v1/fleet/zz"


def by_hand(priority: int = 2) -> tuple[FleetUnderTest, Ears]:
    """A member of the group sends; no rule does."""
    fleet, ears = make()
    fleet.roles = MEMBER
    fleet.request({"verb": "mode", "priority": priority, "mode": "recommend"})
    return fleet, ears


def assign(fleet: FleetUnderTest, incident: str, unit: str) -> str:
    reply = fleet.request({"verb": "assign", "incident": incident, "unit": unit})
    assert reply.order is not None, reply
    return reply.order


def test_a_unit_that_left_what_it_had_begun_is_not_named_to_who_comes_after_it() -> None:
    fleet, ears = by_hand()
    fleet.entry(HIDDEN, entries.StatusChange(Status.BUSY, None))
    (own,) = fleet.board.incidents
    assign(fleet, fleet.report(priority=2).incident, HIDDEN)
    fleet.request({"verb": "add", "incident": own})
    assign(fleet, own, "a")
    ears.hear()
    assert json.loads(ears.held[f"{BASE}/incident/{own}"])["waiting_reason"] == "left by its unit"


def test_what_an_earlier_process_left_is_cleared() -> None:
    fleet, ears = make()
    set_visibility(fleet, "open")
    ears.hear()
    incident = fleet.report(priority=1).incident  # the nearest is sent: it
    ears.hear()
    left = {f"{BASE}/unit/{HIDDEN}", f"{BASE}/incident/{incident}"}
    assert left <= ears.held.keys()
    set_visibility(fleet, "covert")
    ears.forget()
    ears.restart()
    ears.hear()
    assert not left & ears.held.keys()
    assert f"{BASE}/unit/a" in ears.held


def test_another_person_does_not_release_it_and_does_not_learn_that_it_is_there() -> None:
    fleet, _ = by_hand()
    incident = fleet.report(priority=2, units=2).incident
    order = assign(fleet, incident, HIDDEN)
    assign(fleet, incident, "a")
    asked: dict[str, object] = {"verb": "release", "incident": incident, "unit": HIDDEN}
    fleet.roles = OUTSIDER
    reply = fleet.request(asked)
    assert reply.reason == "not_on_it"
    assert fleet.board.orders[order].is_open
    fleet.roles = MEMBER
    assert fleet.request(asked).outcome == "done"


def test_a_late_crew_does_not_read_who_has_its_place() -> None:
    fleet, _ = by_hand(1)
    incident = fleet.report(priority=1).incident
    late = fleet.board.orders[assign(fleet, incident, "a")]
    fleet.deliver("a")
    fleet.wait(11)
    order = fleet.board.orders[assign(fleet, incident, HIDDEN)]
    assert order.slot == late.slot
    fleet.deliver(HIDDEN)
    fleet.answer(order, Answer.ACCEPT)
    fleet.answer(late, Answer.ACCEPT)
    (said,) = [b for b in fleet.bodies_for("a") if isinstance(b, dispatch.Confirm)]
    assert (said.state, said.by) == (ConfirmState.ATTACHED, None)


def test_a_false_alarm_of_it_is_told_without_its_name() -> None:
    fleet, ears = make()
    press(fleet, HIDDEN, 0)
    fleet.entry(HIDDEN, entries.StatusChange(Status.AVAILABLE, "false_alarm"))
    ears.hear()
    (incident,) = fleet.board.incidents
    said = json.loads(ears.held[f"{BASE}/incident/{incident}"])["sos"]
    assert (said["units"], said["false_alarm_by"]) == ([], None)
    assert fleet.board.sos[incident].false_alarm_by == HIDDEN


def test_who_moved_an_sos_is_not_named_to_others() -> None:
    fleet, _ = make()
    press(fleet, HIDDEN, 0)
    press(fleet, HIDDEN, 300)  # it has moved
    (incident,) = fleet.board.incidents.values()
    assert incident.changed_by == HIDDEN
    asked: dict[str, object] = {"verb": "update", "incident": incident.incident, "notes": "x"}
    told = {}
    for roles in (MEMBER, OUTSIDER):
        fleet.roles = roles
        told[roles] = str(fleet.request(asked | {"expected_revision": 0}).detail)
    assert HIDDEN in told[MEMBER]
    assert "last changed by officer 民警" in told[OUTSIDER]


def test_a_log_on_that_was_not_taken_is_its_groups_matter() -> None:
    fleet, _ = by_hand()
    asked: dict[str, object] = {
        "verb": "logon", "unit": HIDDEN, "crew": ["77"], "terminals": ["t-a"],
    }  # fmt: skip
    assert fleet.request(asked).outcome == "done"
    (bound,) = [
        m
        for m in fleet.board.outbound[b"a".ljust(16, b".")]
        if isinstance(dispatch.decode(m.message).body, dispatch.Bind)
    ]
    fleet.entry("a", entries.Delivered(bound.term, bound.counter, None, None, "busy"))
    (alert,) = [a for a in fleet.board.alerts.values() if a.kind == "logon_refused"]
    assert [one.group for one in audiences_of_alert(fleet.board, alert)] == [GROUP]


def test_a_place_is_not_known_for_what_hidden_units_did_there() -> None:
    fleet, _ = by_hand()
    for _at in range(2):
        order = fleet.board.orders[assign(fleet, fleet.report(priority=2).incident, HIDDEN)]
        fleet.attend(order)
    for _at in range(2):
        fleet.report(priority=2)
    assert not fleet.board.premises
    fleet.report(priority=2)
    (note,) = fleet.board.premises.values()
    assert note.text.startswith("3 reports")


def test_a_code_that_nobody_knows_is_told_to_its_group() -> None:
    fleet, ears = make()
    fleet.entry(HIDDEN, entries.StatusChange(Status.OUT_OF_SERVICE, "no_such_code"))
    assert "unknown_code" in fleet.alert_kinds()
    said = {s.topic for s in ears.hear() if "/alert/" in s.topic}
    assert said == {f"{BASE}/group/{GROUP}/alert/unknown_code"}


def test_figures_know_no_shift_of_it() -> None:
    fleet, _ = make()
    fleet.take_off(HIDDEN)
    fleet.entry(HIDDEN, entries.Logon(2, HIDDEN, None, ("1",), None, ()))
    figures = Figures()
    for event in fleet.events:
        figures.take(event)
    assert sorted(figures.load.crews()) == ["a", "b", "c"]
    assert any(isinstance(e, ev.LoggedOn) and e.unit == HIDDEN for e in fleet.events)


def test_verified_positions_count_those_of_open_units() -> None:
    _, ears = make()
    before = ears.publisher.positions_taken
    ears.place(HIDDEN, 247_777_000, 1_173_333_000)
    assert ears.publisher.positions_taken == before
    ears.place("a", 247_777_000, 1_173_333_000)
    assert ears.publisher.positions_taken == before + 1


def test_a_desk_of_the_group_that_comes_later_hears_of_it_within_ten_seconds() -> None:
    fleet, ears = by_hand()
    incident = fleet.report(priority=2).incident
    assign(fleet, incident, HIDDEN)
    ears.hear()
    again = {said.topic for said in ears.hear()}  # nothing has happened, ten seconds later
    assert {f"{BASE}/group/{GROUP}/{it}" for it in (f"unit/{HIDDEN}", f"incident/{incident}")} <= (
        again
    )


def test_what_the_shell_finds_at_its_terminal_is_its_groups_matter() -> None:
    fleet, ears = make()
    for kind, text in (
        ("entries_lost", f"t-{HIDDEN}: entries 1 to 3 are lost here"),
        ("restored_journal", f"t-{HIDDEN} holds our receipt for 9 entries"),
        ("broker_unproven", "no list is proven"),
    ):
        fleet.do(RaiseAlert(fleet.now_ms, f"{kind}-1".replace("_", "-"), kind, None, text))
    said = {s.topic: json.loads(s.payload)["text"] for s in ears.hear() if "/alert/" in s.topic}
    group = f"{BASE}/group/{GROUP}/alert"
    assert said.keys() == {
        f"{group}/entries_lost", f"{group}/restored_journal", f"{BASE}/alert/restored_journal",
        f"{BASE}/alert/broker_unproven",
    }  # fmt: skip
    assert "officer 民警 holds our receipt" in said[f"{BASE}/alert/restored_journal"]
