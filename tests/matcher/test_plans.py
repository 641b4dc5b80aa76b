"""Response plans over random fleets: places, officers, capabilities by count, and no silence."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.core.assign import SLOTS_MAX, missing_capabilities, missing_officers, open_slot
from matcher.core.board import Board, Incident, Unit
from protocol.codebook_shipped import shipped
from protocol.order import Answer, OrderState
from tests.matcher.books import UNITS, report
from tests.matcher.fleet import FleetUnderTest

CAPABILITIES = ("taser", "shield", "medic")
UNIT = st.tuples(
    st.sampled_from(["car", "car", "motorcycle", "foot", "drone"]),
    st.integers(1, 3),  # officers
    st.frozensets(st.sampled_from(CAPABILITIES), max_size=2),
    st.integers(1, 600),  # seconds away
)
FLEET = st.lists(UNIT, min_size=1, max_size=10)
PLAN = st.fixed_dictionaries(
    {
        "units": st.integers(1, 5),
        "officers": st.integers(0, 9),
        "capabilities": st.lists(st.sampled_from(CAPABILITIES), max_size=4),
    }
)
ANSWERS = st.lists(st.sampled_from([Answer.ACCEPT, Answer.DECLINE, None]), max_size=16)


def fleet_of(units: list[tuple[str, int, frozenset[str], int]]) -> FleetUnderTest:
    named = {f"u{at:02d}": unit for at, unit in enumerate(units)}
    return FleetUnderTest(
        {name: far_s * 1000 for name, (_, _, _, far_s) in named.items()},
        officers={name: officers for name, (_, officers, _, _) in named.items()},
        kinds={name: kind for name, (kind, _, _, _) in named.items()},
        capabilities={name: tuple(sorted(can)) for name, (_, _, can, _) in named.items()},
    )


def check(board: Board, incident: Incident) -> None:
    """Counted here anew, from the orders, without the rules' own helpers."""
    going = [o for o in board.open_orders_of(incident) if o.slot]
    units = [board.units[o.unit] for o in going]
    assert len({o.unit for o in going}) == len(going)
    assert all(unit.kind != "drone" and unit.officers_now > 0 for unit in units), "fills no place"
    held = [o.slot for o in going if o.holds_place]
    assert len(held) == len(set(held)), "a place is held once"
    assert all(1 <= o.slot <= SLOTS_MAX for o in going)
    is_short = len(going) < incident.plan_units or short_of(incident, units)
    if is_short:
        assert incident.waits, "short of its plan, and nobody says why"
    lone = [o for o in going if board.units[o.unit].officers_now == 1]
    if incident.plan_officers >= 2:
        assert all(o.wait_s is not None for o in lone), "one officer alone is told to wait"
        if len(going) > 1:
            assert all(o.wait_for is not None for o in lone)


def short_of(incident: Incident, units: list[Unit]) -> bool:
    officers = sum(len(unit.crew) for unit in units)
    aboard = Counter(code for unit in units for code in set(unit.capabilities))
    wanted = Counter(incident.capabilities)
    return officers < incident.plan_officers or any(aboard[c] < n for c, n in wanted.items())


@settings(max_examples=150, deadline=None)
@given(FLEET, PLAN, ANSWERS)
def test_any_plan_is_filled_or_says_why_not(
    units: list[tuple[str, int, frozenset[str], int]],
    plan: dict[str, object],
    answers: list[Answer | None],
) -> None:
    fleet = fleet_of(units)
    incident = fleet.report(priority=1, **plan)  # type: ignore[arg-type]
    check(fleet.board, incident)
    for said in answers:
        waiting = fleet.board.offered_orders()
        if said is not None and waiting:
            fleet.deliver(waiting[0].unit)
            fleet.answer(waiting[0], said)
        else:
            fleet.wait(15)  # silence adds the next best
        check(fleet.board, incident)


@settings(max_examples=100, deadline=None)
@given(FLEET, PLAN)
def test_a_fleet_that_can_fill_the_plan_does(
    units: list[tuple[str, int, frozenset[str], int]], plan: dict[str, object]
) -> None:
    """If all who carry officers go and that is enough, nothing is missing in the end."""
    fleet = fleet_of(units)
    incident = fleet.report(priority=1, **plan)  # type: ignore[arg-type]
    able = [u for u in fleet.board.units.values() if u.officers_now > 0]
    could = len(able) >= incident.plan_units and not short_of(incident, list(able))
    assert (open_slot(fleet.board, incident) is None) == could
    if could:
        assert not missing_officers(fleet.board, incident)
        assert not missing_capabilities(fleet.board, incident)
        assert fleet.alert_kinds().count("short_of_plan") == 0
    else:
        assert "short_of_plan" in fleet.alert_kinds()


