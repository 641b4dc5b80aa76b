"""A3, A7-A10, A12: the terminal's card, its stop, its loop, its settings, its keys, its twin.

A1 (killed at named points) is test_kill_points.py; A5 (clocks) is tests/rim/test_clock_terminal.py.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.history import History
from hil.tcp_proxy import TcpProxy
from tests.chaos.bent import bent
from tests.chaos.disks import full, read_only, small_disk
from tests.chaos.network_faults import is_down, is_up
from tests.chaos.scene import Scene
from tests.chaos.service_manager import is_fed, service_manager
from tests.rim.daemon import REPOSITORY, Daemon, until
from tests.rim.terminal import Terminal, make_terminal
from tests.rim.world import is_live

pytestmark = [pytest.mark.xdist_group("chaos-agent"), pytest.mark.timeout(180)]

SEED = 34
UNITS = ("601", "602", "603")
READY_S, BACK_S, SLACK_S = 3.0, 5.0, 4.0
STOP_S = 5.0
WATCHDOG_S = 4.0  # 20 s in service
CONFIG_FAULT = 78


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Unit 602's card is a small disk of its own."""
    with Scene(*UNITS, seed=SEED, lined=UNITS) as scene:
        card = scene.world.folder / "card"
        scene.tune("602", "store", file=card / "602.db")
        with small_disk(card, "3m"):
            scene.start()
            yield scene


def agent_of(scene: Scene, unit: str) -> Daemon:
    return scene.terminal(unit).agent


def starts_again(scene: Scene, unit: str, fault: str) -> None:
    since_s = time.monotonic()
    scene.terminal(unit).start()
    ready_s = time.monotonic() - since_s
    scene.measured(fault, "agent serving again", ready_s, READY_S + SLACK_S)
    back_s = scene.is_back(unit, since_s)
    scene.measured(fault, "position at the desk again", back_s, BACK_S + SLACK_S)


def holds(scene: Scene, *expected: str) -> None:
    scene.caller.go_on()
    scene.orders_done(1)
    scene.settle()
    scene.check(*expected)
    scene.caller.go_on()


def refuses_to_start(scene: Scene, unit: str) -> tuple[int, str]:
    """Exit code and words of a start that must fail."""
    agent = agent_of(scene, unit)
    mark = agent.mark
    agent.start(ready=None)
    code = agent.ended(30)
    said = "\n".join(agent.lines[mark[0] :])
    assert "event=ready" not in said
    return code, said


# --- A3: the card --------------------------------------------------------------------------------


def test_a3_card_full(scene: Scene) -> None:
    """The crew is told at the touch, positions go on, and it mends itself."""
    agent, player = agent_of(scene, "602"), scene.players["602"]
    scene.caller.pause()
    scene.settle()
    with full(scene.world.folder / "card"):
        touches = 0

        def is_told() -> bool:
            nonlocal touches
            touches += 1
            player.say(type="set_status", status=("busy", "available")[touches % 2])
            return any("disk is full" in reason for reason in player.refusals)

        until(is_told, "the crew is told", 30)
        agent.wait_for("event=store_full")
        scene.is_back("602", time.monotonic())
    since_s = time.monotonic()
    agent.wait_for("event=store_has_room")
    scene.measured("A3", "keeps again with room", time.monotonic() - since_s, BACK_S + SLACK_S)
    player.say(type="set_status", status="available")
    scene.desk.unit("602", lambda p: p["status"] == "available")
    holds(scene)


def test_a3_card_fails_at_a_sync(scene: Scene) -> None:
    agent = agent_of(scene, "601")
    agent.kill()
    with bent(agent, "fdatasync:error=EIO:when=15+"):
        agent.start()
        assert agent.ended(60) == 1
    assert "disk error" in agent.tail()
    starts_again(scene, "601", "A3")
    holds(scene)


def test_a3_card_read_only_at_the_start(scene: Scene) -> None:
    agent_of(scene, "602").kill()
    with read_only(scene.world.folder / "card"):
        code, said = refuses_to_start(scene, "602")
    assert code == 1
    assert "602.db" in said
    assert "write access" in said
    starts_again(scene, "602", "A3")
    holds(scene)


# --- A7: told to stop in the midst of a backlog --------------------------------------------------


def test_a7_stopped_while_sending(scene: Scene) -> None:
    agent, player, line = agent_of(scene, "601"), scene.players["601"], scene.line("601")
    line.do(TcpProxy.refuse)
    line.do(TcpProxy.cut)
    is_down(scene, "601")
    for number in range(1, 201):
        player.say(type="event", device="body-1", device_kind="recorder", boot=1, event=number,
                   name="mark", detail={"file": "x" * 200})  # fmt: skip
    player.wait(lambda s: s["waiting_entries"] >= 200, "a backlog")
    line.do(TcpProxy.heal)
    line.do(TcpProxy.rate_limit, 8_000.0)
    is_up(scene, "601")
    player.wait(lambda s: 0 < s["waiting_entries"] < 195, "in the midst of it")
    since_s = time.monotonic()
    assert agent.stop() == 0, agent.tail()
    scene.measured("A7", "stopped", time.monotonic() - since_s, STOP_S)
    line.do(TcpProxy.heal)
    starts_again(scene, "601", "A7")
    holds(scene)


