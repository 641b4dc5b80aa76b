"""One touch `busy`: an incident at the unit's place, the unit on it; `available` ends it."""

from __future__ import annotations

import pytest

from matcher.core.board import Incident, Order
from protocol import entry as entries
from protocol.order import AnswerMeans, OrderState
from protocol.words import Status
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 10_000, "b": 20_000}
HERE = entries.Here(245_130_000, 1_176_470_000, 50, 500)


def busy(fleet: FleetUnderTest, reason: str | None = None) -> None:
    fleet.entry("a", entries.StatusChange(Status.BUSY, reason))


def available(fleet: FleetUnderTest, reason: str | None = None) -> None:
    fleet.entry("a", entries.StatusChange(Status.AVAILABLE, reason))


def begun(reason: str | None = None) -> tuple[FleetUnderTest, Incident, Order]:
    fleet = FleetUnderTest(UNITS, places={"a": HERE})
    busy(fleet, reason)
    (incident,) = fleet.board.incidents.values()
    (order,) = fleet.orders(incident)
    return fleet, incident, order


@pytest.mark.parametrize(
    ("reason", "kind"), [(None, "self_initiated"), ("traffic_stop", "traffic_stop")]
)
def test_it_is_on_scene_at_once_by_a_touch(reason: str | None, kind: str) -> None:
    fleet, incident, order = begun(reason)
    assert (incident.kind, incident.priority, incident.state) == (kind, 3, "on_scene")
    assert incident.place.lat_e7 == HERE.lat_e7
    assert (order.state, order.issuer) == (OrderState.ON_SCENE, "unit:a")
    assert order.means[OrderState.ON_SCENE] == AnswerMeans.TOUCH
    assert fleet.board.units["a"].status == Status.BUSY
    assert fleet.bodies_for("a") == [], "its terminal shows its status, no order"


def test_busy_again_is_the_same() -> None:
    fleet, _, _ = begun()
    busy(fleet)
    busy(fleet, "traffic_stop")
    assert len(fleet.board.incidents) == 1


def test_available_ends_both_with_its_disposition() -> None:
    fleet, incident, order = begun()
    available(fleet, "warned")
    assert (incident.state, incident.disposition) == ("cleared", "warned")
    assert order.state == OrderState.CLEARED
    unit = fleet.board.units["a"]
    assert (unit.status, unit.order) == (Status.AVAILABLE, None)


@pytest.mark.parametrize("reason", ["meal", "report"])
def test_a_reason_that_is_no_incident_opens_none(reason: str) -> None:
    fleet = FleetUnderTest(UNITS, places={"a": HERE})
    busy(fleet, reason)
    assert fleet.board.incidents == {}
    assert fleet.board.units["a"].status == Status.BUSY


@pytest.mark.parametrize("here", [None, entries.Here(1, 1, None, 300_001)], ids=["none", "old"])
def test_without_a_place_it_is_a_status_only(here: entries.Here | None) -> None:
    fleet = FleetUnderTest(UNITS, places={"a": here} if here else {})
    busy(fleet)
    assert fleet.board.incidents == {}
    assert fleet.board.units["a"].status == Status.BUSY


def test_with_an_order_in_hand_busy_is_a_status_only() -> None:
    fleet = FleetUnderTest(UNITS, places={"a": HERE})
    fleet.report(priority=3)
    busy(fleet)
    assert len(fleet.board.incidents) == 1


def test_it_leaves_for_what_is_urgent_and_the_desk_hears_what_is_left() -> None:
    fleet, own, order = begun()
    other = fleet.report(priority=2)
    assert [o.unit for o in fleet.orders(other)] == ["a"]
    assert order.state == OrderState.SUPERSEDED
    assert own.incident in fleet.board.open_ids
    assert (own.state, own.stopped) == ("pending", True)
    assert own.waits == "left by a"
    assert "self_initiated_left" in fleet.alert_kinds()
    fleet.wait(60)
    assert [o for o in fleet.orders(own) if o.is_open] == [], "no rule sends another there"


def test_it_stays_for_what_is_not_urgent() -> None:
    fleet, _, order = begun()
    other = fleet.report(priority=3)
    assert [o.unit for o in fleet.orders(other)] == ["b"]
    assert order.is_open


def test_a_person_sends_it_elsewhere_at_once() -> None:
    fleet, own, _ = begun()
    fleet.request({"verb": "hold", "unit": "b", "on": True})
    other = fleet.report(priority=4)
    sent = fleet.request({"verb": "assign", "incident": other.incident, "unit": "a"})
    assert sent.outcome == "done"
    assert own.waits == "left by a"


def test_a_crew_alone_at_its_own_incident_is_watched() -> None:
    fleet = FleetUnderTest(UNITS, officers={"a": 1}, places={"a": HERE})
    busy(fleet)
    fleet.wait(301)
    assert [m for m in fleet.board.messages if m.startswith("w-")]


def test_an_sos_at_its_own_incident_sends_help_there_and_nobody_else() -> None:
    fleet, own, order = begun()
    fleet.entry("a", entries.StatusChange(Status.EMERGENCY, None))
    assert order.is_open
    assert [o.unit for o in fleet.orders(own)] == ["a"]
    (sos,) = fleet.board.sos
    assert [o.unit for o in fleet.board.orders_of(fleet.board.incidents[sos])] == ["b"]
