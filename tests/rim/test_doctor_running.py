"""`outrider doctor` beside running daemons: it asks them, finds faults, and disturbs nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.pki import Pki
from tests.rim.crew import Crew
from tests.rim.daemon import REPOSITORY, environment, outrider, until
from tests.rim.doctor_rig import doctor
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-doctor-running"), pytest.mark.timeout(90)]

UNIT = "611"
COLUMNS = 80


@pytest.fixture(scope="module")
def running() -> Iterator[World]:
    with World(UNIT) as world:
        world.start()
        world.log_on()
        yield world


@pytest.fixture
def world(running: World) -> World:
    """Everything as it should be, whatever the test before has broken."""
    receiver = running.terminals[UNIT].receiver
    if not receiver.is_alive:
        receiver.start("ready")
    crew(running).log_on(UNIT)
    is_whole(running)
    return running


def crew(world: World) -> Crew:
    return world.terminals[UNIT].crews[0]


def is_whole(world: World) -> None:
    crew(world).wait(
        lambda s: s["link"] == "up" and s["welcomed"] and s["fix"] and s["fix"]["fix"] != "none",
        "a terminal that is well",
    )


def sessions(world: World) -> int:
    return world.broker.log_count(f"New client connected .* as testfleet.t-{UNIT} ")


def test_a_healthy_terminal_is_all_well_and_undisturbed(world: World) -> None:
    """No second session, no second reader: the agent sees nothing of it."""
    agent = world.terminals[UNIT].agent
    before = (sessions(world), agent.count("mqtt_disconnected"), agent.count("port_lost"))
    fixes = crew(world).state["fix"]["time_ms"]
    for _ in range(3):
        report = doctor(world.config(UNIT))
        assert report.others() == []
        assert report.code == 0
    crew(world).wait(lambda s: s["fix"]["time_ms"] > fixes, "fixes go on")
    after = (sessions(world), agent.count("mqtt_disconnected"), agent.count("port_lost"))
    assert after == before
    assert report.findings["agent"]["found"] == f"runs (process {agent.pid}) and answers"


def test_a_healthy_centre_is_well_and_undisturbed(world: World) -> None:
    """What its clock is worth depends on this computer; its session is not touched."""
    before = world.broker.log_count("New client connected .* as testfleet.matcher ")
    report = doctor(world.matcher_config)
    assert report.others("clock") == []
    assert f"process {world.matcher.pid}" in report.findings["matcher"]["found"]
    assert "the session is the daemon's own" in report.findings["broker"]["found"]
    assert world.broker.log_count("New client connected .* as testfleet.matcher ") == before


def test_a_bridge_that_may_speak_to_its_agent(world: World, tmp_path: Path) -> None:
    config = tmp_path / "bridge.toml"
    terminal = world.terminals[UNIT]
    port, absent = terminal.folder / f"{UNIT}.gnss", tmp_path / "absent"
    for path in (port, absent):
        config.write_text(
            f'[agent]\nsocket = "{terminal.socket}"\n[[recorder]]\nname = "r-1"\nport = "{path}"\n'
        )
        report = doctor(config)
        assert report.others("port r-1") == []
        assert (report.findings["port r-1"]["level"] == "ok") == (path == port)
    assert "is not there" in report.findings["port r-1"]["found"]


def test_unit_not_logged_on(world: World) -> None:
    assert crew(world).command(type="logoff")["type"] == "done"
    report = doctor(world.config(UNIT))
    report.fault("unit", "no unit is logged on", "outrider agent logon")


def test_port_missing(world: World) -> None:
    world.terminals[UNIT].receiver.stop()
    crew(world).wait(lambda s: "unplugged" in s["fix"]["flags"], "the loss shows")
    report = doctor(world.config(UNIT))
    assert report.others("port", "gnss", "clock") == []
    assert "is not there" in report.findings["port"]["found"]
    assert "lost the receiver" in report.findings["gnss"]["found"]


def test_no_fix(world: World) -> None:
    receiver = world.terminals[UNIT].receiver
    receiver.tell('{"do":"fault","kind":"nofix","seconds":60}')
    crew(world).wait(lambda s: s["fix"]["fix"] == "none", "no fix")
    report = doctor(world.config(UNIT))
    receiver.stop()
    assert report.others("gnss", "clock") == []
    assert "no fix" in report.findings["gnss"]["found"]
    assert "antenna" in report.findings["gnss"]["remedy"]


def test_no_sentences(world: World) -> None:
    terminal = world.terminals[UNIT]
    terminal.receiver.tell('{"do":"fault","kind":"gap","seconds":60}')
    until(lambda: crew(world).status()["fix"]["age_ms"] > 4000, "silence")
    report = doctor(world.config(UNIT))
    terminal.receiver.stop()
    assert report.others("gnss") == []
    assert "no sentences" in report.findings["gnss"]["found"]


def test_broker_unreachable(world: World) -> None:
    world.broker.kill()
    crew(world).wait(lambda s: s["link"] == "down", "link down")
    report = doctor(world.config(UNIT))
    world.broker.start()
    report.fault("broker", "unreachable", "connection refused", "start mosquitto")


def test_broker_of_another_root(world: World, tmp_path: Path) -> None:
    world.broker.kill()
    crew(world).wait(lambda s: s["link"] == "down", "link down")
    other = Broker(tmp_path, Pki(tmp_path / "pki"))
    other.port = world.broker.port
    with other:
        report = doctor(world.config(UNIT))
    world.broker.start()
    report.fault("broker", "wrong broker certificate", "not of our root")


def test_not_authorised_by_the_access_list(world: World) -> None:
    """The session stands, and nothing goes through."""
    world.broker.kill()
    bare = world.fleet.broker()
    bare.port = world.broker.port
    bare.acl_file.write_text("# nobody may anything\n")
    with bare:
        crew(world).wait(lambda s: s["link"] == "up" and not s["welcomed"], "connected in vain")
        report = doctor(world.config(UNIT))
    world.broker.start()
    report.fault("broker", "does not answer", "not authorised", "authority list")


def test_an_agent_that_hangs_is_told(world: World) -> None:
    agent = world.terminals[UNIT].agent
    agent.signal(signal.SIGSTOP)
    try:
        report = doctor(world.config(UNIT))
    finally:
        agent.signal(signal.SIGCONT)
    found = report.findings["agent"]
    assert "does not answer" in found["found"]
    assert "restart outrider-agent" in found["remedy"]
    assert "the session is the daemon's own" in report.findings["broker"]["found"]


def test_a_screen_of_80_columns_is_enough(world: World) -> None:
    assert crew(world).command(type="logoff")["type"] == "done"
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    command = outrider("doctor", "--config", world.config(UNIT))
    process = subprocess.Popen(command, stdout=slave, cwd=REPOSITORY, env=environment())
    os.close(slave)
    said = b""
    try:
        while chunk := os.read(master, 4096):
            said += chunk
    except OSError:  # EIO: the other end has closed
        assert process.wait(20) == 1
    os.close(master)
    lines = said.decode().splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert any(line.startswith("fault  unit         no unit is logged on") for line in lines)
    assert any(line.startswith(" " * 20 + "-> outrider agent logon") for line in lines)
