"""Exercises never mix with what is live, and everything that is shown says that it is played."""

from __future__ import annotations

import json

import pytest

from matcher import views
from protocol import entry as entries
from protocol.dispatch import Message
from protocol.dispatch import Order as OrderBody
from protocol.order import Answer
from protocol.words import Status
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 10_000, "b": 20_000, "c": 30_000}
HERE = entries.Here(245_130_000, 1_176_470_000, 50, 500)


def play(fleet: FleetUnderTest, *units: str) -> None:
    for unit in units:
        assert fleet.request({"verb": "exercise", "unit": unit, "on": True}).outcome == "done"


def reported(fleet: FleetUnderTest, *, exercise: bool, **more: object) -> str:
    place = {"lat": 24.513, "lon": 117.647}
    reply = fleet.request(
        {
            "verb": "report",
            "kind": "theft",
            "priority": 1,
            "place": place,
            "exercise": exercise,
            "plan": {"units": 1, "alert": False},
        }
        | more
    )
    return str(reply.incident)


def sent(fleet: FleetUnderTest, incident: str) -> list[str]:
    return [o.unit for o in fleet.orders(fleet.board.incidents[incident])]


@pytest.mark.parametrize("alert", [False, True])
def test_each_goes_to_its_own_only(alert: bool) -> None:
    fleet = FleetUnderTest(UNITS)
    play(fleet, "a", "c")
    plan = {"plan": {"units": 1, "officers": 1, "alert": alert}}
    live, played = reported(fleet, exercise=False, **plan), reported(fleet, exercise=True, **plan)
    assert sent(fleet, live) == ["b"]
    assert sent(fleet, played) == (["a", "c"] if alert else ["a"])


def test_with_nobody_in_it_an_exercise_waits_and_takes_nobody() -> None:
    fleet = FleetUnderTest(UNITS)
    played = reported(fleet, exercise=True)
    fleet.wait(30)
    assert sent(fleet, played) == []
    assert fleet.board.incidents[played].waits


@pytest.mark.parametrize("verb", ["assign", "reassign"])
def test_a_person_cannot_mix_them_either(verb: str) -> None:
    fleet = FleetUnderTest(UNITS)
    play(fleet, "c")
    live, played = reported(fleet, exercise=False), reported(fleet, exercise=True)
    fleet.request({"verb": "hold", "unit": "b", "on": True})
    busy = "c" if verb == "reassign" else "b"
    asked: dict[str, object] = {"verb": verb, "unit": busy, "incident": played}
    if verb == "reassign":
        asked["incident"] = live
    assert fleet.request(asked).reason == "exercise"
    merged = fleet.request({"verb": "merge", "incident": played, "into": live})
    assert merged.reason == "cannot_join"


def test_a_unit_finishes_what_it_has_before_it_changes_over() -> None:
    fleet = FleetUnderTest(UNITS)
    reported(fleet, exercise=False)
    refused = fleet.request({"verb": "exercise", "unit": "a", "on": True})
    assert refused.reason == "unit_has_order"


def test_every_text_says_so_first() -> None:
    fleet = FleetUnderTest({"a": 10_000})
    play(fleet, "a")
    played = fleet.board.incidents[reported(fleet, exercise=True, notes="red door")]
    (body,) = [b for b in fleet.bodies_for("a") if isinstance(b, OrderBody)]
    assert body.number.startswith("EXERCISE ")
    assert body.notes == "EXERCISE 演练 red door"
    fleet.request({"verb": "message", "incident": played.incident, "text": "gate 3"})
    (said,) = [b for b in fleet.bodies_for("a") if isinstance(b, Message)]
    assert said.text == "EXERCISE 演练 gate 3"
    fleet.wait(6)
    (alert,) = [a for a in fleet.board.alerts.values() if a.kind == "call_by_radio"]
    shown = json.loads(views.alert(alert, 0, fleet.board.book.codes))
    assert shown["text"].startswith("EXERCISE 演练 ")
    assert shown["text_zh"].startswith("EXERCISE 演练 ")
    state = json.loads(views.incident(fleet.board, played))
    assert state["exercise"] is True
    assert state["number"].startswith("EXERCISE ")


def test_an_sos_in_an_exercise_is_real() -> None:
    fleet = FleetUnderTest(UNITS, places={"a": HERE})
    play(fleet, "a", "b")
    fleet.entry("a", entries.StatusChange(Status.EMERGENCY, None))
    (sos,) = fleet.board.sos
    assert not fleet.board.incidents[sos].exercise
    assert sent(fleet, sos) == ["c"]


def test_what_a_unit_in_an_exercise_begins_itself_is_played() -> None:
    fleet = FleetUnderTest(UNITS, places={"a": HERE})
    play(fleet, "a")
    fleet.entry("a", entries.StatusChange(Status.BUSY, None))
    (incident,) = fleet.board.incidents.values()
    assert incident.exercise
    fleet.entry("a", entries.StatusChange(Status.AVAILABLE, None))
    reported(fleet, exercise=True)
    fleet.deliver("a")
    order = fleet.board.orders[fleet.board.units["a"].order or ""]
    fleet.answer(order, Answer.ACCEPT)
    assert order.holds_place
