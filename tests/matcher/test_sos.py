"""An SOS: one incident of several sources, help at once, and nobody but the desk ends it."""

from __future__ import annotations

import pytest

from matcher.core.board import Alert, Incident, Order
from protocol import entry as entries
from protocol.dispatch import Message, Revision
from protocol.dispatch import Order as OrderBody
from protocol.order import Answer, OrderKind, OrderState
from protocol.words import Status
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 90_000, "b": 10_000, "c": 20_000, "d": 170_000, "e": 190_000}
HERE = entries.Here(245_130_000, 1_176_470_000, 50, 500)
M_E7 = 90  # 1e-7 degrees of latitude are 1.11 cm: about a metre


def near(metres: int) -> entries.Here:
    """That far north of HERE."""
    return entries.Here(HERE.lat_e7 + metres * M_E7, HERE.lon_e7, 50, 500)


def press(
    fleet: FleetUnderTest, terminal: str = "a", event: int = 1, here: entries.Here | None = HERE,
    device: str = "body-1", **detail: object,
) -> None:  # fmt: skip
    fleet.entry(
        terminal,
        entries.DeviceEvent(
            device, "recorder", 9, event, "sos", None, tuple(detail.items()), here, None
        ),
    )


def emergency(fleet: FleetUnderTest, unit: str = "a", reason: str | None = None) -> None:
    fleet.entry(unit, entries.StatusChange(Status.EMERGENCY, reason))


def calls(fleet: FleetUnderTest) -> list[Incident]:
    return [fleet.board.incidents[sos] for sos in fleet.board.sos]


def call(fleet: FleetUnderTest) -> Incident:
    (found,) = calls(fleet)
    return found


def alerts(fleet: FleetUnderTest, kind: str) -> list[Alert]:
    return [alert for alert in fleet.board.alerts.values() if alert.kind == kind]


def acknowledge(fleet: FleetUnderTest, kind: str = "sos") -> None:
    (alert,) = alerts(fleet, kind)
    assert fleet.request({"verb": "acknowledge", "alert": alert.alert}).outcome == "done"


def close(fleet: FleetUnderTest, incident: Incident) -> None:
    asked = {"verb": "close", "incident": incident.incident, "disposition": "false_alarm"}
    assert fleet.request(dict(asked)).outcome == "done"


def held(fleet: FleetUnderTest, unit: str, incident: Incident) -> Order:
    (order,) = [o for o in fleet.orders(incident) if o.unit == unit]
    fleet.deliver(unit)
    fleet.answer(order, Answer.ACCEPT)
    fleet.deliver(unit)
    return order


# --- help at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["recommend", "auto_veto", "auto"])
def test_the_nearest_two_go_at_once_whatever_the_mode(mode: str) -> None:
    fleet = FleetUnderTest(UNITS, mode=mode)
    press(fleet)
    incident = call(fleet)
    assert (incident.priority, incident.kind) == (0, "sos")
    assert incident.place.lat_e7 == HERE.lat_e7
    assert [(o.unit, o.kind) for o in fleet.orders(incident)] == [
        ("b", OrderKind.ASSIGN), ("c", OrderKind.BACKUP),
    ]  # fmt: skip
    assert all(o.issuer == "rule:auto" for o in fleet.orders(incident))
    assert fleet.board.units["a"].status == Status.EMERGENCY
    (told,) = alerts(fleet, "sos")
    assert (told.unit, told.incident) == ("a", incident.incident)


def test_who_carries_no_officer_does_not_count() -> None:
    fleet = FleetUnderTest(UNITS, kinds={"b": "drone"}, officers={"c": 1, "a": 1})
    press(fleet)
    assert [o.unit for o in fleet.orders(call(fleet))] == ["c", "d"]


def test_without_a_position_the_desk_finds_the_place_and_help_goes() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet, here=None)
    incident = call(fleet)
    assert fleet.orders(incident) == []
    assert "place unknown" in (incident.waits or "")
    fleet.wait(11)
    assert alerts(fleet, "sos_unacknowledged")
    found: dict[str, object] = {"place": {"lat": 24.5, "lon": 117.6}}
    fleet.request({"verb": "update", "incident": incident.incident, **found})
    assert [o.unit for o in fleet.orders(incident)] == ["b", "c"]


def test_without_a_fix_of_its_own_the_newest_position_counts() -> None:
    fleet = FleetUnderTest(UNITS, places={"a": near(40)})
    press(fleet, here=None)
    assert call(fleet).place.lat_e7 == near(40).lat_e7


# --- one of several sources -----------------------------------------------------------------------


def test_recorder_board_and_screen_of_one_unit_are_one_sos() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    press(fleet)  # said again: the same event
    assert not alerts(fleet, "sos_again")
    press(fleet, device="board-1", event=4)
    emergency(fleet)
    fleet.wait(400)
    press(fleet, event=2)
    assert len(calls(fleet)) == len(alerts(fleet, "sos")) == 1
    assert len(fleet.board.sos[call(fleet).incident].sources) == 4


