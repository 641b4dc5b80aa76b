"""kill -9 while an order stands on the screen: it is back, and sounds again only as it may.

A hundred kills with `--long`, in worlds that run beside each other. The screen here does what every
screen must: it sounds where a card says `chime`, and says `chimed` when it has.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from protocol.entry import Delivered, Logon, OrderAnswer
from protocol.order import Answer
from tests.agent.centre import Centre, order
from tests.agent.conftest import World
from tests.agent.enrolled import now_ms
from tests.agent.process import AgentProcess, Crew

pytestmark = pytest.mark.timeout(240)

WORLDS = 4
KILLS, KILLS_LONG = 6, 25  # in each
BACK_S = 3.0  # the promise; printed, since it belongs to the machine
BACK_S_MAX = 12.0
DIED_WITHIN_S = 1.0
LIFE_MS = 600_000
ROUNDS = 40


class Screen:
    """`chimes` by (order, revision) over all its connections; `first_s`: when, by the test."""

    def __init__(self, agent: AgentProcess) -> None:
        self.agent = agent
        self.chimes: Counter[tuple[str, int]] = Counter()
        self.chimed_s: dict[tuple[str, int], float] = {}

    def shows(self, name: str, *, says_so: bool = True) -> dict[str, Any]:
        """The card once it stands there; it has sounded, and was told so where `says_so`."""
        crew = self._connected()
        try:
            crew.say(type="watch")
            state = crew.until(lambda s: _card(s, name), f"card {name}", BACK_S_MAX)
            card = _card(state, name)
            assert card is not None
            if card["chime"]:
                key = name, card["shown_revision"]
                self.chimes[key] += 1
                self.chimed_s[key] = time.monotonic()
                if says_so:
                    crew.say(type="chimed", order=name, revision=card["shown_revision"])
                    crew.until(lambda m: m["type"] == "done", "done")
            return card
        finally:
            crew.close()

    def _connected(self) -> Crew:
        deadline_s = time.monotonic() + BACK_S_MAX
        while True:
            try:
                return Crew(self.agent.socket)
            except OSError:
                assert time.monotonic() < deadline_s, "no socket"
                time.sleep(0.01)


def _card(state: dict[str, Any], name: str) -> dict[str, Any] | None:
    cards = state["orders"] if state["type"] == "state" else ()
    return next((one for one in cards if one["order"] == name), None)


def _send(centre: Centre, name: str, logon: int, revision: int) -> None:
    """Send a revision, again and again as the matcher does, until it is delivered."""
    sent = centre.dispatch(order(name, logon, revision=revision, expires_ms=now_ms() + LIFE_MS))

    def is_delivered() -> bool:
        delivered = centre.bodies(Delivered)
        return any((name, revision) == (one.order, one.revision) for one in delivered)

    for _ in range(ROUNDS):
        if centre.happens(is_delivered, 0.5):
            return
        centre.send_bytes(sent)
    raise AssertionError(f"revision {revision} not delivered; faults {centre.faults}")


@pytest.mark.parametrize("seed", range(WORLDS))
def test_it_is_back_and_sounds_once(
    world: World, seed: int, long_run: bool, record_property: Callable[[str, object], None]
) -> None:
    centre, agent, rng = world.centre, world.agent, random.Random(seed)
    agent.start()
    screen, backs_s, unheard = Screen(agent), list[float](), set[tuple[str, int]]()
    number = agent.crew().ask(type="logon", unit="621", crew=["4711"])["entry"]
    centre.wait(lambda: centre.bodies(Logon), "log-on")
    revision = 0
    for i in range(KILLS_LONG if long_run else KILLS):
        dies_before_it_is_told = i % 3 == 2
        if i % 3 != 1:  # each third kill is of an order that has long been there
            revision += 1
            _send(centre, "o-1", number, revision)
            screen.shows("o-1", says_so=not dies_before_it_is_told)
        if dies_before_it_is_told:
            unheard.add(("o-1", revision))
        else:
            threading.Event().wait(rng.random() * 0.3)
        agent.kill()
        died_s = time.monotonic()
        if dies_before_it_is_told:
            assert died_s - screen.chimed_s["o-1", revision] < DIED_WITHIN_S
        agent.start()
        card = screen.shows("o-1")
        backs_s.append(time.monotonic() - died_s)
        assert card["shown_revision"] == revision
        assert card["state"] == "delivered"
        assert card["chime"] is (("o-1", revision) in unheard and dies_before_it_is_told)

    once = {key: 2 if key in unheard else 1 for key in screen.chimes}
    assert screen.chimes == once, "a chime too many, or none"
    assert len(screen.chimes) == revision
    record_property("back_s", [round(one, 2) for one in backs_s])
    print(f"back: p50 {median(backs_s):.2f} s, slowest {max(backs_s):.2f} s; promised {BACK_S} s")  # noqa: T201
    assert max(backs_s) < BACK_S_MAX
    _agree(world, revision)


def _agree(world: World, revision: int) -> None:
    """Once the line is quiet, terminal and centre say the same of the order."""
    crew = world.agent.crew()
    said = crew.ask(type="answer", order="o-1", answer="accept")
    assert said["type"] == "done", said
    world.centre.wait(lambda: world.centre.bodies(OrderAnswer), "accept")
    crew.say(type="watch")
    last = crew.until(lambda s: s.get("waiting_entries") == 0, "all receipted", 20)
    card = _card(last, "o-1")
    assert card is not None
    delivered = [one.revision for one in world.centre.bodies(Delivered) if one.outcome == "shown"]
    assert sorted(delivered) == list(range(1, revision + 1)), "each shown, and once"
    (answer,) = world.centre.bodies(OrderAnswer)
    assert (answer.order, answer.revision, answer.answer) == ("o-1", revision, Answer.ACCEPT)
    assert (card["state"], card["shown_revision"]) == ("accepted", revision)
