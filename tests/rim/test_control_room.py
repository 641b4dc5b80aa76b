"""A control room's day at the rim: neighbours take, dangers are read, messages answered, by radio.

Real processes throughout; every step is what a person does with a command or a touch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.authority.fleet import FLEET
from tests.rim.daemon import outrider, run
from tests.rim.terminal import PLACE
from tests.rim.world import DESK, World

pytestmark = [pytest.mark.xdist_group("rim-control-room"), pytest.mark.timeout(120)]
AT = (PLACE[0] - 0.001, PLACE[1])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World("621", "618", "624") as made:
        made.start()
        made.log_on()
        yield made


@pytest.fixture(autouse=True)
def nothing_open(world: World) -> Iterator[None]:
    yield
    for one in tuple(world.desk.incidents.values()):
        if one["state"] not in ("cleared", "cancelled"):
            world.desk.ask("cancel", incident=one["id"])
    for unit in world.terminals:
        world.desk.unit(unit, lambda p: p["status"] in ("available", "busy"))


def report(world: World, **plan: Any) -> str:
    place = {"lat": AT[0], "lon": AT[1]}
    plan = {"units": 1, "officers": 1, "capabilities": (), "alert": False} | plan
    reply = world.desk.done("report", kind="fight", priority=1, place=place, plan=plan)
    assert reply.incident is not None
    return reply.incident


def test_neighbours_hear_it_at_once_and_one_takes_it(world: World) -> None:
    desk = world.desk
    incident = report(world, units=1, alert=True)
    first = desk.order(incident, "621", "delivered")
    heard = {unit: desk.order(incident, unit, "delivered") for unit in ("618", "624")}
    card = world.crew("618").order(heard["618"], "delivered")
    assert card["kind"] == "alert"
    world.crew("621").answer(first, "accept")
    world.crew("621").order(first, "confirmed", "held")
    world.crew("618").answer(heard["618"], "accept")
    world.crew("618").order(heard["618"], "confirmed", "attached")
    on_it = desk.wait(lambda: attached(world, incident), "618 attached")
    assert on_it["kind"] == "backup"
    assert "whole" in world.ask_journal("verify")


def attached(world: World, incident: str) -> Any:
    units = world.desk.incidents[incident]["units"]
    return next((u for u in units if u["unit"] == "618" and u["attached"]), None)


def test_a_danger_is_shown_again_and_read(world: World) -> None:
    desk, crew = world.desk, world.crew("621")
    incident = report(world)
    order = desk.order(incident, "621", "delivered")
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    desk.done("update", incident=incident, hazards=["knife"])
    seen = must_read(crew.wait(lambda s: must_read(s, order), "the safety update"), order)
    assert seen["hazards"] == ["knife"]
    assert (seen["revision"], seen["revision_class"], seen["state"]) == (2, 1, "confirmed")
    crew.answer(order, "read")
    crew.wait(lambda s: not must_read(s, order), "read")


def must_read(screen: Any, order: str) -> Any:
    return next((o for o in screen["orders"] if o["order"] == order and o["must_read"]), None)


def test_a_message_comes_back_with_the_crews_answer(world: World) -> None:
    desk, crew = world.desk, world.crew("624")
    message = desk.done("message", unit="624", text="东门已开").message
    crew.wait(lambda s: [m for m in s["messages"] if m["message"] == message], "the message")
    config = world.config("624")
    done = run(outrider("agent", "reply", str(message), "on_my_way", "--config", config))
    assert done.returncode == 0, done.stderr
    desk.wait(
        lambda: [a for a in desk.alerts.values() if a["kind"] == "crew_reply"], "crew's answer"
    )


def test_by_voice_a_person_answers_for_the_crew(world: World) -> None:
    desk = world.desk
    incident = report(world)
    order = desk.order(incident, "621", "delivered")
    for said in ("accept", "en-route", "on-scene"):
        desk.done("answer", order=order, answer=said)
    world.crew("621").order(order, "on_scene", "held")
    desk.done("answer", order=order, answer="clear", disposition="handled")
    desk.incident(incident, "cleared")


def test_the_desk_logs_a_crew_on_at_the_terminal(world: World) -> None:
    before = world.desk.units["624"]["properties"]["logon"]
    world.desk.done("logon", unit="624", crew=["4901", "4902"], terminals=["t-624"])
    world.desk.unit("624", lambda p: p["logon"] != before)
    assert "4901,4902" in world.ask_journal("board")


def test_a_supervisor_changes_the_mode_and_the_best_three_wait_for_a_person(world: World) -> None:
    config = world.manager_config(DESK)
    words = ("request", "mode", "2", "recommend", "--config", config)
    assert run(outrider(*words)).returncode == 0
    place = {"lat": AT[0], "lon": AT[1]}
    plan = {"units": 1, "alert": False}
    reply = world.desk.done("report", kind="theft", priority=2, place=place, plan=plan)
    incident = str(reply.incident)
    state = world.desk.wait(
        lambda: world.desk.incidents.get(incident, {}).get("recommended"), "recommended"
    )
    assert state[0]["unit"] == "621"
    assert state[0]["why"].startswith("no. 1 by travel time")
    override = ("assign", incident, "618", "--reason", "local_knowledge", "--config", config)
    assert run(outrider("request", *override)).returncode == 0
    order = world.desk.order(incident, "618", "delivered")
    assert "618" in world.ask_journal("explain", order)
    assert FLEET in str(world.crew("618").state["terminal"])
