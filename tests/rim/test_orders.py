"""Order and answer through real processes, seen at both ends and in the journal.

Three cars in a row (611, 612, 613, about 330 m apart) and one desk; each test has an incident of
its own and leaves every unit available.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.rim.crew import Crew
from tests.rim.daemon import outrider, run
from tests.rim.desk import Desk
from tests.rim.terminal import PLACE
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-orders"), pytest.mark.timeout(90)]

AT_611 = (PLACE[0] - 0.001, PLACE[1])  # 611 is the nearest, then 612, then 613


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World("611", "612", "613") as world:
        world.start()
        world.log_on()
        yield world


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    """The desk; afterwards every unit must be free again."""
    yield world.desk
    for unit in world.terminals:
        world.desk.unit(unit, lambda p: p["order"] is None and p["status"] == "available")


def attend(crew: Crew, order: str) -> None:
    """The rest of a crew's work on an order that it holds."""
    for word in ("en-route", "on-scene"):
        crew.answer(order, word)
    crew.answer(order, "clear", disposition="handled")
    crew.order(order, "cleared")


def accepted(world: World, incident: str, unit: str) -> str:
    """Accept once the order has come; its id once the place is held."""
    order = world.desk.order(incident, unit, "delivered")
    world.crew(unit).answer(order, "accept")
    world.crew(unit).order(order, "confirmed", "held")
    return order


def test_from_the_report_to_clear(world: World, desk: Desk) -> None:
    """As a crew with a shell does it: `outrider agent answer`."""
    incident = desk.report(AT_611)
    order = desk.order(incident, "611", "delivered")
    card = world.crew("611").order(order, "delivered")
    assert (card["kind"], card["priority"], card["issuer"]) == ("assign", 1, "rule:auto")
    assert card["place"]["lat_e7"] == round(AT_611[0] * 1e7)

    def answer(*words: str) -> None:
        done = run(outrider("agent", "answer", order, *words, "--config", world.config("611")))
        assert (done.returncode, done.stderr) == (0, ""), done

    answer("accept")
    world.crew("611").order(order, "confirmed", "held")
    desk.unit("611", lambda p: p["status"] == "dispatched" and p["order"] == order)
    answer("en-route")
    desk.unit("611", lambda p: p["status"] == "en_route")
    answer("on-scene")
    desk.unit("611", lambda p: p["status"] == "on_scene" and p["incident"] == incident)
    answer("clear", "--disposition", "handled")
    cleared = desk.incident(incident, "cleared")
    assert cleared["disposition"] == "handled"
    assert desk.states_of(incident, "611") == [
        "issued", "delivered", "confirmed", "en_route", "on_scene",
    ]  # fmt: skip
    times = [cleared["times"][name] for name in ("reported", "assigned", "en_route", "on_scene")]
    assert times == sorted(times)
    assert not world.crew("612").has_shown(order)


def test_the_journal_says_why(world: World, desk: Desk) -> None:
    incident = desk.report(AT_611)
    order = accepted(world, incident, "611")
    explained = world.ask_journal("explain", order).splitlines()
    assert explained[0].startswith("Sent 611: ")
    assert "612 was " in explained[0]
    assert any(line.startswith("candidate 613: ") for line in explained)
    as_json = json.loads(world.ask_journal("explain", order, "--json"))
    assert as_json["sentence"] == explained[0]
    board = world.ask_journal("board")
    assert "611:confirmed" in board
    unknown = run(outrider("matcher", "explain", "o-9-9", "--config", world.matcher_config))
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "o-9-9" in unknown.stderr
    assert "matcher board" in unknown.stderr
    attend(world.crew("611"), order)


def test_two_units_for_a_plan_of_two(world: World, desk: Desk) -> None:
    incident = desk.report(AT_611, units=2)
    orders = {unit: accepted(world, incident, unit) for unit in ("611", "612")}
    assert world.crew("611").order(orders["611"])["kind"] == "assign"
    assert world.crew("612").order(orders["612"])["kind"] == "backup"
    attend(world.crew("611"), orders["611"])
    assert desk.incidents[incident]["state"] != "cleared"
    attend(world.crew("612"), orders["612"])
    desk.incident(incident, "cleared")


def test_a_decline_goes_to_the_next(world: World, desk: Desk) -> None:
    incident = desk.report(AT_611)
    first = desk.order(incident, "611", "delivered")
    world.crew("611").answer(first, "decline", reason="engaged")
    second = accepted(world, incident, "612")
    assert second != first
    assert world.crew("611").order(first)["state"] == "declined"
    left_out = world.ask_journal("explain", second)
    assert "left out 611: declined" in left_out
    attend(world.crew("612"), second)
    desk.incident(incident, "cleared")


