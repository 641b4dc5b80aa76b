"""The agent against a real broker: a fix becomes a sealed position, an order a held one."""

from __future__ import annotations

from protocol.dispatch import Confirm
from protocol.entry import Delivered, DeviceEvent, Logon, OrderAnswer, Start, Track
from protocol.words import Status
from tests.agent.centre import order
from tests.agent.conftest import World
from tests.agent.enrolled import now_ms


def test_whole_way_of_a_fix_and_an_order(world: World) -> None:
    centre = world.centre
    world.agent.start()
    placed = centre.wait(
        lambda: next((p for p in centre.positions if p.lat_e7 is not None), None), "position"
    )
    assert (placed.lat_e7, placed.lon_e7) == (245_130_000, 1_176_470_000)
    assert placed.next_s == 3
    crew, watch = world.agent.crew(), world.agent.crew()
    watch.say(type="watch")
    logon = crew.ask(type="logon", unit="621", crew=["4711"])
    assert logon["type"] == "done"
    centre.wait(lambda: centre.bodies(Logon), "log-on")
    centre.dispatch(order("o-1", logon["entry"]))
    shown = watch.until(lambda s: s["orders"], "order on the screen")
    assert shown["orders"][0]["state"] == "delivered"
    delivered = centre.wait(lambda: centre.bodies(Delivered), "delivered entry")
    assert (delivered[0].order, delivered[0].outcome) == ("o-1", "shown")
    assert crew.ask(type="answer", order="o-1", answer="en-route")["type"] == "refused"
    assert crew.ask(type="answer", order="o-1", answer="accept")["type"] == "done"
    centre.wait(lambda: centre.bodies(OrderAnswer), "answer")
    centre.dispatch(Confirm("o-1", "i-1", 1, None, now_ms()))
    held = watch.until(lambda s: s["orders"][0]["state"] == "confirmed", "confirm")
    assert held["status"] == "dispatched"
    assert crew.ask(type="answer", order="o-1", answer="on-scene")["type"] == "done"
    assert centre.bodies(OrderAnswer)[0].here is not None
    centre.wait(lambda: [p for p in centre.positions if p.status == Status.ON_SCENE], "status")
    centre.wait(lambda: centre.bodies(Track), "track entry")
    assert not [s for s in (crew.ask(type="status"),) if s["refused"]]


def test_kill_loses_nothing_and_shows_nothing_twice(world: World) -> None:
    centre, agent = world.centre, world.agent
    agent.start()
    crew = agent.crew()
    number = crew.ask(type="logon", unit="621", crew=["4711"])["entry"]
    centre.wait(lambda: centre.bodies(Logon), "log-on")
    centre.gives_receipts = False
    event = {
        "type": "event", "device": "body-1", "device_kind": "recorder", "boot": 1, "event": 1,
        "name": "sos", "detail": {"source": "button"},
    }  # fmt: skip
    assert crew.ask(**event)["type"] == "kept"
    first = centre.dispatch(order("o-1", number))
    crew.say(type="watch")
    crew.until(lambda s: s.get("orders"), "order")
    agent.kill()
    agent.start()
    crew = agent.crew()
    state = crew.ask(type="status")
    assert [one["order"] for one in state["orders"]] == ["o-1"]
    assert (state["unit"], state["logon"], state["status"]) == ("621", number, "available")
    assert crew.ask(**event)["type"] == "kept"
    centre.gives_receipts = True
    centre.wait(lambda: len(centre.bodies(Start)) == 2, "second start")
    centre.wait(lambda: centre.bodies(DeviceEvent), "event")
    centre.send_bytes(first)
    centre.term += 1
    centre.counter = 0
    centre.dispatch(order("o-1", number))
    centre.wait(lambda: len(centre.bodies(Delivered)) == 2, "second delivered")
    assert len(centre.bodies(DeviceEvent)) == 1
    assert [one.unclean for one in centre.bodies(Start)] == [False, True]
    assert len(crew.ask(type="status")["orders"]) == 1
    boots = [birth.boot for birth in centre.births]
    assert boots == sorted(boots)
    assert boots[-1] == 2


def test_broker_that_is_down_at_the_start_costs_nothing(world: World) -> None:
    world.broker.kill()
    world.agent.start()
    crew = world.agent.crew()
    assert crew.ask(type="logon", unit="621", crew=["4711"])["type"] == "done"
    state = crew.ask(type="status")
    assert (state["link"], state["unit"]) == ("down", "621")
    assert state["waiting_entries"] >= 2
    world.broker.start()
    world.centre.wait(lambda: world.centre.bodies(Logon), "log-on after the broker is back")
