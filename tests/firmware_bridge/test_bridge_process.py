"""The whole bridge: emulated devices on pseudo-terminals, the real process, an agent's socket."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hil.pty_port import PtyLine
from tests.firmware_bridge.fake_agent import FakeAgent
from tests.firmware_bridge.process import BridgeProcess, board, recorder
from tests.hil.helpers import REPOSITORY, Emulator

SOS_S = 2.0


@dataclass
class World:
    folder: Path
    agent: FakeAgent
    board: Emulator
    body: Emulator
    bridge: BridgeProcess

    def sos(self) -> float:
        """Presses and lets go; returns the moment, monotonic."""
        at_s = time.monotonic()
        self.board.tell(do="input", name="sos", on=True)
        self.board.tell(do="input", name="sos", on=False)
        return at_s


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        agent = stack.enter_context(FakeAgent(tmp_path / "devices.sock"))
        car_board = stack.enter_context(board(tmp_path, "--chatter"))
        body = stack.enter_context(recorder(tmp_path))
        for device in (car_board, body):
            device.event("ready")
        bridge = BridgeProcess(
            tmp_path,
            boards={"board-1": tmp_path / "board"},
            recorders={"body-1": tmp_path / "body-1"},
        )
        stack.enter_context(bridge)
        agent.wait("both present", lambda: len(agent.events(name="present")) == 2)
        yield World(tmp_path, agent, car_board, body, bridge)


def test_ignition_and_sos(world: World) -> None:
    world.board.tell(do="input", name="ignition", on=True)
    ignition = world.agent.event(name="ignition")
    assert (ignition["device"], ignition["device_kind"], ignition["event"]) == (
        "board-1", "board", 1,
    )  # fmt: skip
    assert ignition["device_time_ms"] is None
    assert ignition["detail"]["on"] is True
    pressed_s = world.sos()
    sos = world.agent.event(name="sos")
    came_s = next(at for at, one in world.agent.heard if one.get("name") == "sos")
    assert came_s - pressed_s < SOS_S
    assert sos["detail"]["source"] == "button"
    world.agent.event(name="input", event=3)
    assert len(world.agent.events(name="sos")) == 1
    assert world.agent.sendings(sos) == 1  # kept at once, so not said again
    image = world.agent.event(name="image_state")
    assert image["device"] == "bridge"
    assert image["detail"]["slot0_version"] == "1.4.0"


def test_recording_mark_and_file_with_its_digest(world: World) -> None:
    for name in ("record_on", "mark", "record_off"):
        world.body.tell(do=name)
    closed = world.agent.event(name="file_closed")
    names = [one["name"] for one in world.agent.events(device="body-1", device_kind="recorder")]
    assert names == ["recording_on", "mark", "recording_off", "file_closed"]
    content = (world.folder / "media" / closed["detail"]["file"]).read_bytes()
    assert closed["detail"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert closed["detail"]["bytes"] == len(content)
    for number in range(1, 5):
        assert world.body.event("kept")["number"] == number


def test_commands_reach_the_recorder_and_their_results_the_agent(world: World) -> None:
    world.agent.command("body-1", 7, "record_on")
    result = world.agent.wait(
        "result", lambda: [m for _, m in world.agent.heard if m["type"] == "command_result"]
    )[0]
    assert (result["device"], result["id"], result["ok"]) == ("body-1", 7, True)
    world.agent.event(name="recording_on")
    world.agent.command("board-1", 8, "lamp")
    results = world.agent.wait("no", lambda: [m for _, m in world.agent.heard if m.get("id") == 8])
    assert results[0]["ok"] is False


def test_agents_restart_loses_nothing(world: World) -> None:
    world.agent.keeps = False  # it dies with these unsaid
    world.sos()
    world.body.tell(do="record_on")
    world.agent.event(name="recording_on")
    world.agent.event(name="sos")
    world.agent.stop()
    world.board.tell(do="input", name="ignition", on=True)
    world.body.tell(do="mark")
    world.body.event("made")
    with FakeAgent(world.folder / "devices.sock") as after:
        sos = after.event(name="sos")
        for name in ("recording_on", "mark", "ignition"):
            after.event(name=name)
        assert len(after.events(name="sos")) == 1
        assert {world.body.event("kept")["number"] for _ in range(2)} == {1, 2}
        assert sos["detail"]["ms_ago"] > 0


def test_not_kept_is_repeated_and_the_recorder_hears_nothing(world: World) -> None:
    world.agent.keeps = False
    world.body.tell(do="record_on")
    made = world.agent.event(name="recording_on")
    world.agent.wait("repeat", lambda: world.agent.sendings(made) >= 2)
    assert not [one for one in world.body.events if one["event"] == "kept"]
    world.agent.keeps = True
    world.body.event("kept")


def test_refused_by_the_agent_is_told_to_the_recorder(world: World) -> None:
    world.agent.refuses = lambda message: message["name"] == "recording_on"
    world.body.tell(do="record_on")
    assert world.body.event("refused")["reason"] == "no"


def test_bridge_killed_between_event_and_kept(world: World) -> None:
    world.agent.keeps = False
    world.sos()
    world.body.tell(do="record_on")
    world.agent.event(name="sos")
    world.agent.event(name="recording_on")
    world.bridge.kill()
    world.agent.keeps = True
    world.bridge.start()
    world.body.event("kept")
    sos = world.agent.event(name="sos")
    world.agent.wait("sos again", lambda: world.agent.sendings(sos) >= 2)
    assert len(world.agent.events(name="sos")) == 1


def test_port_unplugged_and_back(world: World) -> None:
    world.board.tell(do="fault", kind="hangup", seconds=4)
    world.body.tell(do="fault", kind="hangup", seconds=0.5)
    absent = world.agent.event(name="absent")
    assert absent["device"] == "bridge"
    assert absent["detail"]["device"] == "board-1"
    assert absent["detail"]["reason"]
    world.body.tell(do="record_on")
    world.agent.event(name="recording_on")
    world.board.event("ready")
    world.board.tell(do="input", name="ignition", on=True)
    world.agent.event(name="ignition")
    presents = world.agent.events(name="present")
    assert [one["detail"]["device"] for one in presents].count("board-1") == 2
    assert [one["detail"]["device"] for one in presents].count("body-1") == 1  # too short to tell


@pytest.mark.parametrize("kind", ["flip", "garbage", "stall", "gap"])
def test_a_bad_line_for_a_second_loses_no_event(world: World, kind: str) -> None:
    world.board.tell(do="fault", kind=kind, seconds=1)
    world.board.event("fault")
    world.sos()
    world.board.tell(do="input", name="ignition", on=True)
    world.agent.event(name="ignition")
    world.agent.event(name="sos")
    assert len(world.agent.events(device="board-1", device_kind="board")) == 3


def test_a_board_that_restarts_begins_a_new_boot(world: World) -> None:
    world.board.tell(do="input", name="ignition", on=True)
    assert world.agent.event(name="ignition")["boot"] == 1
    world.board.tell(do="reset")
    world.board.event("reset")
    world.board.tell(do="input", name="ignition", on=False)
    again = world.agent.event(name="ignition", boot=2)
    assert (again["event"], again["detail"]["on"]) == (1, False)


class Flood:
    """A recorder that shouts: `line` without end at the speed of a pseudo-terminal."""

    def __init__(self, link: Path, line: bytes) -> None:
        self._pty, self._line = PtyLine(link), line
        self._fd = self._pty.open()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._shout, daemon=True)
        self.bytes = 0

    def __enter__(self) -> Flood:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._pty.close()

    def _shout(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            try:
                self.bytes += os.write(self._fd, self._line.replace(b"NUMBER", b"%d" % number))
            except OSError:  # full, or nobody there
                self._over.wait(0.001)


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"event","device":"body-9","device_kind":"recorder","boot":1,"event":NUMBER,'
        b'"name":"mark"}\n',
        b'{"type":"event","device":"body-1","device_kind":"board","boot":1,"event":NUMBER,'
        b'"name":"sos"}\n',
        b"\x00\xff\x06\x09" * 500,
    ],
    ids=["own events", "lies", "noise"],
)
def test_a_flooding_recorder_stalls_nobody(tmp_path: Path, line: bytes) -> None:
    with (
        FakeAgent(tmp_path / "devices.sock") as agent,
        board(tmp_path) as car_board,
        recorder(tmp_path) as body,
        Flood(tmp_path / "body-9", line) as flood,
    ):
        car_board.event("ready")
        body.event("ready")
        bridge = BridgeProcess(
            tmp_path,
            boards={"board-1": tmp_path / "board"},
            recorders={"body-9": tmp_path / "body-9", "body-1": tmp_path / "body-1"},
        )
        with bridge:
            agent.event(name="image_state")
            agent.wait("flood", lambda: flood.bytes > 100_000)
            pressed_s = time.monotonic()
            car_board.tell(do="input", name="sos", on=True)
            body.tell(do="record_on")
            agent.event(name="sos", device="board-1")
            came_s = next(
                at
                for at, one in agent.heard
                if one.get("name") == "sos" and one["device"] == "board-1"
            )
            assert came_s - pressed_s < SOS_S
            agent.event(name="recording_on", device="body-1")
            agent.wait("report", lambda: bridge.logged("body-9: ") >= 1)
            agent.wait("slowed", lambda: bridge.logged("body-9: throttled") >= 1)
            assert not agent.events(device="body-1", name="sos")  # it spoke for another
        assert len(agent.events(device="body-9")) < 64 + 8 + 5 * 60


def test_a_board_that_does_not_read_stalls_nobody(tmp_path: Path) -> None:
    silent = PtyLine(tmp_path / "board-2")
    silent.open()
    try:
        with FakeAgent(tmp_path / "devices.sock") as agent, board(tmp_path) as car_board:
            car_board.event("ready")
            boards = {"board-2": tmp_path / "board-2", "board-1": tmp_path / "board"}
            with BridgeProcess(tmp_path, boards=boards):
                agent.event(name="image_state")
                car_board.tell(do="input", name="sos", on=True)
                agent.event(name="sos", timeout_s=SOS_S)
                absent = agent.event(name="absent")
                assert absent["detail"] == {"device": "board-2", "reason": "no answer"}
    finally:
        silent.close()


def test_stops_within_its_time_and_says_78_for_bad_settings(world: World) -> None:
    began_s = time.monotonic()
    assert world.bridge.stop() == 0
    assert time.monotonic() - began_s < 5
    world.bridge.config.write_text('[[board]]\nname = "board-1"\nport = "x"\npol_ms = 4\n')
    command = [sys.executable, "outrider.py", "bridge", "run"]
    ended = subprocess.run(
        [*command, "--config", str(world.bridge.config)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert ended.returncode == 78
    assert "did you mean poll_ms?" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_second_term_signal_changes_nothing(world: World) -> None:
    os.kill(world.bridge.pid, signal.SIGTERM)
    assert world.bridge.stop() == 0
