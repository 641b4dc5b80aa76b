"""What dispatchers ask beyond a report: more units, another unit, an answer by radio, an end."""

from __future__ import annotations

from protocol.dispatch import Cancel
from protocol.order import AnswerMeans, OrderState
from protocol.words import Status
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 10_000, "b": 20_000, "c": 30_000}


def test_two_dispatchers_at_once_one_wins_and_the_other_is_told_who() -> None:
    fleet = FleetUnderTest(UNITS)
    incident = fleet.report(priority=1)
    seen = incident.revision
    first = fleet.request({"verb": "add", "incident": incident.incident, "expected_revision": seen})
    second = fleet.request(
        {"verb": "cancel", "incident": incident.incident, "expected_revision": seen}
    )
    assert first.outcome == "done"
    assert (second.outcome, second.reason) == ("refused", "revision")
    assert "last changed by person 7" in (second.detail or "")


def test_add_asks_for_one_more_and_never_for_more_than_16() -> None:
    fleet = FleetUnderTest(UNITS)
    incident = fleet.report(priority=1)
    fleet.request({"verb": "add", "incident": incident.incident, "units": 1})
    assert [o.unit for o in fleet.orders(incident)] == ["a", "b"]
    refused = fleet.request({"verb": "add", "incident": incident.incident, "units": 15})
    assert refused.reason == "too_many_units"


def test_reassign_tells_the_crew_why_and_fills_the_place_it_left() -> None:
    fleet = FleetUnderTest(UNITS)
    minor = fleet.report(priority=3)
    fleet.deliver("a")
    (held,) = fleet.orders(minor)
    fleet.answer_by_name(held, "accept")
    urgent = fleet.report(priority=1, units=2)
    assert [o.unit for o in fleet.orders(urgent)] == ["b", "c"]
    fleet.request(
        {"verb": "release", "incident": urgent.incident, "unit": "b", "reason": "vehicle_fault"}
    )
    reply = fleet.request(
        {"verb": "reassign", "incident": urgent.incident, "unit": "a", "reason": "more_urgent"}
    )
    assert reply.outcome == "done", reply
    assert held.state == OrderState.SUPERSEDED
    (cancel,) = [b for b in fleet.bodies_for("a") if isinstance(b, Cancel)]
    assert cancel.reason == "more_urgent"
    assert [o.unit for o in fleet.orders(urgent) if o.is_open] == ["c", "a"]
    assert [o.unit for o in fleet.orders(minor) if o.is_open] == ["b"]


def test_answers_heard_by_radio_are_told_apart_for_ever() -> None:
    fleet = FleetUnderTest(UNITS)
    incident = fleet.report(priority=1)
    (order,) = fleet.orders(incident)
    for said in ("accept", "en-route", "on-scene"):
        assert fleet.by_voice(order, said).outcome == "done"
    assert fleet.by_voice(order, "accept").reason == "not_allowed"
    assert fleet.by_voice(order, "clear", disposition="handled").outcome == "done"
    assert set(order.means.values()) <= {AnswerMeans.BY_DESK, AnswerMeans.AUTOMATIC, 0}
    assert order.means[OrderState.ON_SCENE] == AnswerMeans.BY_DESK
    assert (incident.state, incident.disposition) == ("cleared", "handled")


def test_close_ends_it_with_its_disposition_and_reopen_goes_on_under_the_number() -> None:
    fleet = FleetUnderTest(UNITS)
    incident = fleet.report(priority=1)
    (order,) = fleet.orders(incident)
    fleet.request({"verb": "close", "incident": incident.incident, "disposition": "false_alarm"})
    assert (incident.state, incident.disposition) == ("cleared", "false_alarm")
    assert order.state == OrderState.CANCELLED
    number = incident.number
    assert fleet.request({"verb": "reopen", "incident": incident.incident}).outcome == "done"
    assert (incident.state, incident.number) == ("pending", number)
    assert [o.unit for o in fleet.orders(incident) if o.is_open] == ["a"]
    twice = fleet.request({"verb": "reopen", "incident": incident.incident})
    assert twice.reason == "incident_open"


def test_a_status_by_voice_of_an_unknown_word_names_the_words() -> None:
    fleet = FleetUnderTest(UNITS)
    refused = fleet.request({"verb": "status", "unit": "a", "status": "asleep"})
    assert refused.reason == "unknown_status"
    assert Status.AVAILABLE.word in (refused.detail or "")
