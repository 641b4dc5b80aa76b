"""A vehicle used without a log-on: orders still show, its crew is unknown, the desk knows."""

from __future__ import annotations

from matcher.core import events as ev
from matcher.core.commands import Begin
from protocol.dispatch import Cancel
from protocol.dispatch import Order as OrderBody
from protocol.order import Answer, OrderState
from tests.matcher.fleet import FleetUnderTest


def unmanned() -> FleetUnderTest:
    """`b` has a vehicle with a terminal, and nobody has logged on there."""
    fleet = FleetUnderTest({"a": 10_000, "b": 20_000})
    units = tuple(ev.UnitSpec(unit, "car", 2, (), terminals=(f"t-{unit}",)) for unit in ("a", "b"))
    fleet.do(Begin(fleet.now_ms, "auto", units))
    fleet.take_off("b")
    return fleet


def test_a_person_sends_it_and_its_terminal_shows_it_without_a_log_on() -> None:
    fleet = unmanned()
    incident = fleet.report(priority=2)
    reply = fleet.request({"verb": "assign", "incident": incident.incident, "unit": "b"})
    assert reply.outcome == "done"
    order = fleet.board.orders[reply.order or ""]
    (body,) = [b for b in fleet.bodies_for("b") if isinstance(b, OrderBody)]
    assert (body.order, body.logon) == (order.order, None)
    assert "no_logon" in fleet.alert_kinds()
    fleet.deliver("b")
    fleet.answer(order, Answer.ACCEPT)
    assert order.state == OrderState.CONFIRMED
    fleet.request({"verb": "release", "incident": incident.incident, "unit": "b"})
    assert [b for b in fleet.bodies_for("b") if isinstance(b, Cancel)]


def test_no_rule_sends_it() -> None:
    fleet = unmanned()
    fleet.request({"verb": "hold", "unit": "a", "on": True})
    assert not fleet.orders(fleet.report(priority=1))


def test_logged_on_elsewhere_its_own_terminal_is_another_units() -> None:
    fleet = unmanned()
    assert fleet.board.reached_at("a") == dict(fleet.board.units["a"].terminals)
    fleet.board.terminals[next(iter(fleet.board.reached_at("b")))].unit = "a"
    assert fleet.board.reached_at("b") == {}
