"""A crew on scene that touches nothing is asked, then the desk is told; any touch begins anew."""

from __future__ import annotations

import pytest

from matcher.core.board import Alert, Incident, Order
from protocol import entry as entries
from protocol.dispatch import Message
from protocol.order import Answer, AnswerMeans
from protocol.words import Status
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 10_000, "b": 20_000}


def on_scene(fleet: FleetUnderTest) -> tuple[Incident, Order]:
    incident = fleet.report(priority=1)
    (order,) = fleet.orders(incident)
    for answer in (Answer.ACCEPT, Answer.ON_SCENE):
        fleet.deliver("a")
        fleet.answer(order, answer)
    fleet.deliver("a")
    return incident, order


def asked(fleet: FleetUnderTest) -> list[str]:
    """Checks that were sent to the crew."""
    return [message for message in fleet.board.messages if message.startswith("w-")]


def told(fleet: FleetUnderTest) -> list[Alert]:
    return [alert for alert in fleet.board.alerts.values() if alert.kind == "welfare_check"]


def test_after_ten_minutes_the_crew_is_asked_and_after_another_the_desk_told() -> None:
    fleet = FleetUnderTest(UNITS)
    _, order = on_scene(fleet)
    fleet.wait(599)
    assert not asked(fleet)
    fleet.wait(2)
    (message,) = asked(fleet)
    (body,) = [b for b in fleet.bodies_for("a") if isinstance(b, Message)]
    assert body.message == message
    assert "安全" in body.text
    assert "Welfare" in body.text
    fleet.wait(59)
    assert not told(fleet)
    fleet.wait(2)
    fleet.wait(3_600)
    (alert,) = told(fleet)
    assert (alert.unit, alert.order) == ("a", order.order)
    assert len(asked(fleet)) == 1


@pytest.mark.parametrize("why", ["weapon", "one officer"])
def test_with_a_weapon_or_alone_it_is_five_minutes(why: str) -> None:
    fleet = FleetUnderTest(UNITS, officers={"a": 1 if why == "one officer" else 2})
    incident, order = on_scene(fleet)
    if why == "weapon":
        hazards = {"verb": "update", "incident": incident.incident, "hazards": ["knife"]}
        fleet.request(dict(hazards))
        fleet.answer(order, Answer.READ)
    fleet.wait(299)
    assert not asked(fleet)
    fleet.wait(2)
    assert len(asked(fleet)) == 1


@pytest.mark.parametrize("touch", ["status", "read", "reply", "desk status"])
def test_any_touch_begins_anew(touch: str) -> None:
    fleet = FleetUnderTest(UNITS)
    _, order = on_scene(fleet)
    fleet.wait(601)
    (message,) = asked(fleet)
    match touch:
        case "status":
            fleet.entry("a", entries.StatusChange(Status.TRANSPORTING, None))
        case "read":
            fleet.answer(order, Answer.READ)
        case "reply":
            fleet.entry("a", entries.MessageAnswer(message, "all_safe"))
            assert "crew_reply" not in fleet.alert_kinds()
        case _:
            fleet.request({"verb": "status", "unit": "a", "status": "busy"})
    fleet.wait(599)
    assert not told(fleet)
    assert len(asked(fleet)) == 1
    fleet.wait(2)
    assert len(asked(fleet)) == 2


def test_what_the_terminal_does_by_itself_is_no_sign_of_life() -> None:
    fleet = FleetUnderTest(UNITS)
    _, order = on_scene(fleet)
    fleet.wait(300)
    answer = entries.OrderAnswer(
        order.order, 1, Answer.ON_SCENE, AnswerMeans.AUTOMATIC, None, None, None
    )
    fleet.entry("a", answer)
    fleet.deliver("a")
    fleet.wait(301)
    assert len(asked(fleet)) == 1


def test_an_answer_that_calls_for_help_is_the_desks_as_ever() -> None:
    fleet = FleetUnderTest(UNITS)
    on_scene(fleet)
    fleet.wait(601)
    fleet.entry("a", entries.MessageAnswer(asked(fleet)[0], "need_backup"))
    assert "crew_reply" in fleet.alert_kinds()


def test_a_person_at_the_desk_takes_care_and_it_begins_anew() -> None:
    fleet = FleetUnderTest(UNITS)
    on_scene(fleet)
    fleet.wait(601)
    fleet.wait(61)
    fleet.request({"verb": "acknowledge", "alert": told(fleet)[0].alert})
    fleet.wait(601)
    fleet.wait(61)
    assert len(asked(fleet)) == len(told(fleet)) == 2


def test_cleared_or_in_an_sos_nobody_is_asked() -> None:
    fleet = FleetUnderTest(UNITS)
    _, order = on_scene(fleet)
    fleet.entry("a", entries.StatusChange(Status.EMERGENCY, None))
    fleet.wait(3_600)
    assert not asked(fleet)
    fleet.answer(order, Answer.CLEAR)
    fleet.wait(3_600)
    assert not asked(fleet)


def test_a_crew_by_radio_is_asked_by_the_desk() -> None:
    fleet = FleetUnderTest(UNITS)
    fleet.entry("a", entries.Logoff(1, None))
    fleet.request({"verb": "logon", "unit": "a", "crew": ["4711", "4712"]})
    fleet.request({"verb": "hold", "unit": "b", "on": True})
    incident = fleet.report(priority=2)
    fleet.request({"verb": "assign", "incident": incident.incident, "unit": "a"})
    (order,) = fleet.orders(incident)
    for answer in ("accept", "on-scene"):
        fleet.by_voice(order, answer)
    fleet.wait(601)
    (alert,) = told(fleet)
    assert "by radio" in alert.text
