"""Two officers, two recorders: on by themselves, off only when they may, each file says whose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from protocol.entry import Alarm, DeviceEvent, EntryKind
from tests.firmware_bridge.process import BridgeProcess, recorder
from tests.hil.helpers import Emulator
from tests.rim.crew import Crew
from tests.rim.daemon import until
from tests.rim.journal import entries_of
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-recorders"), pytest.mark.timeout(120)]

UNIT = "611"
OFFICERS = {"body-1": "4711", "body-2": "4712"}
CLOCK_OFF_MS = {"body-1": 0, "body-2": -90_000}
CONFIRM_S = 5.0
SLACK_MS = 2_000  # of an offset: what the machine takes between two processes


@dataclass
class Car:
    """A unit on duty with its officers' recorders."""

    world: World
    bodies: dict[str, Emulator]
    crew: Crew

    def events(self, name: str) -> dict[str, DeviceEvent]:
        """The newest journaled event of that name of each recorder."""
        return {body.device: body for body in self._bodies(EntryKind.DEVICE) if body.name == name}

    def tracks(self) -> int:
        return len(self._bodies(EntryKind.TRACK))

    def alarms(self) -> list[Alarm]:
        return [one for one in self._bodies(EntryKind.ALARM) if one.code == "recorder_not_on"]

    def _bodies(self, kind: EntryKind) -> list[Any]:
        enrolment = self.world.enrolments[f"t-{UNIT}"]
        return [entry.body for entry in entries_of(self.world.journal, enrolment, kind)]

    def on_scene(self) -> tuple[str, str]:
        """(incident, order) of a call that this crew has arrived at."""
        incident = self.world.desk.report(self.world.terminals[UNIT].place)
        order = self.world.desk.order(incident, UNIT, "delivered")
        self.crew.answer(order, "accept")
        self.crew.order(order, "confirmed")
        self.crew.answer(order, "on-scene")
        return incident, order

    def all_are(self, *, on: bool) -> None:
        self.crew.wait(
            lambda s: [one["on"] for one in s["recorders"]] == [on] * len(OFFICERS),
            f"recorders {on}", CONFIRM_S,
        )  # fmt: skip


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Car]:
    with World(UNIT) as world, ExitStack() as ends:
        terminal = world.terminals[UNIT]
        terminal.settings["recording"] = {"stop_after_s": 0.5}
        world.start()
        folder = tmp_path_factory.mktemp("recorders")
        bodies = {
            name: ends.enter_context(
                recorder(folder, name, "--clock-offset-ms", str(CLOCK_OFF_MS[name]))
            )
            for name in OFFICERS
        }
        for body in bodies.values():
            body.event("ready")
        ends.enter_context(
            BridgeProcess(
                folder, recorders={name: folder / name for name in bodies}, socket=terminal.socket
            )
        )
        crew = terminal.crew()
        reply = crew.command(
            type="logon", unit=UNIT, crew=list(OFFICERS.values()), recorders=list(OFFICERS.items())
        )
        assert reply["type"] == "done", reply
        world.desk.unit(UNIT, lambda p: p["logon"] is not None and p["fix"] != "none")
        yield Car(world, bodies, crew)


def test_on_scene_starts_both_and_a_clear_while_transporting_stops_none(car: Car) -> None:
    assert not any(one["on"] for one in car.crew.state["recorders"])
    incident, order = car.on_scene()
    car.all_are(on=True)
    assert not car.crew.state["recorder_not_on"]
    started = until(lambda: _both(car.events("recording_on")), "both recordings in the journal")
    assert {event.order for event in started.values()} == {order}

    assert car.crew.command(type="set_status", status="transporting")["type"] == "done"
    car.crew.answer(order, "clear", disposition="arrest")
    car.crew.order(order, "cleared")
    later = car.tracks() + 2  # entries of 2 s each: many times the wait before a stop
    until(lambda: car.tracks() >= later, "two more entries of the track")
    assert all(one["on"] for one in car.crew.state["recorders"])
    assert not car.events("recording_off")

    assert car.crew.command(type="set_status", status="available")["type"] == "done"
    car.all_are(on=False)
    closed = until(lambda: _both(car.events("file_closed")), "both files in the journal")
    for name, event in closed.items():
        detail = dict(event.detail)
        assert detail["officer"] == OFFICERS[name]
        assert detail["incident"] == incident
        assert abs(detail["clock_offset_ms"] - CLOCK_OFF_MS[name]) < SLACK_MS
        assert len(detail["sha256"]) == 64
    assert not car.alarms()


def test_one_that_is_gone_sounds_and_is_told_to_the_desk(car: Car) -> None:
    car.bodies["body-2"].tell(do="fault", kind="hangup", seconds=60)
    until(lambda: car.events("absent"), "absent in the journal")
    _, order = car.on_scene()
    car.crew.wait(lambda s: s["recorder_not_on"], "sound", 3 * CONFIRM_S)
    by_name = {one["recorder"]: one for one in car.crew.state["recorders"]}
    assert by_name["body-1"]["on"]
    assert by_name["body-2"]["not_on"]
    alert = car.world.desk.wait(
        lambda: next(
            (a for a in car.world.desk.alerts.values() if a["kind"] == "recorder_not_on"), None
        ),
        "alert",
    )
    assert alert["unit"] == UNIT
    assert "body-2" in alert["text"]
    assert "4712" in alert["text"]
    (alarm,) = until(car.alarms, "alarm in the journal")
    assert "4712" in alarm.text
    car.crew.answer(order, "clear", disposition="handled")
    car.crew.wait(lambda s: not s["recorder_not_on"], "silence again")
    car.world.ask_journal("verify")


def _both(found: dict[str, DeviceEvent]) -> dict[str, DeviceEvent]:
    return found if found.keys() == OFFICERS.keys() else {}
