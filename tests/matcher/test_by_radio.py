"""When terminals or the broker are gone: units by radio, incidents by voice, one story after."""

from __future__ import annotations

from matcher.core.board import Order
from matcher.core.estimate import estimate
from matcher.core.positions import PositionBook
from protocol.dispatch import Answered
from protocol.dispatch import Order as OrderBody
from protocol.order import Answer, OrderState
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 10_000, "b": 20_000, "c": 30_000}
HERE = {"lat": 24.52, "lon": 117.65, "source": "radio"}


def test_a_unit_by_radio_is_named_to_a_person_and_never_sent_by_rule() -> None:
    fleet = FleetUnderTest(UNITS, bands={"a": "radio_only"})
    (order,) = fleet.orders(fleet.report(priority=1))
    assert order.unit == "b"
    decided = next(e for e in fleet.events if type(e).__name__ == "Decided")
    assert decided.left_out[0].reason == "by radio only: a person sends it"  # type: ignore[union-attr]


def test_its_place_is_what_the_desk_heard_and_ages() -> None:
    fleet = FleetUnderTest(UNITS)
    fleet.take_off("c")
    fleet.request({"verb": "logon", "unit": "c", "crew": ["4711"]})
    fleet.request({"verb": "status", "unit": "c", "status": "available", "place": HERE})
    found = estimate(fleet.board, PositionBook(), fleet.now_ms + 60_000, "i", 24.52, 117.65)
    (one,) = found.candidates
    assert (one.unit, one.band, one.age_ms, one.distance_m) == ("c", "radio_only", 60_000, 0)


def test_sent_by_a_person_it_is_called_at_once() -> None:
    fleet = FleetUnderTest(UNITS)
    fleet.take_off("c")
    fleet.request({"verb": "logon", "unit": "c", "crew": ["4711"]})
    incident = fleet.report(priority=1)
    reply = fleet.request({"verb": "assign", "incident": incident.incident, "unit": "c"})
    assert reply.outcome == "done"
    assert "call_by_radio" in fleet.alert_kinds()
    assert fleet.board.orders[reply.order or ""].by_radio


def by_voice(fleet: FleetUnderTest, begun_ms: int) -> Order:
    """What ran by voice while nothing else did, entered a quarter of an hour later."""
    reply = fleet.request(
        {"verb": "report", "kind": "fight", "priority": 1, "by_radio": True, "at_ms": begun_ms,
         "place": {"lat": 24.513, "lon": 117.647}}
    )  # fmt: skip
    incident = reply.incident or ""
    sent = fleet.request({"verb": "assign", "incident": incident, "unit": "a", "by_radio": True})
    order = fleet.board.orders[sent.order or ""]
    for late_s, said in ((20, "accept"), (60, "en-route"), (200, "on-scene"), (700, "clear")):
        more = {"disposition": "handled"} if said == "clear" else {}
        at_ms = begun_ms + late_s * 1000
        assert fleet.by_voice(order, said, at_ms=at_ms, **more).outcome == "done"
    return order


def test_an_incident_run_by_voice_keeps_its_own_times_and_is_shown_to_nobody_again() -> None:
    fleet = FleetUnderTest(UNITS)
    begun_ms = fleet.now_ms
    fleet.wait(900)
    order = by_voice(fleet, begun_ms)
    incident = fleet.board.incidents[order.incident]
    assert incident.reported_ms == begun_ms
    assert order.times_ms[OrderState.ON_SCENE] == begun_ms + 200_000
    assert (incident.state, incident.disposition) == ("cleared", "handled")
    assert not [b for b in fleet.bodies_for("a") if isinstance(b, OrderBody | Answered)]
    assert not {"call_by_radio", "no_answer"} & set(fleet.alert_kinds())


def test_a_time_cannot_be_before_the_report_nor_ahead_of_now() -> None:
    fleet = FleetUnderTest(UNITS)
    (order,) = fleet.orders(fleet.report(priority=1))
    fleet.by_voice(order, "accept", at_ms=order.issued_ms - 60_000)
    assert order.times_ms[OrderState.ACCEPTED] == order.issued_ms
    fleet.by_voice(order, "en-route", at_ms=fleet.now_ms + 60_000)
    assert order.times_ms[OrderState.EN_ROUTE] == fleet.now_ms


def test_a_touch_that_comes_after_the_desks_entry_is_history_told_to_both() -> None:
    fleet = FleetUnderTest(UNITS)
    (order,) = fleet.orders(fleet.report(priority=1))
    fleet.deliver("a")
    fleet.answer(order, Answer.ACCEPT)
    fleet.by_voice(order, "on-scene")
    fleet.deliver("a")
    fleet.answer(order, Answer.EN_ROUTE)
    assert order.state == OrderState.ON_SCENE
    assert "late_touch" in fleet.alert_kinds()
    (told,) = [b for b in fleet.bodies_for("a") if isinstance(b, Answered)]
    assert (told.device, told.answer, told.counts) == ("desk", Answer.ON_SCENE, True)


# --- preemption -----------------------------------------------------------------------------------


def busy_fleet(priority: int) -> FleetUnderTest:
    """Both units on an incident of `priority`, one en route, one on scene."""
    fleet = FleetUnderTest({"a": 10_000, "b": 20_000})
    for step in (Answer.EN_ROUTE, Answer.ON_SCENE):
        (order,) = fleet.orders(fleet.report(priority=priority))
        fleet.deliver(order.unit)
        fleet.answer(order, Answer.ACCEPT)
        fleet.answer(order, step)
    return fleet


def test_for_a_graver_incident_a_person_is_asked_to_take_a_unit_off_a_lesser_one() -> None:
    fleet = busy_fleet(3)
    incident = fleet.report(priority=1)
    assert not fleet.orders(incident)
    (alert,) = [a for a in fleet.board.alerts.values() if a.kind == "preempt_proposed"]
    assert alert.unit == "a"
    assert f"reassign {incident.incident} a" in alert.text


def test_never_from_priority_1_and_never_for_an_equal_one() -> None:
    for first, second in ((1, 1), (2, 2), (3, 4)):
        fleet = busy_fleet(first)
        fleet.report(priority=second)
        assert "preempt_proposed" not in fleet.alert_kinds(), (first, second)