def test_two_with_the_same_capability_are_two_units() -> None:
    units = {"a": 10_000, "b": 20_000, "c": 30_000, "d": 40_000}
    fleet = FleetUnderTest(units, capabilities={"c": ("medic",), "d": ("medic", "shield")})
    incident = fleet.report(units=2, officers=2, capabilities=["medic", "medic"])
    assert sorted(o.unit for o in fleet.orders(incident)) == ["c", "d"]


def test_all_sixteen_places_taken_and_still_short_is_said() -> None:
    fleet = FleetUnderTest({f"u{n:02d}": 1000 * n + 1 for n in range(17)}, officers=dict.fromkeys(
        [f"u{n:02d}" for n in range(17)], 1))  # fmt: skip
    incident = fleet.report(units=2, officers=20)
    assert len(fleet.orders(incident)) == SLOTS_MAX
    assert incident.waits == "all 16 places are taken"
    assert "short_of_plan" in fleet.alert_kinds()


def test_officers_are_sent_although_nobody_has_the_capability() -> None:
    fleet = FleetUnderTest({"a": 10_000, "b": 20_000, "c": 30_000})
    incident = fleet.report(units=1, officers=6, capabilities=["negotiator"])
    assert sorted(o.unit for o in fleet.orders(incident)) == ["a", "b", "c"]
    assert incident.waits == "no unit can be sent"


def test_what_the_whole_fleet_has_not_is_said_in_the_reply() -> None:
    fleet = FleetUnderTest({"a": 10_000, "b": 20_000}, capabilities={"a": ("medic",)})
    for plan, says in [
        ({"units": 3}, "the plan wants 3 units, the fleet has 2 with officers"),
        ({"units": 1, "capabilities": ["medic", "medic"]}, "2 units with medic, the fleet has 1"),
    ]:
        reply = fleet.request(
            {"verb": "report", "kind": "theft", "place": {"lat": 24.5, "lon": 117.6}, "plan": plan}
        )
        assert reply.outcome == "done"
        assert says in str(reply.detail)


@pytest.mark.parametrize("kind", sorted(shipped().kinds))
def test_every_kind_of_the_shipped_codebook_gets_its_plan(kind: str) -> None:
    fleet = FleetUnderTest(
        {f"u{n:02d}": 1000 * n + 1 for n in range(12)},
        capabilities={f"u{n:02d}": tuple(shipped().capabilities) for n in range(0, 12, 2)},
    )
    reply = fleet.request({"verb": "report", "kind": kind, "place": {"lat": 24.5, "lon": 117.6}})
    incident, known = fleet.board.incidents[str(reply.incident)], shipped().kinds[kind]
    plan = shipped().plan_for(kind, incident.priority)
    assert incident.priority == max(1, known.priority)
    if not known.dispatched:
        assert (incident.disposition, incident.orders) == ("referred", [])
        return
    assert (incident.plan_units, incident.plan_officers) == (plan.units, plan.officers)
    assert Counter(incident.capabilities) == Counter(dict(plan.capabilities))
    going = [o for o in fleet.orders(incident) if o.kind != "alert"]
    assert sum(fleet.board.units[o.unit].officers_now for o in going) >= plan.officers
    bodies = [b for o in going for b in fleet.bodies_for(o.unit)]
    assert {b.plan.stage_m for b in bodies} == {plan.staging_m}  # type: ignore[union-attr]
    assert bool([o for o in fleet.orders(incident) if o.kind == "alert"]) == plan.alert
    assert all(o.state is not OrderState.EXPIRED for o in going)


def test_what_a_person_names_counts_and_the_rest_is_the_codebooks() -> None:
    fleet = FleetUnderTest(UNITS)
    named = fleet.board.incidents[str(report(fleet, "shooting", plan={"units": 2}).incident)]
    assert (named.plan_units, named.plan_officers) == (2, 2)
    assert named.staging_m == 300
    assert sorted(named.capabilities) == ["firearm", "firearm", "shield", "special_police"]
    bare = fleet.board.incidents[
        str(report(fleet, "shooting", plan={"capabilities": [], "alert": False}).incident)
    ]
    assert (bare.plan_units, bare.plan_officers, bare.capabilities, bare.alert) == (4, 8, (), False)


def test_a_corrected_kind_raises_the_plan_and_a_named_one_stays() -> None:
    fleet = FleetUnderTest(UNITS | {"e": 50_000, "f": 60_000})
    by_book = fleet.board.incidents[str(report(fleet, "noise").incident)]
    by_name = fleet.board.incidents[str(report(fleet, "noise", plan={"units": 1}).incident)]
    assert by_book.plan_units == 1
    for incident in (by_book, by_name):
        fleet.request(
            {"verb": "update", "incident": incident.incident, "kind": "stabbing", "priority": 1}
        )
    plan = shipped().plan_for("stabbing", 1)
    assert (by_book.plan_units, by_book.plan_officers) == (plan.units, plan.officers)
    assert by_book.alert
    assert by_name.plan_units == 1
    fleet.request({"verb": "update", "incident": by_book.incident, "kind": "noise", "priority": 4})
    assert by_book.plan_units == plan.units, "never less: a person releases"
