"""The centre was away and comes back: where each unit is and what waits, at once, not at the next
repeat. The terminals stand still and promise 30 s, so without being asked they would say nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from protocol.instant import iso
from tests.authority.fleet import real_now_ms
from tests.rim.daemon import until
from tests.rim.desk import Json
from tests.rim.test_full_disk import ballast, small_disk
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-states-live"), pytest.mark.timeout(120)]

UNIT = "611"
PROMISE_S = 30
BACK_S = 5.0  # after the centre's first word, or after there is room
SILENT_S = 12.0  # long enough for repeats that are tens of seconds apart


@pytest.fixture
def world() -> Iterator[World]:
    with World(UNIT) as world:
        report = world.terminals[UNIT].settings["report"]
        report.update(policy="interval", interval_s=PROMISE_S, lease_s=PROMISE_S)
        world.start()
        world.log_on()
        yield world


def received_after(at_ms: int) -> Callable[[Json], bool]:
    """Whether the unit's position came to the centre after `at_ms`."""

    def is_newer(properties: Json) -> bool:
        return (properties["received_time"] or "") > iso(at_ms)

    return is_newer


def test_a_matcher_that_was_away_hears_where_the_unit_is_at_once(world: World) -> None:
    crew = world.crew(UNIT)
    crew.wait(lambda s: s["waiting_entries"] == 0, "all receipted")
    world.matcher.kill()
    crew.command(type="set_status", status="busy")  # this position is lost, this entry waits
    crew.wait(lambda s: s["waiting_entries"] > 0, "an entry waits")
    world.matcher.start()
    back_ms, back_s = real_now_ms(), time.monotonic()
    world.desk.unit(UNIT, received_after(back_ms), BACK_S)
    world.desk.unit(UNIT, lambda p: p["status"] == "busy" and p["freshness"] == "live", BACK_S)
    left_s = BACK_S - (time.monotonic() - back_s)
    crew.wait(lambda s: s["waiting_entries"] == 0, "all receipted", max(0.1, left_s))


def test_a_journal_with_room_again_hears_it_at_once(world: World) -> None:
    """Batches were repeated later and later meanwhile: none waits for its next turn."""
    crew = world.crew(UNIT)
    crew.wait(lambda s: s["waiting_entries"] == 0, "all receipted")
    world.matcher.kill()
    with small_disk(world.folder / "journal"):
        world.matcher.start()  # on an empty journal: the terminal says everything again
        began_ms = real_now_ms()
        world.desk.unit(UNIT, received_after(began_ms))
        world.desk.unit(UNIT, lambda p: p["logon"] is not None)
        crew.wait(lambda s: s["waiting_entries"] == 0, "all receipted")
        with ballast(world.folder / "journal"):
            world.matcher.wait_for("event=journal_full")
            began_ms = real_now_ms()
            until(lambda: real_now_ms() > began_ms + SILENT_S * 1000, "repeats far apart")
            assert crew.state["waiting_entries"] > 0
        free_ms, free_s = real_now_ms(), time.monotonic()
        world.matcher.wait_for("event=journal_has_room", BACK_S)
        world.desk.unit(UNIT, received_after(free_ms), BACK_S)
        left_s = BACK_S - (time.monotonic() - free_s)
        crew.wait(lambda s: s["waiting_entries"] <= 1, "receipted", max(0.1, left_s))
        world.matcher.stop()


def test_a_birth_that_nobody_heard_does_not_wait_either(world: World) -> None:
    """The terminal begins anew while the matcher is away: its birth goes out ever more seldom."""
    terminal, crew = world.terminals[UNIT], world.crew(UNIT)
    crew.wait(lambda s: s["waiting_entries"] == 0, "all receipted")
    world.matcher.kill()
    terminal.agent.kill()
    mark = terminal.agent.mark
    terminal.start()
    terminal.agent.wait_for("event=mqtt_connected", after=mark)
    began_ms = real_now_ms()
    until(lambda: real_now_ms() > began_ms + SILENT_S * 1000, "repeats far apart")
    world.matcher.start()
    terminal.agent.wait_for("event=welcomed", BACK_S, after=mark)
    assert world.desk.refused("replayed") == 0
