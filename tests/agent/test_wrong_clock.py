"""Wrong dates at the terminal's process: a receiver a rollover or weeks off, and the clock's floor.

A wrong system clock is in tests/rim/test_clock_terminal.py.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from protocol.entry import Delivered, Logon
from protocol.words import TimeTrust, bits_to_flags
from tests.agent.centre import Centre, order
from tests.agent.conftest import World
from tests.agent.enrolled import now_ms

ROLLOVER = timedelta(weeks=1024)
NEAR_MS = 3_000


def births_after(centre: Centre, before: int) -> bool:
    return len(centre.births) > before


@pytest.fixture
def agent_world(world: World) -> World:
    """Nothing but the receiver and the welcome gives the time."""
    world.agent.tables["clock"] = 'system = "rtc"'
    return world


@pytest.mark.parametrize("weeks", [-1024, -2048])
def test_a_receiver_whose_weeks_rolled_over(agent_world: World, weeks: int) -> None:
    """Repaired, flagged, and an order goes its way."""
    world = agent_world
    world.receiver.date_shift = timedelta(weeks=weeks)
    world.agent.start()
    centre = world.centre
    found = centre.wait(
        lambda: [p for p in centre.positions if "rollover" in bits_to_flags(p.flags)], "a position"
    )
    assert abs(found[-1].time_ms - now_ms()) < NEAR_MS
    crew = world.agent.crew()
    number = crew.ask(type="logon", unit="621", crew=["4711"])["entry"]
    centre.dispatch(order("o-1", number))
    centre.wait(lambda: [d for d in centre.bodies(Delivered) if d.outcome == "shown"], "shown")


def test_a_receiver_weeks_ahead_is_not_believed_against_the_welcome(agent_world: World) -> None:
    """A spoofed date expires no order."""
    world, centre = agent_world, agent_world.centre
    world.receiver.date_shift = timedelta(weeks=3)
    world.agent.start()
    crew = world.agent.crew()
    number = crew.ask(type="logon", unit="621", crew=["4711"])["entry"]
    centre.wait(lambda: centre.bodies(Logon), "log-on")
    centre.dispatch(order("o-1", number))
    centre.wait(lambda: [d for d in centre.bodies(Delivered) if d.outcome == "shown"], "shown")
    crew.say(type="watch")
    state = crew.until(lambda s: s["orders"], "order")
    assert state["orders"][0]["state"] == "delivered"


def test_a_certificate_that_has_ended_by_trusted_time_is_refused(agent_world: World) -> None:
    """The receiver's date is believed where nothing signed contradicts it."""
    world, centre = agent_world, agent_world.centre
    centre.gives_welcomes = False
    world.receiver.date_shift = timedelta(days=40)  # the broker's certificate holds 30
    world.agent.start()
    centre.wait(
        lambda: [p for p in centre.positions if p.time_trust == TimeTrust.GNSS],
        "the receiver's date is believed",
    )
    world.broker.kill()
    world.broker.start()
    found = centre.happens(lambda: "has expired" in world.agent.log.read_text(), 10)
    assert found, "the connection is refused for the certificate's date"


def test_the_clocks_floor_never_goes_down(agent_world: World) -> None:
    """With no receiver and a clock that has forgotten everything, time begins at the floor."""
    world, centre = agent_world, agent_world.centre
    world.agent.tables["clock"] = 'system = "none"'
    world.agent.tables["gnss"] = 'port = "/dev/does-not-exist"'
    floors: list[int] = []
    for _ in range(3):
        before = len(centre.births)
        world.agent.start()
        centre.wait(partial(births_after, centre, before), "birth")
        crew = world.agent.crew()
        crew.say(type="watch")
        crew.until(lambda s: s["welcomed"], "welcome")
        floors.append(centre.births[before].time_ms)
        assert world.agent.stop() == 0
    assert floors == sorted(floors)
    assert floors[1] > now_ms() - 60_000, "the last welcome was kept"


def test_an_order_under_a_receiver_that_steps_a_leap_second(agent_world: World) -> None:
    """A second that is said twice neither repeats nor loses a position for long."""
    world, centre = agent_world, agent_world.centre
    world.agent.start()
    centre.wait(lambda: [p for p in centre.positions if p.lat_e7 is not None], "position")
    world.receiver.date_shift = timedelta(seconds=-1)
    at = len(centre.positions)
    later = centre.wait(lambda: centre.positions[at + 3 :], "positions go on")
    numbers = [p.sequence for p in centre.positions]
    assert numbers == sorted(set(numbers))
    assert abs(later[-1].time_ms - now_ms()) < NEAR_MS
