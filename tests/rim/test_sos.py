"""An SOS at the rim: a button's event to two crews on their way, and only the desk ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.rim.daemon import outrider, run
from tests.rim.world import DESK, World

pytestmark = [pytest.mark.xdist_group("rim-sos"), pytest.mark.timeout(120)]
TECHNICIAN = "k01-tech"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    managers = {DESK: ("dispatcher", "supervisor"), TECHNICIAN: ("technician",)}
    with World("621", "618", "624", "627", managers=managers) as made:
        made.start()
        made.log_on()
        for unit in made.terminals:
            made.desk.unit(unit, lambda p: p["freshness"] == "live")
        yield made


@pytest.fixture(autouse=True)
def nothing_open(world: World) -> Iterator[None]:
    yield
    for one in tuple(world.desk.incidents.values()):
        if one["state"] not in ("cleared", "cancelled"):
            world.desk.done("close", incident=one["id"], disposition="handled")
    for unit in world.terminals:
        world.desk.unit(unit, lambda p: p["status"] in ("available", "busy"))


def send(world: World, unit: str, event: int, *detail: str) -> None:
    """A recorder's button, by hand, through the device socket."""
    words = ["sos", "--device", "body-1", "--boot", "1", "--event", str(event)]
    for one in detail:
        words += ["--detail", one]
    done = run(outrider("device", "send", *words, "--socket", world.terminals[unit].socket))
    assert done.returncode == 0, done.stderr


def set_status(world: World, unit: str, status: str, *more: str) -> None:
    done = run(outrider("agent", "set", status, *more, "--config", world.config(unit)))
    assert done.returncode == 0, done.stderr


def sos_of(world: World, unit: str, **wanted: Any) -> dict[str, Any]:
    """The open SOS of a unit, once its own life says what is wanted."""

    def find() -> dict[str, Any] | None:
        for one in world.desk.incidents.values():
            own = one["sos"] or {"units": (), "state": "resolved"}
            is_open = unit in own["units"] and own["state"] != "resolved"
            if is_open and all(own[key] == value for key, value in wanted.items()):
                return one
        return None

    return world.desk.wait(find, f"an SOS of {unit} that is {wanted}")


def test_a_button_sends_the_nearest_two_and_only_the_desk_ends_it(world: World) -> None:
    desk = world.desk
    send(world, "621", 1)
    incident = sos_of(world, "621", state="raised")["id"]
    for unit in ("618", "624"):
        order = desk.order(incident, unit, "delivered")
        card = world.crew(unit).order(order, "delivered")
        assert (card["priority"], card["incident_kind"]) == (0, "sos")
    send(world, "621", 1)  # the same press
    send(world, "621", 2)  # and another
    desk.wait(lambda: [a for a in desk.alerts.values() if a["kind"] == "sos_again"], "told")
    assert [o["id"] for o in desk.incidents.values() if o["sos"]] == [incident]
    (alert,) = [a for a in desk.alerts.values() if a["kind"] == "sos"]
    desk.done("acknowledge", alert=alert["alert"])
    sos_of(world, "621", acknowledged_by=f"person of {DESK}", state="acknowledged")
    world.crew("621").wait(lambda s: [m for m in s["messages"] if "SOS" in m["text"]], "heard")
    order = desk.order(incident, "618", "delivered")
    world.crew("618").answer(order, "accept")
    sos_of(world, "621", state="help_assigned")
    set_status(world, "621", "available", "--reason", "false_alarm")
    sos_of(world, "621", false_alarm_by="621")
    desk.unit("621", lambda p: p["status"] == "emergency")
    assert desk.ask("cancel", incident=incident).reason == "sos"
    desk.done("close", incident=incident, disposition="false_alarm")
    desk.unit("621", lambda p: p["status"] == "available")
    world.crew("618").order(order, "cancelled")
    assert "whole" in world.ask_journal("verify")


def test_nobody_acknowledges_and_the_near_hear_it(world: World) -> None:
    """The three others are seconds away; two are sent, so the third hears it after 20 s."""
    desk = world.desk
    send(world, "627", 10)
    incident = sos_of(world, "627")["id"]
    for unit in ("624", "618"):
        order = desk.order(incident, unit, "delivered")
        world.crew(unit).answer(order, "accept")
    loud = desk.wait(
        lambda: [a for a in desk.alerts.values() if a["kind"] == "sos_unacknowledged"], "all desks"
    )
    assert loud[0]["incident"] == incident
    heard = desk.wait(lambda: alert_of(world, incident, "621"), "the third unit hears it", 30)
    world.crew("621").order(heard["order"], "delivered")


def alert_of(world: World, incident: str, unit: str) -> dict[str, Any] | None:
    units = world.desk.incidents[incident]["units"]
    return next((u for u in units if u["unit"] == unit and u["kind"] == "alert"), None)


def test_in_silence_the_desk_sees_it_and_the_terminal_keeps_still(world: World) -> None:
    desk, crew = world.desk, world.crew("621")
    before = len(crew.status()["messages"])
    send(world, "621", 20, "silent=true")
    incident = sos_of(world, "621", silent=True)["id"]
    crew.wait(lambda s: s["silent"], "silent")
    alert = desk.wait(
        lambda: next((a for a in desk.alerts.values() if a["incident"] == incident), None), "told"
    )
    desk.done("acknowledge", alert=alert["alert"])
    sos_of(world, "621", acknowledged_by=f"person of {DESK}")
    assert len(crew.status()["messages"]) == before
    set_status(world, "621", "available", "--reason", "false_alarm")
    crew.wait(lambda s: not s["silent"], "no longer silent")


def test_a_technicians_test_is_told_and_sends_nobody(world: World) -> None:
    config = world.manager_config(TECHNICIAN)
    done = run(outrider("request", "sos-test", "t-624", "--minutes", "2", "--config", config))
    assert done.returncode == 0, done.stderr
    known = set(world.desk.incidents)
    send(world, "624", 30)
    world.desk.wait(
        lambda: [a for a in world.desk.alerts.values() if a["kind"] == "sos_test"], "a test"
    )
    assert set(world.desk.incidents) == known
    assert world.desk.units["624"]["properties"]["status"] == "available"


def test_one_touch_busy_is_an_incident_where_the_unit_is(world: World) -> None:
    desk = world.desk
    known = set(desk.incidents)
    set_status(world, "618", "busy", "--reason", "traffic_stop")
    own = desk.wait(
        lambda: next((one for i, one in desk.incidents.items() if i not in known), None), "begun"
    )
    assert (own["kind"], own["priority"]) == ("traffic_stop", 3)
    lat, lon = world.terminals["618"].place
    assert (own["place"]["lat"], own["place"]["lon"]) == pytest.approx((lat, lon), abs=0.001)
    desk.incident(own["id"], "on_scene")
    set_status(world, "618", "available", "--reason", "warned")
    assert desk.incident(own["id"], "cleared")["disposition"] == "warned"
