"""Board and recorder to the centre's journal and alert: nothing between them is played."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from protocol.entry import DeviceEvent, Entry, EntryKind
from protocol.words import TimeTrust
from tests.firmware_bridge.process import BridgeProcess, board, recorder
from tests.hil.helpers import Emulator
from tests.rim.daemon import until
from tests.rim.journal import entries_of
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-devices"), pytest.mark.timeout(90)]

UNIT = "611"
SOS_S = 2.0


@dataclass
class Car:
    """A unit on duty with a board and a recorder at its bridge."""

    world: World
    board: Emulator
    body: Emulator
    bridge: BridgeProcess

    def event(self, name: str) -> tuple[Entry, DeviceEvent]:
        """The one journaled event of that name."""

        def find() -> list[tuple[Entry, DeviceEvent]]:
            enrolment = self.world.enrolments[f"t-{UNIT}"]
            kept = entries_of(self.world.journal, enrolment, EntryKind.DEVICE)
            bodies = [(e, e.body) for e in kept if isinstance(e.body, DeviceEvent)]
            return [(entry, body) for entry, body in bodies if body.name == name]

        found = until(find, f"{name} in the journal")
        assert len(found) == 1, found
        return found[0]


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Car]:
    with World(UNIT) as world, ExitStack() as ends:
        world.start()
        world.log_on()
        folder = tmp_path_factory.mktemp("devices")
        on_board = ends.enter_context(board(folder))
        body = ends.enter_context(recorder(folder))
        for device in (on_board, body):
            device.event("ready")
        bridge = BridgeProcess(
            folder,
            boards={"board-1": folder / "board"},
            recorders={"body-1": folder / "body-1"},
            socket=world.terminals[UNIT].socket,
        )
        yield Car(world, on_board, body, ends.enter_context(bridge))


def test_events_carry_place_order_and_trust_of_their_instant(car: Car) -> None:
    place = car.world.terminals[UNIT].place
    car.board.tell(do="input", name="ignition", on=True)
    _, ignition = car.event("ignition")
    assert ignition.order is None
    incident = car.world.desk.report((place[0] + 0.002, place[1]))
    order = car.world.desk.order(incident, UNIT, "delivered")
    car.world.crew(UNIT).answer(order, "accept")
    car.world.desk.order(incident, UNIT, "confirmed")
    for step in ("record_on", "mark", "record_off"):
        car.body.tell(do=step)
    for name in ("recording_on", "mark", "recording_off", "file_closed"):
        entry, event = car.event(name)
        assert event.order == order
        assert entry.time_trust >= TimeTrust.NTP
        assert event.here is not None
        assert abs(event.here.lat_e7 / 1e7 - place[0]) < 1e-4
        assert abs(event.here.lon_e7 / 1e7 - place[1]) < 1e-4
    sha256 = dict(car.event("file_closed")[1].detail)["sha256"]
    assert isinstance(sha256, str)
    assert len(sha256) == 64


def test_sos_alarms_the_desk_in_time_and_once(car: Car) -> None:
    pressed_s = time.monotonic()
    car.board.tell(do="input", name="sos", on=True)
    alert = car.world.desk.wait(
        lambda: next((a for a in car.world.desk.alerts.values() if a["kind"] == "sos"), None),
        "sos alert",
    )
    assert time.monotonic() - pressed_s < SOS_S  # the promise to the officer, not a speed
    assert alert["unit"] == UNIT
    assert alert["text_zh"]
    car.bridge.kill()  # the board says all of it again
    car.bridge.start()
    car.board.tell(do="input", name="sos", on=False)
    car.event("input")
    car.event("sos")
    assert [a["kind"] for a in car.world.desk.alerts.values()].count("sos") == 1
    car.world.desk.unit(UNIT, lambda properties: properties["status"] == "emergency")
    car.world.ask_journal("verify")
