"""kill -9 at any instant: no entry, event or order is lost, none is taken twice."""

from __future__ import annotations

import random
import threading

from protocol.entry import Delivered, DeviceEvent, Logon, Start
from tests.agent.centre import Centre, order
from tests.agent.conftest import World
from tests.agent.process import Crew

KILLS = 4


class Recorder:
    """Sends numbered events one after the other, each until it is kept; survives the agent."""

    def __init__(self, world: World) -> None:
        self._world, self._over = world, threading.Event()
        self.kept = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                crew = Crew(self._world.agent.socket)
            except OSError:
                self._over.wait(0.02)
                continue
            try:
                while not self._over.is_set():
                    self._send(crew, self.kept + 1)
                    self.kept += 1
            except (OSError, ValueError):
                continue  # the agent is gone: again with the same event
            finally:
                crew.close()

    @staticmethod
    def _send(crew: Crew, number: int) -> None:
        answer = crew.ask(
            type="event", device="body-1", device_kind="recorder", boot=1, event=number,
            name="mark",
        )  # fmt: skip
        assert answer["type"] == "kept"


def repeat(centre: Centre, undelivered: dict[str, bytes], rounds: int) -> None:
    """Send again what is not delivered, as the matcher does, until all is."""

    def all_delivered() -> bool:
        for one in centre.bodies(Delivered):
            if one.outcome == "shown":
                undelivered.pop(one.order, None)
        return not undelivered

    for _ in range(rounds):
        for message in tuple(undelivered.values()):
            centre.send_bytes(message)
        if centre.happens(all_delivered, 0.5):
            return


def test_kills_at_random_instants_lose_and_double_nothing(world: World) -> None:
    centre, agent, rng = world.centre, world.agent, random.Random(7)
    agent.start()
    number = agent.crew().ask(type="logon", unit="621", crew=["4711"])["entry"]
    centre.wait(lambda: centre.bodies(Logon), "log-on")
    recorder = Recorder(world)
    undelivered: dict[str, bytes] = {}
    try:
        for round_number in range(KILLS):
            centre.gives_receipts = round_number % 2 == 0
            for i in range(3):
                name = f"o-{round_number}-{i}"
                undelivered[name] = centre.dispatch(order(name, number))
            threading.Event().wait(rng.random() * 0.25)
            agent.kill()
            agent.start()
            repeat(centre, undelivered, rounds=1)
    finally:
        recorder.stop()
    centre.gives_receipts = True

    crew = agent.crew()
    crew.say(type="watch")
    repeat(centre, undelivered, rounds=40)
    assert not undelivered, centre.faults
    last = crew.until(lambda s: s["waiting_entries"] == 0, "all receipted", timeout_s=20)
    assert last["refused"] == {}
    assert len(centre.bodies(Start)) == KILLS + 1
    shown = [one.order for one in centre.bodies(Delivered) if one.outcome == "shown"]
    assert sorted(shown) == [f"o-{r}-{i}" for r in range(KILLS) for i in range(3)]
    others = {one.outcome for one in centre.bodies(Delivered)} - {"shown"}
    assert others <= {"kept"}, "without trusted time they wait for the welcome"
    events = [one.event for one in centre.bodies(DeviceEvent)]
    assert sorted(events) == sorted(set(events)), "an event twice"
    assert set(range(1, recorder.kept + 1)) <= set(events), "a kept event is missing"
    assert recorder.kept > KILLS
    (book,) = centre.entries.values()
    assert sorted(book) == list(range(1, len(book) + 1)), "a gap"
