"""A copied card in a second terminal: one holds the line, both are held for a person, and an SOS
of either still counts.
"""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.rim.daemon import until
from tests.rim.terminal import PLACE, Terminal, make_terminal
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-states-twin"), pytest.mark.timeout(120)]

UNIT = "611"
BOTH_SPOKE_S = 60.0


@pytest.fixture
def world() -> Iterator[World]:
    with World(UNIT) as world:
        world.terminals[UNIT].settings["broker"]["backoff_cap_s"] = 4.0
        world.start()
        world.log_on()
        yield world


@pytest.fixture
def twin(world: World) -> Iterator[Terminal]:
    """The same keys and a copy of the store, in another place; not started."""
    terminal = world.terminals[UNIT]
    crew = world.crew(UNIT)
    crew.wait(lambda s: s["waiting_entries"] == 0, "all receipted")
    assert terminal.agent.stop() == 0
    copy = make_terminal(world.folder, "copy", 5, world.broker.port)
    copy.settings["keys"]["folder"] = world.keys(f"t-{UNIT}")
    copy.settings["broker"]["backoff_cap_s"] = 4.0
    shutil.copy(terminal.store, copy.store)
    yield copy
    for one in copy.crews:
        one.close()
    copy.agent.stop()
    copy.receiver.stop()


def start_as(copy: Terminal, device: str) -> None:
    """Its settings name the terminal that it is a copy of."""
    copy.write_config()
    text = copy.config.read_text().replace(f'device = "{copy.device}"', f'device = "{device}"')
    copy.config.write_text(text)
    copy.receiver.start("ready")
    copy.agent.start()


def sos(terminal: Terminal, number: int) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as device:
        device.settimeout(10)
        device.connect(str(terminal.socket))
        event = {"type": "event", "device": "body-1", "device_kind": "recorder", "boot": 9,
                 "event": number, "name": "sos"}  # fmt: skip
        device.sendall(json.dumps(event).encode() + b"\n")
        assert json.loads(device.makefile().readline())["type"] == "kept"


def test_a_cloned_card_is_found_and_held(world: World, twin: Terminal) -> None:
    desk, terminal = world.desk, world.terminals[UNIT]
    terminal.start()
    terminal.agent.wait_for("event=welcomed")
    start_as(twin, terminal.device)
    twin.agent.wait_for("event=welcomed")
    alert = desk.wait(
        lambda: next((a for a in desk.alerts.values() if a["kind"] == "twin_terminal"), None),
        "people are told", BOTH_SPOKE_S,
    )  # fmt: skip
    assert f"t-{UNIT}" in alert["text"]
    desk.unit(UNIT, lambda p: p["hold"] is True)
    began_s = time.monotonic()
    connects = terminal.agent.count("mqtt_connected") + twin.agent.count("mqtt_connected")
    until(lambda: time.monotonic() > began_s + 10, "ten seconds of two on one line", 15)
    more = terminal.agent.count("mqtt_connected") + twin.agent.count("mqtt_connected") - connects
    assert more <= 10, "no ping-pong"
    for number, one in enumerate((terminal, twin), 1):
        sos(one, number)

        def all_heard(wanted: int = number) -> bool:
            kinds = [a["kind"] for a in desk.alerts.values()]
            return kinds.count("sos") == 1 and kinds.count("sos_again") == wanted - 1

        desk.wait(all_heard, "the SOS of each reaches the desk", BOTH_SPOKE_S)
    incident = desk.report(PLACE)
    desk.incident(incident, "pending")
    assert not desk.states_of(incident, UNIT), "the unit is not sent by rule"
