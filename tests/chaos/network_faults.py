"""The network faults N1-N8, N11, N14 of a terminal's line, each from its beginning to its end.

Each runs against the same scene, in a thread of its own beside the others: a bad night has more
than one fault. What is measured is told by `scene.measured`. Used by test_network.py.
"""

from __future__ import annotations

import random
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from hil.tcp_proxy import TcpProxy
from tests.chaos.impostors import Portal
from tests.chaos.scene import Scene
from tests.rim.daemon import until

KEEPALIVE_S = 2.0
SEEN_S = 1.5 * KEEPALIVE_S
SLACK_S = 2.0  # of a machine that runs a dozen terminals on two cores
BACK_S = 5.0
LOST_S = 2 * 3 + 5  # 2 x next_s + 5 s
RESETS, FLAP_S, FLAP_EVERY_S = 4, 30.0, (1.0, 5.0)
HANDSHAKE_EVERY_S = 5.0
BAD_LINE_S, WAY_S, STALL_SHARE = 15.0, 1.0, 0.3
HEARTBEAT_S = 10.0
CONNECT_S = 3.0
HANDSHAKE_BYTES = 1300  # what the broker's side of TLS 1.3 takes with our certificates
SLOW_BYTES_PER_S = 1200.0  # 9.6 kbit/s
MARKS = 110


def is_down(scene: Scene, unit: str, timeout_s: float = 20.0) -> float:
    """Seconds until the terminal itself says that its line is down."""
    begun_s = time.monotonic()
    scene.players[unit].wait(lambda s: s["link"] == "down", "line down", timeout_s)
    return time.monotonic() - begun_s


def is_up(scene: Scene, unit: str, timeout_s: float = 20.0) -> None:
    scene.players[unit].wait(lambda s: s["welcomed"], "welcomed", timeout_s)


def reset_at_a_random_byte(scene: Scene, unit: str, rng: random.Random) -> None:
    """N1: RST in the midst of whatever is being said, in either direction."""
    line = scene.line(unit)
    for _ in range(RESETS):
        is_up(scene, unit)
        byte, up = rng.randrange(1, 900), rng.random() < 0.7
        line.do(TcpProxy.after_bytes, byte, line.proxy.cut, up=up)
        is_down(scene, unit)
        scene.measured("N1", f"back after a reset at byte {byte}", scene.is_back(
            unit, time.monotonic()), BACK_S + SLACK_S)  # fmt: skip


def black_hole(scene: Scene, unit: str, fault: str, *, down: bool) -> None:
    """N2 (both ways), N3 (uplink only): seen, aged to `lost` at the desk, mended."""
    line, desk = scene.line(unit), scene.desk
    is_up(scene, unit)
    begun_s = time.monotonic()
    line.do(TcpProxy.black_hole, up=True, down=down)
    seen_s = is_down(scene, unit)
    scene.measured(fault, "dead peer seen", seen_s, SEEN_S + SLACK_S)
    desk.unit(unit, lambda p: p["freshness"] == "stale", LOST_S)
    desk.unit(unit, lambda p: p["freshness"] == "lost", LOST_S + SLACK_S)
    lost_s = time.monotonic() - begun_s
    scene.measured(fault, "shown lost", lost_s, LOST_S + SLACK_S)
    healed_s = time.monotonic()
    line.do(TcpProxy.heal)
    scene.measured(fault, "back", scene.is_back(unit, healed_s), BACK_S + SLACK_S)


def half_open(scene: Scene, unit: str) -> None:
    """N4: first the broker's host forgets, then the way in between; no session is doubled."""
    line = scene.line(unit)
    for told in ("target", "client"):
        is_up(scene, unit)
        line.do(TcpProxy.half_open, "target" if told == "target" else "client")
        seen_s = is_down(scene, unit)
        scene.measured("N4", f"seen, {told} told", seen_s, SEEN_S + SLACK_S)
        back_s = scene.is_back(unit, time.monotonic())
        scene.measured("N4", f"back, {told} told", back_s, BACK_S + SLACK_S)
    assert not [one for one in scene.desk.alerts.values() if one["kind"] == "twin_terminal"]


def bad_line(scene: Scene, unit: str, rng: random.Random) -> None:
    """N5: 2 s there and back, and 30 % of the time nothing moves, as TCP shows loss."""
    line, since = scene.line(unit), len(scene.desk.history)
    is_up(scene, unit)
    line.do(TcpProxy.delay, WAY_S)
    over_s = time.monotonic() + BAD_LINE_S
    while time.monotonic() < over_s:
        stalled = rng.random() < STALL_SHARE
        line.do(TcpProxy.stall, up=stalled, down=stalled)
        pause(rng.uniform(0.3, 0.7))
    line.do(TcpProxy.heal)
    ages_s = sorted(
        _ms(one["properties"]["received_time"]) - _ms(one["properties"]["position_time"])
        for kind, one in scene.desk.history[since:]
        if kind == "unit" and one["id"] == unit and one["geometry"] is not None
    )
    assert len(ages_s) >= BAD_LINE_S / 3, "too few positions came to say anything"
    p99_s = ages_s[min(len(ages_s) - 1, int(len(ages_s) * 0.99))] / 1000
    scene.measured("N5", "age of a position, p99", p99_s, HEARTBEAT_S)


