"""A terminal whose system clock is wrong by years, or is set while an order is open."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.entry import EntryKind
from tests.authority.fleet import real_now_ms
from tests.rim.clock_cell import HOUR_S, YEAR_S, ClockCell
from tests.rim.daemon import until
from tests.rim.journal import entries_of
from tests.rim.terminal import PLACE
from tests.rim.world import World, is_live

pytestmark = [pytest.mark.xdist_group("rim-clock-terminal"), pytest.mark.timeout(120)]

UNIT = "611"
_NOW_S = real_now_ms() / 1000
WRONG = {
    "1970": 40.0 - _NOW_S,
    "20 years behind": -20 * YEAR_S,
    "20 years ahead": 20 * YEAR_S,
    "past 2038": (1 << 31) + 1e6 - _NOW_S,
}
NEAR_MS = 3_000


@pytest.fixture
def world() -> Iterator[World]:
    with World(UNIT) as world:
        yield world


@pytest.fixture
def clock(world: World) -> ClockCell:
    clock = ClockCell(world.folder)
    clock.under(world.terminals[UNIT].agent)
    return clock


def answered_order(world: World) -> None:
    """An order from its report to the confirmed acceptance, each entry at its true time."""
    desk, crew = world.desk, world.crew(UNIT)
    incident, began_ms = desk.report(PLACE, priority=1), real_now_ms()
    order = desk.order(incident, UNIT, "delivered")
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    enrolment = world.enrolments[f"t-{UNIT}"]
    answer = entries_of(world.journal, enrolment, EntryKind.ANSWER)[-1]
    assert began_ms - NEAR_MS <= answer.time_ms <= real_now_ms() + NEAR_MS


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_a_clock_that_is_wrong_by_years(world: World, clock: ClockCell, wrong: str) -> None:
    """Certificates look not yet valid, or long expired: it serves, and its times are true."""
    clock.set(WRONG[wrong])
    world.start()
    world.log_on()
    answered_order(world)
    assert world.desk.refused("not_yet_valid") == 0
    feature = world.desk.unit(UNIT, is_live)
    assert "suspect" not in feature["properties"]["flags"]


@pytest.mark.parametrize("wrong", ["1970", "20 years ahead"])
def test_without_a_receiver_the_welcome_gives_the_time(
    world: World, clock: ClockCell, wrong: str
) -> None:
    clock.set(WRONG[wrong])
    terminal = world.terminals[UNIT]
    terminal.settings["gnss"]["port"] = world.folder / "no-receiver"
    world.start()
    crew = terminal.crew()
    crew.log_on(UNIT)
    world.desk.unit(UNIT, lambda p: p["logon"] is not None)
    incident = world.desk.report((24.6, 117.7))
    world.desk.done("assign", incident=incident, unit=UNIT, reason="voice")
    order = world.desk.order(incident, UNIT, "delivered")
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    enrolment = world.enrolments[f"t-{UNIT}"]
    answer = entries_of(world.journal, enrolment, EntryKind.ANSWER)[-1]
    assert abs(answer.time_ms - real_now_ms()) < 20_000
    assert answer.time_trust == 2, "ntp: as good as the welcome"


@pytest.mark.parametrize("synced", [False, True], ids=["by-hand", "called-synchronised"])
@pytest.mark.parametrize("step_s", [-HOUR_S, HOUR_S], ids=["back", "forward"])
def test_a_clock_set_while_an_order_is_open(
    world: World, clock: ClockCell, step_s: float, synced: bool
) -> None:
    """The order stays, can be answered, nothing is repeated in a loop."""
    clock.set(0.0, is_synchronized=synced)
    world.start()
    world.log_on()
    desk, crew, agent = world.desk, world.crew(UNIT), world.terminals[UNIT].agent
    incident = desk.report(PLACE, priority=2)  # 20 s to answer
    order = desk.order(incident, UNIT, "delivered")
    cpu_before_s, began_s = cpu_s(agent.pid), time.monotonic()
    clock.set(step_s, is_synchronized=synced)
    until(lambda: time.monotonic() > began_s + 4, "four seconds with the wrong clock")
    assert (cpu_s(agent.pid) - cpu_before_s) / (time.monotonic() - began_s) < 0.5, "no busy loop"
    card = crew.order(order)
    assert card["state"] == "delivered", "neither expired nor closed"
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    enrolment = world.enrolments[f"t-{UNIT}"]
    for one in entries_of(world.journal, enrolment):
        assert abs(one.time_ms - real_now_ms()) < 120_000, "every entry at its true time"
    second = crew.command(type="set_status", status="busy")
    assert second["type"] == "done"
    desk.unit(UNIT, is_live)
