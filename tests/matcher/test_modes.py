"""Who sends: a person, the rule unless stopped, or the rule; and what waits for whom."""

from __future__ import annotations

import pytest

from matcher.core.modes import mode_of
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 30_000, "b": 20_000, "c": 40_000, "d": 50_000}


def set_mode(fleet: FleetUnderTest, priority: int, mode: str, veto_s: int = 10) -> None:
    asked = {"verb": "mode", "priority": priority, "mode": mode, "veto_s": veto_s}
    assert fleet.request(asked).outcome == "done"


def test_by_default_priority_1_goes_by_rule_and_the_others_wait_for_a_person() -> None:
    fleet = FleetUnderTest(UNITS, mode="by_priority")
    assert [mode_of(fleet.board, p)[0] for p in (0, 1, 2, 3, 4)] == ["auto"] * 2 + ["recommend"] * 3
    assert fleet.orders(fleet.report(priority=1))
    assert not fleet.orders(fleet.report(priority=2))


def test_a_recommendation_names_the_best_three_and_is_told_louder_after_30_s() -> None:
    fleet = FleetUnderTest(UNITS, mode="recommend")
    incident = fleet.report(priority=2)
    assert [(c.unit, c.eta_ms) for c in incident.recommended] == [
        ("b", 20_000), ("a", 30_000), ("c", 40_000),
    ]  # fmt: skip
    assert incident.waits == "waits for a dispatcher"
    fleet.wait(29)
    assert "recommendation_untouched" not in fleet.alert_kinds()
    fleet.wait(1)
    fleet.wait(60)
    assert fleet.alert_kinds().count("recommendation_untouched") == 1


def test_auto_veto_sends_after_its_seconds_unless_a_person_stops_it() -> None:
    fleet = FleetUnderTest(UNITS, mode="recommend")
    set_mode(fleet, 2, "auto_veto", 15)
    sent, stopped = fleet.report(priority=2), fleet.report(priority=2)
    assert sent.due_ms == fleet.now_ms + 15_000
    fleet.request({"verb": "hold", "incident": stopped.incident, "on": True})
    fleet.wait(14.9)
    assert not fleet.orders(sent)
    fleet.wait(0.1)
    (order,) = fleet.orders(sent)
    assert (order.unit, order.issuer) == ("b", "rule:auto-veto")
    assert not fleet.orders(stopped)
    assert stopped.waits == "waits for a dispatcher"
    fleet.request({"verb": "hold", "incident": stopped.incident, "on": False})
    fleet.wait(16)
    assert [o.unit for o in fleet.orders(stopped)] == ["a"]


def test_a_change_of_mode_reaches_what_waits_and_outlives_a_restart() -> None:
    fleet = FleetUnderTest(UNITS, mode="recommend")
    incident = fleet.report(priority=3)
    set_mode(fleet, 3, "auto")
    fleet.wait(0.25)
    assert [o.unit for o in fleet.orders(incident)] == ["b"]
    fleet.restart()
    assert mode_of(fleet.board, 3) == ("auto", 10)


def test_an_override_is_never_blocked_and_keeps_its_reason() -> None:
    fleet = FleetUnderTest(UNITS, mode="auto")
    incident = fleet.report(priority=2)
    reply = fleet.request(
        {"verb": "assign", "incident": incident.incident, "unit": "d", "reason": "local_knowledge"}
    )
    assert reply.outcome == "done"
    decided = [e for e in fleet.events if type(e).__name__ == "Decided"][-1]
    assert (decided.rule, decided.reason) == ("chosen-by-person", "local_knowledge")  # type: ignore[union-attr]


def test_a_person_sends_one_of_two_and_the_rest_is_recommended_anew() -> None:
    fleet = FleetUnderTest(UNITS, mode="recommend")
    incident = fleet.report(priority=2, units=2)
    fleet.request({"verb": "assign", "incident": incident.incident, "unit": "b"})
    assert [c.unit for c in incident.recommended] == ["a", "c", "d"]
    fleet.request({"verb": "assign", "incident": incident.incident, "unit": "a"})
    fleet.wait(0.25)
    assert incident.waits is None


@pytest.mark.parametrize(
    ("capable", "sent"),
    [("a", ["b", "a"]), ("d", ["b", "d"]), ("b", ["b", "a"])],
    ids=["second", "farthest", "nearest"],
)
def test_a_capability_of_the_plan_is_aboard_with_the_least_loss(
    capable: str, sent: list[str]
) -> None:
    fleet = FleetUnderTest(UNITS, capabilities={capable: ("taser",)})
    incident = fleet.report(priority=1, units=2, capabilities=["taser"])
    assert [o.unit for o in fleet.orders(incident)] == sent


def test_a_capability_that_nobody_has_is_an_alert_and_the_others_go() -> None:
    fleet = FleetUnderTest(UNITS)
    incident = fleet.report(priority=1, units=2, capabilities=["negotiator"])
    assert [o.unit for o in fleet.orders(incident)] == ["b", "a"]
    assert incident.waits == "no unit with negotiator"
    assert "short_of_plan" in fleet.alert_kinds()
