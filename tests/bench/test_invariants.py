"""The checks of the chaos run find what they are for: each broken journal is named."""

from __future__ import annotations

from pathlib import Path

from bench import invariants
from bench.invariants import Journal, OrderLife
from matcher.core import events as ev
from protocol.dispatch import Place
from protocol.order import OrderState, OrderStep


def journal(*events: ev.Event) -> Journal:
    made = Journal(Path("none"))
    for event in events:
        made.take(event)
    return made


def opened(incident: str) -> ev.Event:
    place = Place(245_130_000, 1_176_470_000, "wgs84", "caller", None, "")
    return ev.IncidentOpened(1, incident, "24-001", "theft", 1, place, 1, 1, (), "", "phone", "p")


def issued(order: str, unit: str, incident: str = "i-1", slot: int = 1) -> ev.Event:
    return ev.OrderIssued(1, order, incident, unit, "assign", slot, 1, 9, 10, "rule:auto", 5)


def stepped(order: str, step: OrderStep, *, reason: str | None = None, at_ms: int = 2) -> ev.Event:
    return ev.OrderStepped(at_ms, order, step, "unit", 1, False, reason, None)


def attended(order: str) -> list[ev.Event]:
    steps = (OrderStep.DELIVER, OrderStep.ACCEPT, OrderStep.CONFIRM, OrderStep.CLEAR)
    return [stepped(order, step) for step in steps]


def test_a_whole_life_has_no_fault() -> None:
    made = journal(opened("i-1"), issued("o-1", "617"), *attended("o-1"), issued("o-2", "617"))
    assert made.double == []
    assert invariants.lost_orders(made) == ["order o-2 to 617: still issued"]


def test_two_open_orders_of_a_unit_are_found() -> None:
    made = journal(issued("o-1", "617"), issued("o-2", "617", "i-2"))
    assert made.double == ["unit 617: orders o-1 and o-2 at once"]


def test_a_place_held_twice_is_found() -> None:
    made = journal(
        issued("o-1", "617"), *attended("o-1")[:3], issued("o-2", "618"), *attended("o-2")[:3]
    )
    assert made.double == ["i-1 place 1: held by o-1 and o-2"]


def test_an_offer_withdrawn_without_a_reason_is_lost() -> None:
    made = journal(issued("o-1", "617"), stepped("o-1", OrderStep.CANCEL))
    assert len(invariants.lost_orders(made)) == 1
    made = journal(issued("o-1", "617"), stepped("o-1", OrderStep.CANCEL, reason="test"))
    assert invariants.lost_orders(made) == []


def test_an_order_that_nobody_repeated_is_lost_whatever_closed_it() -> None:
    late = stepped("o-1", OrderStep.CANCEL, reason="incident_cleared", at_ms=60_000)
    made = journal(issued("o-1", "617"), late)
    assert len(invariants.lost_orders(made)) == 1
    made = journal(issued("o-1", "617"), stepped("o-1", OrderStep.DELIVER), late)
    assert invariants.lost_orders(made) == []


def test_requests_done_twice_unanswered_and_unasked_are_found() -> None:
    done = ev.RequestDone(1, b"e" * 16, "request-1", b"d" * 32, "d01", b"{}")
    made = journal(opened("i-1"), opened("i-2"), done, done)
    faults = invariants.doubled_requests(made, {"call 1": "i-1", "call 2": None, "call 3": "i-9"})
    assert len(faults) == 4
    assert "request request-1: done 2 times" in faults
    assert "request call 2: no reply" in faults
    assert "incident i-2: nobody asked for it" in faults


def test_states_count_every_order() -> None:
    made = journal(issued("o-1", "617"), *attended("o-1"), issued("o-2", "618"))
    assert made.states() == {"cleared": 1, "issued": 1}


def test_an_attached_unit_holds_no_place() -> None:
    one = OrderLife("617", "i-1", 1, 1, OrderState.CONFIRMED, attached=True)
    assert not one.holds_place
