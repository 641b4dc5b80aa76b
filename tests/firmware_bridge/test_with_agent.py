"""Device to centre with nothing played: emulated devices, the bridge, the agent, a broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_bridge.device_command import main as device_send
from protocol.entry import DeviceEvent
from tests.agent.centre import Centre
from tests.agent.enrolled import Enrolment
from tests.agent.process import AgentProcess, Receiver
from tests.broker import Broker
from tests.firmware_bridge.process import BridgeProcess, board, recorder
from tests.hil.helpers import Emulator


@dataclass
class World:
    centre: Centre
    agent: AgentProcess
    board: Emulator
    body: Emulator
    bridge: BridgeProcess

    def events(self, name: str, device: str | None = None) -> list[DeviceEvent]:
        found = self.centre.bodies(DeviceEvent)
        return [one for one in found if one.name == name and device in {None, one.device}]

    def event(self, name: str) -> DeviceEvent:
        found: DeviceEvent = self.centre.wait(lambda: self.events(name), name)[0]
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    enrolment = Enrolment(tmp_path / "pki")
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(tmp_path / "broker", enrolment))
        centre = Centre(enrolment, broker.port, enrolment.client("centre"))
        stack.callback(centre.close)
        receiver = Receiver()
        stack.callback(receiver.close)
        agent = AgentProcess(tmp_path, enrolment.keys, broker.port, receiver.path)
        agent.start()
        stack.callback(agent.stop)
        car_board, body = (
            stack.enter_context(one) for one in (board(tmp_path, "--chatter"), recorder(tmp_path))
        )
        for device in (car_board, body):
            device.event("ready")
        bridge = BridgeProcess(
            tmp_path,
            boards={"board-1": tmp_path / "board"},
            recorders={"body-1": tmp_path / "body-1"},
            socket=agent.socket,
        )
        stack.enter_context(bridge)
        centre.wait(lambda: centre.bodies(DeviceEvent), "present")
        yield World(centre, agent, car_board, body, bridge)


def test_ignition_recording_and_one_sos_over_the_agents_death(world: World) -> None:
    world.board.tell(do="input", name="ignition", on=True)
    assert dict(world.event("ignition").detail)["on"] is True
    for name in ("record_on", "mark", "record_off"):
        world.body.tell(do=name)
    assert len(str(dict(world.event("file_closed").detail)["sha256"])) == 64
    world.agent.kill()
    world.board.tell(do="input", name="sos", on=True)
    world.body.tell(do="record_on")
    world.agent.start()
    sos = world.event("sos")
    assert (sos.device, sos.event, dict(sos.detail)["source"]) == ("board-1", 2, "button")
    world.centre.wait(lambda: len(world.events("recording_on")) == 2, "second recording")
    world.bridge.kill()  # the board says all of it again
    world.bridge.start()
    world.board.tell(do="input", name="sos", on=False)
    world.event("input")
    assert len(world.events("sos")) == 1
    assert len(world.events("ignition")) == 1
    assert len(world.events("recording_on")) == 2


def test_sos_reaches_the_agents_logbook_in_time_and_by_hand_once(world: World) -> None:
    pressed_s = time.monotonic()
    world.board.tell(do="input", name="sos", on=True)
    world.event("sos")
    assert time.monotonic() - pressed_s < 2
    for _ in range(3):
        sent = device_send(
            ["sos", "--device", "body-2", "--event", "1", "--socket", str(world.agent.socket)]
        )
        assert sent == 0
    world.centre.wait(lambda: world.events("sos", "body-2"), "sos by hand")
    assert device_send(["mark", "--socket", str(world.agent.socket)]) == 0
    world.event("mark")
    assert len(world.events("sos", "body-2")) == 1