@pytest.mark.parametrize(
    ("metres", "seconds", "incidents"),
    [(0, 0, 1), (190, 59, 1), (215, 59, 2), (190, 61, 2), (0, 61, 2)],
    ids=["same", "near and soon", "too far", "too late", "same place later"],
)
def test_two_crews_are_one_sos_within_60_s_and_200_m(
    metres: int, seconds: int, incidents: int
) -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet, "d")
    fleet.wait(seconds)
    press(fleet, "e", here=near(metres))
    assert len(calls(fleet)) == incidents
    assert {fleet.board.units[u].status for u in "de"} == {Status.EMERGENCY}


def test_who_helps_and_calls_too_is_in_danger_and_replaced() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    incident = call(fleet)
    held(fleet, "b", incident)
    press(fleet, "b", here=near(20))
    assert call(fleet).incident == incident.incident
    assert fleet.board.sos[incident.incident].units == ["a", "b"]
    assert [o.unit for o in fleet.orders(incident) if not o.attached] == ["c", "d"]


def test_the_place_goes_with_who_calls() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    incident = call(fleet)
    press(fleet, event=2, here=near(90))
    assert incident.place.lat_e7 == HERE.lat_e7
    press(fleet, event=3, here=near(120))
    assert incident.place.lat_e7 == near(120).lat_e7
    revised = [b for b in fleet.bodies_for("b") if isinstance(b, OrderBody)][-1]
    assert (revised.revision_class, revised.place.lat_e7) == (Revision.PLACE, near(120).lat_e7)


def test_pressed_again_after_it_was_closed_it_is_another() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    close(fleet, call(fleet))
    press(fleet)  # the old press, out of another logbook
    assert len(calls(fleet)) == 1
    press(fleet, event=2)
    assert len(calls(fleet)) == 2


# --- the crew's own order -------------------------------------------------------------------------


@pytest.mark.parametrize("priority", [1, 3])
def test_its_own_order_stays_and_its_incident_gets_another_unit(priority: int) -> None:
    fleet = FleetUnderTest({**UNITS, "a": 5_000})
    own = fleet.report(priority=priority)
    order = held(fleet, "a", own)
    press(fleet)
    assert (order.state, order.attached) == (OrderState.CONFIRMED, True)
    assert [o.unit for o in fleet.orders(call(fleet))] == ["b", "c"]
    assert [o.unit for o in fleet.orders(own)] == ["a", "d"]
    held(fleet, "d", own)
    assert [o.unit for o in fleet.orders(own) if o.holds_place] == ["d"]
    assert order.is_open
    fleet.answer(order, Answer.ON_SCENE)
    assert fleet.board.units["a"].status == Status.EMERGENCY


# --- acknowledged, or not -------------------------------------------------------------------------


def test_unacknowledged_all_desks_after_10_s_and_the_near_after_20_s() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    for unit in ("b", "c"):
        held(fleet, unit, call(fleet))
    fleet.wait(9.9)
    assert not alerts(fleet, "sos_unacknowledged")
    fleet.wait(0.2)
    assert len(alerts(fleet, "sos_unacknowledged")) == 1
    fleet.wait(9.7)
    heard = [o.unit for o in fleet.orders(call(fleet)) if o.kind == OrderKind.ALERT]
    assert heard == []
    fleet.wait(0.3)
    fleet.wait(30)
    heard = [o.unit for o in fleet.orders(call(fleet)) if o.kind == OrderKind.ALERT]
    assert heard == ["d"], "e needs more than three minutes"
    assert len(alerts(fleet, "sos_unacknowledged")) == 1


def test_acknowledged_by_a_person_it_is_not_told_further_and_the_crew_knows() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    for unit in ("b", "c"):
        held(fleet, unit, call(fleet))
    fleet.wait(11)
    acknowledge(fleet)
    sos = fleet.board.sos[call(fleet).incident]
    assert sos.acknowledged_by == "person 7"
    assert alerts(fleet, "sos_unacknowledged")[0].acknowledged_by == "person 7"
    fleet.wait(20)
    assert not [o for o in fleet.orders(call(fleet)) if o.kind == OrderKind.ALERT]
    (body,) = [b for b in fleet.bodies_for("a") if isinstance(b, Message)]
    assert "person 7" in body.text


@pytest.mark.parametrize("way", ["device", "status"])
def test_a_silent_sos_says_nothing_where_it_was_raised(way: str) -> None:
    fleet = FleetUnderTest(UNITS, places={"a": HERE})
    if way == "device":
        press(fleet, silent=True)
    else:
        emergency(fleet, reason="silent")
    assert fleet.board.sos[call(fleet).incident].silent
    assert "SILENT" in alerts(fleet, "sos")[0].text
    acknowledge(fleet)
    assert fleet.bodies_for("a") == []
    assert len(fleet.orders(call(fleet))) == 2


# --- its end --------------------------------------------------------------------------------------


