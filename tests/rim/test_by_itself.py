"""Driving off and arriving tell themselves: no touch after the accept, told apart from one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from protocol.entry import Entry, EntryKind, OrderAnswer
from protocol.order import Answer, AnswerMeans
from tests.rim.daemon import until
from tests.rim.journal import entries_of
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-by-itself"), pytest.mark.timeout(240)]

UNIT = "611"
AWAY_DEG = 0.002  # about 220 m
STANDING_MS = 60_000
ARRIVES_S = 120.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(UNIT) as world:
        world.start()
        world.log_on()
        yield world


def automatic(world: World, order: str, answer: Answer) -> tuple[Entry, OrderAnswer] | None:
    """The journaled answer to `order`, by itself."""
    for entry in entries_of(world.journal, world.enrolments[f"t-{UNIT}"], EntryKind.ANSWER):
        body = entry.body
        if isinstance(body, OrderAnswer) and (body.order, body.answer) == (order, answer):
            assert body.means == AnswerMeans.AUTOMATIC
            return entry, body
    return None


def sent_off(world: World) -> tuple[str, str, tuple[float, float]]:
    """(incident, order, place): accepted, and on the way."""
    start = world.terminals[UNIT].place
    place = start[0] + AWAY_DEG, start[1]
    incident = world.desk.done(
        "report", kind="theft", priority=1, plan={"units": 1, "officers": 1},
        place={"lat": place[0], "lon": place[1], "accuracy_m": 20},
    ).incident  # fmt: skip
    assert incident is not None
    order = world.desk.order(incident, UNIT, "delivered")
    world.crew(UNIT).answer(order, "accept")
    world.crew(UNIT).order(order, "confirmed")
    way = {"do": "route", "points": [start, place], "speed_mps": 14}
    world.terminals[UNIT].receiver.tell(json.dumps(way))
    return incident, order, place


@pytest.mark.long
def test_an_arrival_tells_itself_with_the_time_at_which_standing_began(world: World) -> None:
    """First, while the unit stands where the world put it."""
    incident, order, place = sent_off(world)
    crew = world.crew(UNIT)
    crew.order(order, "en_route")
    crew.wait(
        lambda s: next(c for c in s["orders"] if c["order"] == order)["state"] == "on_scene",
        "on scene", ARRIVES_S,
    )  # fmt: skip
    assert crew.order(order)["means"] == "automatic"
    world.desk.incident(incident, "on_scene")
    found = until(lambda: automatic(world, order, Answer.ON_SCENE), "on scene in the journal")
    _, body = found
    assert body.here is not None
    assert body.here.age_ms >= STANDING_MS
    assert abs(body.here.lat_e7 / 1e7 - place[0]) < 1e-4
    crew.answer(order, "clear", disposition="handled")
    world.ask_journal("verify")


def test_driving_off_tells_itself_with_the_time_at_which_it_began(world: World) -> None:
    incident, order, _ = sent_off(world)
    world.crew(UNIT).order(order, "en_route")
    assert world.crew(UNIT).order(order)["means"] == "automatic"
    assert world.desk.order(incident, UNIT, "en_route") == order
    found = until(lambda: automatic(world, order, Answer.EN_ROUTE), "en route in the journal")
    _, body = found
    assert body.here is not None
    assert 3_000 <= body.here.age_ms < STANDING_MS
    world.crew(UNIT).answer(order, "clear", disposition="handled")
