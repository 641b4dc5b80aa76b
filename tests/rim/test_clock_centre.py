"""The centre's system clock is set while an order is open: answer times run on as they were."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.rim.clock_cell import HOUR_S, ClockCell
from tests.rim.desk import Desk, Json
from tests.rim.terminal import PLACE
from tests.rim.world import World, is_live

pytestmark = [pytest.mark.xdist_group("rim-clock-centre"), pytest.mark.timeout(120)]

UNIT = "611"
ANSWER_S = 10.0  # at priority 1


@pytest.fixture
def world() -> Iterator[World]:
    with World(UNIT) as world:
        yield world


@pytest.fixture
def clock(world: World) -> ClockCell:
    clock = ClockCell(world.folder)
    clock.under(world.matcher)
    return clock


def no_answer(desk: Desk, timeout_s: float) -> Json:
    """The alert that nobody answered."""
    found: Json = desk.wait(
        lambda: next((a for a in desk.alerts.values() if a["kind"] == "no_answer"), None),
        "people are told of the silence", timeout_s,
    )  # fmt: skip
    return found


@pytest.mark.parametrize("step_s", [-HOUR_S, HOUR_S], ids=["back", "forward"])
def test_answer_times_run_on_when_the_clock_is_set(
    world: World, clock: ClockCell, step_s: float
) -> None:
    """Neither at once nor an hour late; requests, which say their true time, are taken."""
    world.start()
    world.log_on()
    desk, crew = world.desk, world.crew(UNIT)
    incident = desk.report(PLACE, priority=1)
    order = desk.order(incident, UNIT, "delivered")
    delivered_s = time.monotonic()
    clock.set(step_s)
    no_answer(desk, ANSWER_S + 8)
    waited_s = time.monotonic() - delivered_s
    assert waited_s > ANSWER_S * 0.7, "not as if an hour had passed"
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    world.matcher.wait_for("event=clock_stepped")
    desk.report((24.52, 117.65), priority=3)
    desk.unit(UNIT, is_live)
    assert "whole" in world.ask_journal("verify")


def test_a_clock_that_is_a_little_behind_after_a_restart(world: World, clock: ClockCell) -> None:
    """The journal's newest time is where the next run begins: no deadline comes late."""
    world.start()
    world.log_on()
    desk, crew = world.desk, world.crew(UNIT)
    incident = desk.report(PLACE, priority=1)
    order = desk.order(incident, UNIT, "delivered")
    delivered_s = time.monotonic()
    world.matcher.kill()
    clock.set(-15.0)
    world.matcher.start()
    no_answer(desk, 2 * ANSWER_S)
    assert time.monotonic() - delivered_s < ANSWER_S + 8
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