def test_silence_adds_the_next_and_a_late_accept_still_counts(world: World, desk: Desk) -> None:
    """Priority 1: 10 s after delivery 612 is added; 611 wakes up first and gets the place."""
    incident = desk.report(AT_611)
    late = desk.order(incident, "611", "delivered")
    second = desk.order(incident, "612", "delivered")
    alert = desk.wait(
        lambda: next((a for a in desk.alerts.values() if a["order"] == late), None), "alert"
    )
    assert (alert["kind"], alert["unit"], alert["incident"]) == ("no_answer", "611", incident)
    assert world.crew("611").order(late)["state"] == "delivered"  # never released by silence
    world.crew("611").answer(late, "accept")
    world.crew("611").order(late, "confirmed", "held")
    world.crew("612").answer(second, "accept")
    world.crew("612").order(second, "confirmed", "attached")
    desk.done("acknowledge", alert=alert["alert"])
    seen = desk.wait(lambda: desk.alerts[alert["alert"]]["acknowledged_by"], "acknowledged")
    assert seen == "person of d01-desk"
    attend(world.crew("612"), second)
    attend(world.crew("611"), late)
    desk.incident(incident, "cleared")


def test_cancel_while_under_way(world: World, desk: Desk) -> None:
    incident = desk.report(AT_611)
    order = accepted(world, incident, "611")
    world.crew("611").answer(order, "en-route")
    desk.unit("611", lambda p: p["status"] == "en_route")
    desk.done("cancel", incident=incident, reason="false_alarm")
    world.crew("611").order(order, "cancelled")
    desk.incident(incident, "cancelled")
    again = desk.ask("cancel", incident=incident)
    assert (again.outcome, again.reason) == ("refused", "incident_closed")
    refused = world.crew("611").command(type="answer", order=order, answer="on-scene")
    assert refused["type"] == "refused"


def test_hold_keeps_a_unit_out(world: World, desk: Desk) -> None:
    desk.done("hold", unit="611", on=True)
    desk.unit("611", lambda p: p["hold"])
    incident = desk.report(AT_611)
    order = accepted(world, incident, "612")
    assert "left out 611: on hold" in world.ask_journal("explain", order)
    desk.done("hold", unit="611", on=False)
    desk.unit("611", lambda p: not p["hold"])
    attend(world.crew("612"), order)


def test_status_by_the_desk_and_by_the_crew(world: World, desk: Desk) -> None:
    desk.done("status", unit="611", status="out_of_service")
    desk.unit("611", lambda p: p["status"] == "out_of_service")
    crew = world.crew("612")
    assert crew.command(type="set_status", status="busy", reason="report")["type"] == "done"
    desk.unit("612", lambda p: p["status"] == "busy")
    incident = desk.report(AT_611, priority=3)  # busy units are sent at priority 1 and 2 only
    order = accepted(world, incident, "613")
    why = world.ask_journal("explain", order)
    assert "left out 611: status out_of_service" in why
    assert "left out 612: status busy" in why
    attend(world.crew("613"), order)
    desk.done("status", unit="611", status="available")
    assert crew.command(type="set_status", status="available")["type"] == "done"
    unknown = desk.ask("status", unit="611", status="asleep")
    assert (unknown.outcome, unknown.reason) == ("refused", "unknown_status")
    assert "out_of_service" in (unknown.detail or "")


def test_a_dispatcher_assigns_and_releases(world: World, desk: Desk) -> None:
    incident = desk.report(AT_611)
    first = accepted(world, incident, "611")
    reply = desk.done("assign", incident=incident, unit="613", reason="voice")
    order = desk.order(incident, "613", "delivered")
    assert reply.order == order
    assert world.crew("613").order(order)["issuer"] == "person of d01-desk"
    assert "Sent 613 by person of d01-desk" in world.ask_journal("explain", order)
    busy = desk.ask("assign", incident=incident, unit="613")
    assert (busy.outcome, busy.reason) == ("refused", "unit_has_order")
    desk.done("release", incident=incident, unit="613")
    world.crew("613").order(order, "cancelled")
    attend(world.crew("611"), first)
    desk.incident(incident, "cleared")


def test_the_journal_replays_to_the_live_state(world: World, desk: Desk) -> None:
    """Stopped with an order under way; started again, the same order goes on under a new term."""
    incident = desk.report(AT_611)
    order = accepted(world, incident, "611")
    live = world.live_state()
    replayed = json.loads(world.ask_journal("replay", "--json"))
    assert replayed["state"] == live
    assert "whole" in world.ask_journal("verify")
    world.matcher.start()
    attend(world.crew("611"), order)
    desk.incident(incident, "cleared")
    again = json.loads(world.ask_journal("replay", "--json"))
    assert again["term"] == replayed["term"] + 1
    assert again["transactions"] > replayed["transactions"]
    assert desk.wait(lambda: desk.statistics, "statistics")["refused"] == {}
