"""An order is heard by the neighbours: who hears, what a take gets, and what all of them see."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from matcher.core.board import Order
from protocol.dispatch import Confirm, ConfirmState
from protocol.order import Answer, OrderState
from tests.matcher.fleet import FleetUnderTest

FIVE = {"618": 41_000, "621": 24_000, "624": 20_000, "625": 50_000, "627": 60_000}


def alerted(fleet: FleetUnderTest, **plan: int) -> dict[str, Order]:
    """An incident whose neighbours hear it; its orders by unit."""
    incident = fleet.report(priority=1, alert=True, **plan)
    return {order.unit: order for order in fleet.orders(incident)}


def confirms(fleet: FleetUnderTest, unit: str) -> list[int]:
    return [b.state for b in fleet.bodies_for(unit) if isinstance(b, Confirm)]


def test_the_nearest_is_ordered_and_those_nearby_hear_it_in_the_same_transaction() -> None:
    fleet = FleetUnderTest(FIVE | {"640": 400_000})
    orders = alerted(fleet)
    kinds = {unit: order.kind for unit, order in orders.items()}
    assert kinds == {"624": "assign"} | dict.fromkeys(("618", "621", "625", "627"), "alert")
    assert {order.issued_ms for order in orders.values()} == {fleet.now_ms}
    assert all(fleet.board.units[u].order is None for u in ("618", "621", "625", "627"))


def test_without_the_plans_word_nobody_hears() -> None:
    fleet = FleetUnderTest(FIVE)
    assert len(fleet.orders(fleet.report(priority=1))) == 1


def test_a_take_fills_a_place_that_nobody_is_asked_for() -> None:
    """A plan of two, of whom one unit alone could be ordered: the hearer makes the second."""
    fleet = FleetUnderTest(FIVE)
    fleet.request({"verb": "hold", "unit": "618", "on": False})
    orders = alerted(fleet, units=1)
    fleet.request({"verb": "hold", "incident": orders["624"].incident, "on": True})
    fleet.request({"verb": "add", "incident": orders["624"].incident, "units": 1})
    fleet.deliver("621")
    fleet.answer(orders["621"], Answer.ACCEPT)
    took = orders["621"]
    assert (took.kind, took.slot, took.state, took.attached) == ("backup", 2, "confirmed", False)
    assert confirms(fleet, "621") == [ConfirmState.HELD]
    assert fleet.board.units["621"].order == took.order


def test_a_take_beyond_the_plan_is_attached_and_moves_no_place() -> None:
    fleet = FleetUnderTest(FIVE)
    orders = alerted(fleet)
    fleet.deliver("624")
    fleet.answer(orders["624"], Answer.ACCEPT)
    fleet.deliver("621")
    fleet.answer(orders["621"], Answer.ACCEPT)
    assert orders["621"].attached
    assert not orders["621"].holds_place
    assert confirms(fleet, "621") == [ConfirmState.ATTACHED]
    fleet.answer(orders["621"], Answer.ON_SCENE)
    assert fleet.board.incidents[orders["621"].incident].state == "on_scene"


@pytest.mark.parametrize("turn", list(permutations(("618", "621", "625"))), ids="-".join)
def test_takes_of_one_moment_end_the_same_for_the_board_and_every_crew(
    turn: tuple[str, ...],
) -> None:
    """Three at once for one free place: first in the journal has it, the others are with them."""
    fleet = FleetUnderTest(FIVE)
    orders = alerted(fleet)
    incident = fleet.board.incidents[orders["624"].incident]
    fleet.request({"verb": "hold", "incident": incident.incident, "on": True})
    fleet.request({"verb": "add", "incident": incident.incident, "units": 1})
    for unit in turn:
        fleet.deliver(unit)
    for unit in turn:
        fleet.answer(orders[unit], Answer.ACCEPT)
    assert [orders[u].attached for u in turn] == [False, True, True]
    held = [o.slot for o in fleet.orders(incident) if o.holds_place]
    assert len(held) == len(set(held)) == 1
    assert [confirms(fleet, u)[-1] for u in turn] == [
        ConfirmState.HELD, ConfirmState.ATTACHED, ConfirmState.ATTACHED,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_five_takes_for_two_places_end_the_same_on_all_five(seed: int) -> None:
    """In whatever order they reach the journal: two hold, three are with them, each is told so."""
    units = {f"6{n:02d}": 10_000 + 1_000 * n for n in range(6)}
    fleet = FleetUnderTest(units)
    orders = alerted(fleet)
    asked = next(unit for unit, order in orders.items() if order.kind == "assign")
    incident = fleet.board.incidents[orders[asked].incident]
    fleet.request({"verb": "hold", "incident": incident.incident, "on": True})
    fleet.request({"verb": "add", "incident": incident.incident, "units": 2})
    takers = sorted(unit for unit, order in orders.items() if order.kind == "alert")
    assert len(takers) == 5
    random.Random(seed).shuffle(takers)
    for unit in takers:
        fleet.deliver(unit)
    for unit in takers:
        fleet.answer(orders[unit], Answer.ACCEPT)
    assert [orders[u].attached for u in takers] == [False, False, True, True, True]
    assert [confirms(fleet, u)[-1] for u in takers] == [ConfirmState.HELD] * 2 + [
        ConfirmState.ATTACHED
    ] * 3
    held = sorted(o.slot for o in fleet.orders(incident) if o.holds_place)
    assert held == [2, 3]


def test_a_decline_of_an_alert_or_its_silence_counts_against_nobody() -> None:
    fleet = FleetUnderTest(FIVE)
    orders = alerted(fleet)
    fleet.deliver("621")
    fleet.answer(orders["621"], Answer.DECLINE)
    fleet.wait(601)
    assert orders["625"].state == OrderState.EXPIRED
    assert fleet.board.incidents[orders["624"].incident].passed == set()


def test_when_it_is_over_nobody_hears_it_any_more() -> None:
    fleet = FleetUnderTest(FIVE)
    orders = alerted(fleet)
    fleet.request({"verb": "cancel", "incident": orders["624"].incident})
    assert {order.state for order in orders.values()} == {OrderState.CANCELLED}
    fleet.deliver("621")
    fleet.answer(orders["621"], Answer.ACCEPT)
    assert confirms(fleet, "621") == [ConfirmState.CANCELLED]


def test_who_has_another_order_by_then_takes_nothing() -> None:
    fleet = FleetUnderTest(FIVE)
    orders = alerted(fleet)
    second = fleet.report(priority=2)
    (other,) = fleet.orders(second)
    assert other.unit == "621"
    fleet.deliver("621")
    fleet.answer(orders["621"], Answer.ACCEPT)
    assert orders["621"].state == OrderState.DELIVERED
    assert confirms(fleet, "621") == [ConfirmState.TOO_LATE]