def dribble(scene: Scene, unit: str) -> None:
    """N6: one byte a second at connect, at CONNACK, and in the midst of a packet."""
    line, agent = scene.line(unit), scene.terminal(unit).agent
    for after, stage in ((1, "TLS handshake"), (HANDSHAKE_BYTES, "no CONNACK")):
        is_up(scene, unit)
        mark, begun_s = agent.mark, time.monotonic()
        line.do(_slow_after, after)
        agent.wait_for(f"connecting took too long: {stage}", after=mark)
        given_up_s = time.monotonic() - begun_s
        scene.measured("N6", f"given up: {stage}", given_up_s, CONNECT_S + SLACK_S)
        healed_s = time.monotonic()
        line.do(TcpProxy.heal)
        back_s = scene.is_back(unit, healed_s)
        scene.measured("N6", f"back: {stage}", back_s, BACK_S + SLACK_S)
    is_up(scene, unit)
    line.do(TcpProxy.dribble, 1, 1.0)
    scene.measured("N6", "given up in a packet", is_down(scene, unit), SEEN_S + SLACK_S)
    healed_s = time.monotonic()
    line.do(TcpProxy.heal)
    scene.measured("N6", "back: in a packet", scene.is_back(unit, healed_s), BACK_S + SLACK_S)


def _slow_after(proxy: TcpProxy, count: int) -> None:
    """The next connection: `count` bytes down at full speed, then one a second."""
    proxy.cut()
    proxy.after_bytes(count, lambda: proxy.dribble(1, 1.0, up=False), up=False)


def slow_line(scene: Scene, unit: str) -> None:
    """N7: 9.6 kbit/s with a backlog on it; an order overtakes the backlog."""
    line, player, desk = scene.line(unit), scene.players[unit], scene.desk
    line.do(_gone)
    is_down(scene, unit)
    for number in range(1, MARKS + 1):
        player.say(type="event", device="body-1", device_kind="recorder", boot=1, event=number,
                   name="mark", detail={"file": "x" * 200})  # fmt: skip
    player.wait(lambda s: s["waiting_entries"] >= MARKS, "a backlog")
    line.do(_slow)
    is_up(scene, unit, 40)
    incident = scene.caller.call(scene.terminal(unit).place, 2)
    asked_s = time.monotonic()
    order = desk.done("assign", incident=incident, unit=unit, reason="test").order
    assert order is not None
    until(lambda: player.card(order), "the order's card", 30)
    scene.measured("N7", "order over a backlog", time.monotonic() - asked_s, 10.0)
    left = player.state["waiting_entries"]
    assert left > MARKS // 4, f"the backlog was gone before the order came: {left} left"
    since_s = time.monotonic()
    scene.measured("N7", "live position over a backlog", scene.is_back(unit, since_s, 30), 15.0)
    line.do(TcpProxy.heal)


def _gone(proxy: TcpProxy) -> None:
    proxy.refuse()
    proxy.cut()


def _slow(proxy: TcpProxy) -> None:
    proxy.heal()
    proxy.rate_limit(SLOW_BYTES_PER_S)


def flap(scene: Scene, unit: str, rng: random.Random, long_run: bool) -> None:
    """N8: cut again and again; handshakes stay apart, nothing is lost."""
    line, span_s = scene.line(unit), 600.0 if long_run else FLAP_S
    before, over_s = line.proxy.accepted, time.monotonic() + span_s
    while time.monotonic() < over_s:
        pause(rng.uniform(*FLAP_EVERY_S))
        line.do(TcpProxy.cut)
    shakes = line.proxy.accepted - before
    assert 2 <= shakes <= span_s / HANDSHAKE_EVERY_S + 2, f"{shakes} handshakes in {span_s:g} s"
    scene.measured("N8", "back", scene.is_back(unit, time.monotonic()),
                   HANDSHAKE_EVERY_S + BACK_S + SLACK_S)  # fmt: skip


def captive_portal(scene: Scene, unit: str, folder: Path) -> None:
    """N11: another server answers TLS; refused by name, tried again, told nothing."""
    line, agent = scene.line(unit), scene.terminal(unit).agent
    is_up(scene, unit)
    mark = agent.mark
    with Portal(folder) as portal:
        line.do(TcpProxy.retarget, portal.port)
        line.do(TcpProxy.cut)
        agent.wait_for("mqtt_connect_failed.*wrong server certificate", after=mark)
        until(lambda: portal.visits >= 2, "tried again")
        assert scene.players[unit].state["link"] == "down"
        line.do(TcpProxy.retarget, scene.world.broker.port)
        healed_s = time.monotonic()
        scene.measured("N11", "back", scene.is_back(unit, healed_s), BACK_S + SLACK_S)
        assert portal.heard == b"", "something was said to a stranger"


def flipped_bits(scene: Scene, unit: str, rng: random.Random) -> None:
    """N14: one bit turned over inside TLS, in each direction; costs the connection, no more."""
    line = scene.line(unit)
    for up in (True, False):
        is_up(scene, unit)
        line.do(TcpProxy.flip_bit, rng.randrange(20, 60), rng.randrange(8), up=up)
        is_down(scene, unit)
        back_s = scene.is_back(unit, time.monotonic())
        way = "up" if up else "down"
        scene.measured("N14", f"back, bit flipped on its way {way}", back_s, BACK_S + SLACK_S)
    assert scene.players[unit].state["refused"] == {}


def pause(seconds: float) -> None:
    """The fault lasts so long; nothing is waited for."""
    end_s = time.monotonic() + seconds
    until(lambda: time.monotonic() >= end_s, "the end of a pause", seconds + 5)


def _ms(iso: Any) -> int:
    return round(datetime.fromisoformat(str(iso)).timestamp() * 1000)