def test_the_crew_may_say_false_alarm_and_only_the_desk_closes() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    incident = call(fleet)
    fleet.entry("a", entries.StatusChange(Status.AVAILABLE, "false_alarm"))
    assert fleet.board.sos[incident.incident].false_alarm_by == "a"
    assert fleet.board.units["a"].status == Status.EMERGENCY
    assert alerts(fleet, "sos_false_alarm")
    (first, later) = [b for b in fleet.bodies_for("b") if isinstance(b, OrderBody)]
    assert later.revision_class == Revision.NOTE
    assert "误报" in later.notes
    assert "误报" not in first.notes
    assert {o.state for o in fleet.orders(incident)} == {OrderState.ISSUED}
    close(fleet, incident)
    assert (incident.state, incident.disposition) == ("cleared", "false_alarm")
    assert fleet.board.units["a"].status == Status.AVAILABLE
    assert {o.state for o in fleet.orders(incident)} == {OrderState.CANCELLED}


def test_another_status_is_told_and_changes_nothing() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    fleet.entry("a", entries.StatusChange(Status.AVAILABLE, None))
    assert fleet.board.sos[call(fleet).incident].false_alarm_by is None
    assert fleet.board.units["a"].status == Status.EMERGENCY
    assert alerts(fleet, "sos_crew_says")


def test_who_calls_again_after_false_alarm_means_it() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    fleet.entry("a", entries.StatusChange(Status.AVAILABLE, "false_alarm"))
    press(fleet, event=2)
    assert fleet.board.sos[call(fleet).incident].false_alarm_by is None


def test_it_stays_open_when_the_helpers_have_cleared() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    incident = call(fleet)
    for unit in ("b", "c"):
        order = held(fleet, unit, incident)
        fleet.answer(order, Answer.ON_SCENE)
        fleet.answer(order, Answer.CLEAR, "handled")
    assert incident.incident in fleet.board.open_ids
    assert alerts(fleet, "sos_open")
    close(fleet, incident)


def test_reopened_its_crew_is_in_danger_again() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    incident = call(fleet)
    close(fleet, incident)
    fleet.request({"verb": "reopen", "incident": incident.incident})
    assert fleet.board.units["a"].status == Status.EMERGENCY
    assert len([o for o in fleet.orders(incident) if o.is_open]) == 2


def test_who_logs_off_in_danger_stays_in_danger() -> None:
    fleet = FleetUnderTest(UNITS)
    press(fleet)
    fleet.entry("a", entries.Logoff(1, None))
    assert fleet.board.units["a"].status == Status.EMERGENCY
    close(fleet, call(fleet))
    assert fleet.board.units["a"].status == Status.OFF_DUTY


def test_the_desk_neither_cancels_nor_joins_nor_lowers_it() -> None:
    fleet = FleetUnderTest(UNITS)
    other = fleet.report()
    press(fleet)
    name = call(fleet).incident
    for asked in (
        {"verb": "cancel", "incident": name},
        {"verb": "merge", "incident": name, "into": other.incident},
        {"verb": "update", "incident": name, "priority": 3},
    ):
        assert fleet.request(dict(asked)).reason == "sos"
    joined = {"verb": "merge", "incident": other.incident, "into": name}
    assert fleet.request(dict(joined)).outcome == "done"


# --- the technician's test ------------------------------------------------------------------------


def permit(fleet: FleetUnderTest, minutes: int = 10) -> None:
    asked = {"verb": "sos-test", "terminal": "t-a", "minutes": minutes}
    assert fleet.request(dict(asked)).outcome == "done"


def test_under_a_permit_it_is_told_as_a_test_and_sends_nobody() -> None:
    fleet = FleetUnderTest(UNITS)
    permit(fleet)
    press(fleet)
    press(fleet)
    emergency(fleet)
    assert fleet.board.incidents == {}
    assert fleet.board.units["a"].status == Status.AVAILABLE
    assert len(alerts(fleet, "sos_test")) == 2
    assert not alerts(fleet, "sos")


def test_after_the_permit_or_at_another_terminal_it_is_real() -> None:
    fleet = FleetUnderTest(UNITS)
    permit(fleet, minutes=1)
    press(fleet, "b")
    assert len(calls(fleet)) == 1
    fleet.wait(61)
    press(fleet, "a", here=near(2_000))
    assert len(calls(fleet)) == 2


@pytest.mark.parametrize(("before_ms", "trust"), [(60_000, 3), (0, 1)], ids=["before", "undated"])
def test_what_may_have_been_pressed_before_the_permit_is_real(before_ms: int, trust: int) -> None:
    """A car comes back into coverage while the technician tests it."""
    fleet = FleetUnderTest(UNITS)
    permit(fleet)
    body = entries.DeviceEvent("body-1", "recorder", 9, 1, "sos", None, (), HERE, None)
    fleet.entry_dated("a", body, fleet.now_ms - before_ms, trust)
    assert len(calls(fleet)) == 1


def test_a_permit_is_for_a_terminal_that_there_is() -> None:
    fleet = FleetUnderTest(UNITS)
    refused = fleet.request({"verb": "sos-test", "terminal": "t-x"})
    assert refused.reason == "unknown_terminal"
