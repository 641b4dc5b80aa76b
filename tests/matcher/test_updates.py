"""A running incident: corrections, what crews are told how loudly, repeated reports, messages."""

from __future__ import annotations

import pytest

from matcher.core.board import Incident, Order
from protocol import entry as entries
from protocol.dispatch import Answered, Bind, Message, Revision
from protocol.dispatch import Order as OrderBody
from protocol.order import Answer, OrderState
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 10_000, "b": 20_000, "c": 30_000}
KNIFE = {"hazards": ["knife"]}
PLACE = {"place": {"lat": 24.514, "lon": 117.648, "source": "desk", "text": "at the bridge"}}


def held(fleet: FleetUnderTest) -> tuple[Incident, Order]:
    incident = fleet.report(priority=1)
    (order,) = fleet.orders(incident)
    fleet.deliver("a")
    fleet.answer(order, Answer.ACCEPT)
    fleet.deliver("a")
    return incident, order


def update(fleet: FleetUnderTest, incident: Incident, **fields: object) -> None:
    reply = fleet.request({"verb": "update", "incident": incident.incident, **fields})
    assert reply.outcome == "done", reply


def told(fleet: FleetUnderTest, unit: str) -> list[tuple[int, int]]:
    """(revision, class) of the orders on their way to a unit."""
    bodies = [b for b in fleet.bodies_for(unit) if isinstance(b, OrderBody)]
    return [(b.revision, b.revision_class) for b in bodies]


@pytest.mark.parametrize(
    ("fields", "revision_class"),
    [(KNIFE, Revision.SAFETY), (PLACE, Revision.PLACE), ({"notes": "red door"}, Revision.NOTE),
     ({"notes": "armed", "revision": "safety"}, Revision.SAFETY)],
    ids=["danger", "place", "note", "as said"],
)  # fmt: skip
def test_each_update_is_told_as_loudly_as_it_is_meant(
    fields: dict[str, object], revision_class: Revision
) -> None:
    fleet = FleetUnderTest(UNITS)
    incident, order = held(fleet)
    update(fleet, incident, **fields)
    assert told(fleet, "a") == [(2, revision_class)]
    assert order.state == OrderState.CONFIRMED


def test_a_safety_update_that_nobody_reads_is_the_desks_after_15_s() -> None:
    fleet = FleetUnderTest(UNITS)
    incident, order = held(fleet)
    update(fleet, incident, **KNIFE)
    fleet.wait(14.9)
    assert "safety_unread" not in fleet.alert_kinds()
    fleet.wait(0.2)
    fleet.wait(30)
    assert fleet.alert_kinds().count("safety_unread") == 1
    assert order.is_open


def test_who_has_read_it_is_left_alone() -> None:
    fleet = FleetUnderTest(UNITS)
    incident, order = held(fleet)
    update(fleet, incident, **KNIFE)
    fleet.deliver("a")
    fleet.answer(order, Answer.READ)
    fleet.wait(60)
    assert order.read_revision == 2
    assert "safety_unread" not in fleet.alert_kinds()


def test_to_have_read_the_revision_before_is_not_enough() -> None:
    fleet = FleetUnderTest(UNITS)
    incident, order = held(fleet)
    fleet.answer(order, Answer.READ)
    update(fleet, incident, **KNIFE)
    fleet.wait(16)
    assert "safety_unread" in fleet.alert_kinds()


def test_a_correction_keeps_the_first_value() -> None:
    fleet = FleetUnderTest(UNITS)
    incident, _ = held(fleet)
    update(fleet, incident, kind="fight", **PLACE)
    update(fleet, incident, kind="robbery")
    assert (incident.kind, incident.first["kind"]) == ("robbery", "theft")
    assert incident.first["place"].startswith("24.51300,117.64700")
    assert incident.place.text == "at the bridge"


# --- repeated reports -----------------------------------------------------------------------------


def test_a_second_report_nearby_goes_to_units_too_and_is_proposed_as_the_same() -> None:
    fleet = FleetUnderTest(UNITS)
    first = fleet.report(priority=1)
    fleet.wait(120)
    second = fleet.report(priority=1)
    assert [o.unit for o in fleet.orders(second)] != []
    (alert,) = [a for a in fleet.board.alerts.values() if a.kind == "may_be_same"]
    assert first.number in alert.text
    assert second.joined_into is None


def test_after_ten_minutes_it_is_another() -> None:
    fleet = FleetUnderTest(UNITS)
    fleet.report(priority=1)
    fleet.wait(601)
    fleet.report(priority=1)
    assert "may_be_same" not in fleet.alert_kinds()


def test_joined_by_a_person_its_units_are_free_and_parted_it_goes_on() -> None:
    fleet = FleetUnderTest(UNITS)
    first = fleet.report(priority=1)
    second = fleet.report(priority=1)
    joined = fleet.request({"verb": "merge", "incident": second.incident, "into": first.incident})
    assert joined.outcome == "done"
    assert (second.state, second.joined_into) == ("cancelled", first.incident)
    assert fleet.board.units["b"].order is None
    parted = fleet.request({"verb": "unmerge", "incident": second.incident})
    assert parted.outcome == "done"
    assert second.state == "pending"
    assert [o.unit for o in fleet.orders(second) if o.is_open] == ["b"]
    assert [o.unit for o in fleet.orders(first) if o.is_open] == ["a"]