# --- A8: the loop hangs --------------------------------------------------------------------------


def test_a8_the_loop_hangs(scene: Scene) -> None:
    """No sign of life for one period; the service manager ends it, and the next one serves."""
    agent = agent_of(scene, "603")
    agent.stop()
    with service_manager(scene.world.folder, WATCHDOG_S) as heard:
        agent.start()
        assert is_fed(heard, WATCHDOG_S)
        assert is_fed(heard, WATCHDOG_S)
        agent.signal(signal.SIGSTOP)
        hung_s = time.monotonic()
        heard.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.recv(4096)
        heard.settimeout(WATCHDOG_S)
        assert not is_fed(heard, WATCHDOG_S)
        agent.kill()  # as WatchdogSec= does
        scene.measured("A8", "hang seen", time.monotonic() - hung_s, WATCHDOG_S + 1.0)
        starts_again(scene, "603", "A8")
    holds(scene)


# --- A9: settings that cannot be read ------------------------------------------------------------


def test_a9_bad_settings(scene: Scene) -> None:
    """Said with the key and a remedy, with the code that systemd does not answer by restarts."""
    terminal = scene.terminal("603")
    terminal.agent.stop()
    good = terminal.config.read_text()
    for spoiled, word in ((good.replace("keepalive_s", "keepalive"), "keepalive_s"),
                          (good[: len(good) // 2] + '\n"', "toml")):  # fmt: skip
        terminal.config.write_text(spoiled)
        code, said = refuses_to_start(scene, "603")
        assert code == CONFIG_FAULT, said
        assert word in said
        assert len(said.strip().splitlines()) == 1, said
    terminal.config.write_text(good)
    starts_again(scene, "603", "A9")
    unit = (REPOSITORY / "systemd" / "outrider-agent.service").read_text()
    assert "StartLimitIntervalSec=0" in unit
    assert "RestartPreventExitStatus=78" in unit
    holds(scene)


# --- A10: keys -----------------------------------------------------------------------------------


def _gone(key: Path) -> None:
    key.unlink()


def _readable_by_all(key: Path) -> None:
    key.chmod(0o644)


def _empty(key: Path) -> None:
    key.write_bytes(b"")


def _another(key: Path) -> None:
    key.write_bytes((key.parents[1] / "t-601" / key.name).read_bytes())


SPOILED = [(name, spoil) for name in ("tls.key", "seal.key") for spoil in
           (_gone, _readable_by_all, _empty)] + [("tls.key", _another)]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "spoil"), SPOILED, ids=[f"{name}-{spoil.__name__[1:]}" for name, spoil in SPOILED]
)
def test_a10_keys(scene: Scene, name: str, spoil: Callable[[Path], None]) -> None:
    """The start is refused with the file and the reason; nothing is made anew.

    A seal key of another terminal is held against the centre's list, not against a file.
    """
    terminal, key = scene.terminal("603"), scene.world.keys("t-603") / name
    terminal.agent.stop()
    kept = key.read_bytes()
    spoil(key)
    spoiled = key.read_bytes() if key.exists() else None
    try:
        code, said = refuses_to_start(scene, "603")
        assert code == CONFIG_FAULT, said
        assert name in said
        assert "–" in said, "no remedy"
        assert (key.read_bytes() if key.exists() else None) == spoiled, "a key was made anew"
    finally:
        key.write_bytes(kept)
        key.chmod(0o600)
    terminal.start()


def test_a10_back_with_the_right_keys(scene: Scene) -> None:
    scene.is_back("603", time.monotonic())
    holds(scene)


# --- A12: the card copied ------------------------------------------------------------------------


def clone(scene: Scene, unit: str) -> Terminal:
    """A second computer with a copy of the first one's card: keys, store, settings."""
    world, first = scene.world, scene.terminal(unit)
    twin = make_terminal(world.folder, f"{unit}b", 0, world.broker.port)
    twin.settings["keys"] |= first.settings["keys"]
    first.agent.stop()
    shutil.copy(first.store, twin.store)
    twin.write_config()
    text = twin.config.read_text().replace(f'"t-{unit}b"', f'"t-{unit}"')
    twin.config.write_text(text)
    return twin


def test_a12_a_cloned_card(scene: Scene) -> None:
    """Last: the fork of the logbook is seen, people are told, the logbook is held for them."""
    scene.caller.pause()
    scene.settle()
    twin = clone(scene, "601")
    scene.terminal("601").start()
    is_up(scene, "601")
    since_s = time.monotonic()
    try:
        twin.agent.start()
        scene.desk.wait(
            lambda: any(a["kind"] == "twin_terminal" for a in scene.desk.alerts.values()),
            "twin alarm", 60,
        )  # fmt: skip
        scene.measured("A12", "people are told", time.monotonic() - since_s, 60.0)
    finally:
        twin.agent.stop()
    scene.desk.unit("602", is_live)
    with scene.evidence() as evidence:
        assert History.of(evidence.journal).faults == []
    scene.check_at_the_end()