def test_only_another_open_incident_can_be_joined_to() -> None:
    fleet = FleetUnderTest(UNITS)
    one = fleet.report()
    asked: dict[str, object] = {"verb": "merge", "incident": one.incident, "into": one.incident}
    assert fleet.request(asked).reason == "cannot_join"
    asked = {"verb": "unmerge", "incident": one.incident}
    assert fleet.request(asked).reason == "incident_open"


# --- messages -------------------------------------------------------------------------------------


def test_a_message_is_sent_shown_read_and_answered() -> None:
    fleet = FleetUnderTest(UNITS)
    reply = fleet.request({"verb": "message", "unit": "a", "text": "keep back"})
    note = fleet.board.messages[reply.message or ""]
    assert note.states == {"a": "sent"}
    (body,) = [b for b in fleet.bodies_for("a") if isinstance(b, Message)]
    assert (body.text, body.issuer) == ("keep back", "person 7")
    fleet.deliver("a")
    assert note.states == {"a": "shown"}
    fleet.entry("a", entries.MessageAnswer(note.message, "read"))
    assert note.states == {"a": "read"}
    fleet.entry("a", entries.MessageAnswer(note.message, "need_backup"))
    assert note.states == {"a": "need_backup"}
    assert "crew_reply" in fleet.alert_kinds()


def test_a_message_to_an_incident_reaches_who_is_on_it() -> None:
    fleet = FleetUnderTest(UNITS)
    incident = fleet.report(units=2)
    reply = fleet.request({"verb": "message", "incident": incident.incident, "text": "gate 3"})
    assert fleet.board.messages[reply.message or ""].units == ("a", "b")


# --- who is aboard --------------------------------------------------------------------------------


def test_one_officer_alone_is_told_for_whom_and_how_long_to_wait() -> None:
    fleet = FleetUnderTest(UNITS, officers={"a": 1})
    fleet.report(priority=1, units=2, officers=3)
    (body,) = [b for b in fleet.bodies_for("a") if isinstance(b, OrderBody)]
    assert (body.plan.wait_for, body.plan.wait_s) == ("b", 10)


def test_alone_with_nobody_else_to_send_the_officer_is_told_to_wait_all_the_same() -> None:
    fleet = FleetUnderTest({"a": 10_000, "b": 20_000}, officers={"a": 1})
    fleet.request({"verb": "hold", "unit": "b", "on": True})
    incident = fleet.report(priority=1, units=2, officers=3)
    (body,) = [b for b in fleet.bodies_for("a") if isinstance(b, OrderBody)]
    assert (body.plan.wait_for, body.plan.wait_s) == (None, 0)
    assert "short_of_plan" in fleet.alert_kinds()
    fleet.request({"verb": "hold", "unit": "b", "on": False})
    fleet.wait(1)
    assert [o.unit for o in fleet.orders(incident)] == ["a", "b"]
    later = [b for b in fleet.bodies_for("a") if isinstance(b, OrderBody)][-1]
    assert (later.revision, later.revision_class) == (2, Revision.SAFETY)
    assert (later.plan.wait_for, later.plan.wait_s) == ("b", 10)


def test_two_screens_of_one_unit_the_first_answer_counts_and_the_other_is_told() -> None:
    fleet = FleetUnderTest(UNITS, more_terminals={"a2": "a"})
    (order,) = fleet.orders(fleet.report(priority=1))
    assert len(fleet.board.units["a"].terminals) == 2
    fleet.deliver("a")
    fleet.deliver("a2")
    fleet.answer(order, Answer.ACCEPT)
    fleet.answer(order, Answer.DECLINE, at="a2")
    assert (order.state, order.answered_by) == (OrderState.CONFIRMED, "t-a")
    assert "two_answers" in fleet.alert_kinds()
    (seen,) = [b for b in fleet.bodies_for("a2") if isinstance(b, Answered)]
    assert (seen.device, seen.answer, seen.counts) == ("t-a", Answer.ACCEPT, True)
    (other,) = [b for b in fleet.bodies_for("a") if isinstance(b, Answered)]
    assert (other.answer, other.counts) == (Answer.DECLINE, False)
    fleet.wait(60)
    fleet.answer(order, Answer.DECLINE, at="a2")
    assert order.state == OrderState.DECLINED


def test_the_desk_logs_a_crew_on_at_a_terminal_or_by_radio_only() -> None:
    fleet = FleetUnderTest(UNITS)
    crew: dict[str, object] = {"verb": "logon", "unit": "b", "crew": ["4711", "4712"]}
    assert fleet.request(crew | {"terminals": ["t-b"]}).outcome == "done"
    (bind,) = [b for b in fleet.bodies_for("b") if isinstance(b, Bind)]
    assert (bind.unit, bind.crew, bind.issuer) == ("b", ("4711", "4712"), "person 7")
    assert fleet.request(crew | {"terminals": ["t-x"]}).reason == "unknown_terminal"
    fleet.request({"verb": "logon", "unit": "c", "crew": ["4800"]})
    refused = fleet.request({"verb": "logon", "unit": "b", "crew": ["4800"]})
    assert refused.reason == "crew_elsewhere"
    assert "aboard c" in (refused.detail or "")
