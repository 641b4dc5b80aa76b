"""B1-B6, B8-B10: the broker dies, freezes, has no disk, an old certificate, twins, short queues.

It carries and nothing more, so nothing of value may hang on it. B7 (its lists) is tested in
tests/rim/test_broker_lists.py and test_revocation.py.
"""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authority.certificates import DAY_MS, Leaf, server_certificate
from authority.folder import Folder
from hil.tcp_proxy import TcpProxy
from tests.authority.fleet import FLEET, real_now_ms
from tests.chaos.disks import full, read_only, small_disk
from tests.chaos.flooder import Flooder
from tests.chaos.network_faults import pause
from tests.chaos.scene import Scene
from tests.pki import Identity
from tests.rim.daemon import until
from tests.rim.terminal import Setting, make_terminal

pytestmark = [pytest.mark.xdist_group("chaos-broker"), pytest.mark.timeout(180)]

SEED = 32
UNITS = ("601", "602", "603")
EVIL = "evil"
BACK_S, SLACK_S = 5.0, 3.0
FROZEN_S, FROZEN_LONG_S = 6.0, 60.0
SHORT_LIFE_MS = 9_000
UNDER_WAY_MAX = 2048  # QoS 1 messages that the matcher's link takes before it acknowledges any


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene(*UNITS, seed=SEED, lined=("601",), keys_only=(EVIL,)) as scene:
        scene.start()
        yield scene


def all_back(scene: Scene, fault: str, since_s: float, limit_s: float = BACK_S) -> None:
    """Every terminal's positions show again, and orders are worked off."""
    for unit in UNITS:
        back_s = scene.is_back(unit, since_s, limit_s + 20)
        scene.measured(fault, f"{unit} back", back_s, limit_s + SLACK_S)
    scene.caller.go_on()
    scene.orders_done(2)


def holds(scene: Scene, *expected: str) -> None:
    scene.settle()
    scene.check(*expected)
    scene.caller.go_on()


def test_b1_killed_with_an_order_queued(scene: Scene) -> None:
    """What the broker had taken is gone; the matcher sends it again from the journal."""
    line, player = scene.line("601"), scene.players["601"]
    scene.caller.pause()
    scene.settle()
    line.do(TcpProxy.black_hole, up=False)
    player.is_silent = True
    incident = scene.caller.call(scene.terminal("601").place)
    order = scene.desk.order(incident, "601", "issued")
    scene.world.broker.kill()
    line.do(TcpProxy.heal)
    assert player.card(order) is None, "the order was not lost on its way"
    since_s = time.monotonic()
    scene.world.broker.start()
    until(lambda: player.card(order), "the order's card")
    scene.measured("B1", "order after its broker died", time.monotonic() - since_s, BACK_S)
    player.is_silent = False
    all_back(scene, "B1", since_s)
    holds(scene)


@pytest.mark.parametrize("fault", ["B2 full", "B3 damaged", "B4 read-only"])
def test_b2_b3_b4_the_brokers_own_disk(scene: Scene, fault: str) -> None:
    """It keeps nothing there, so a full, damaged or read-only disk is no fault at all."""
    with small_disk(scene.world.folder / "broker-disk", "256k") as disk:
        scene.another_broker(f"persistence_location {disk}/")
        scene.orders_done(1)
        (disk / "mosquitto.db").write_bytes(b"\x00mosquitto db" + bytes(range(256)) * 8)
        spoil = {"full": full, "read-only": read_only}.get(fault.split()[1])
        if spoil is None:
            _dies_and_comes_back(scene, fault.split(maxsplit=1)[0])
        else:
            with spoil(disk):
                scene.orders_done(1)
                _dies_and_comes_back(scene, fault.split(maxsplit=1)[0])
        scene.another_broker()
    holds(scene)


def _dies_and_comes_back(scene: Scene, fault: str) -> None:
    scene.world.broker.kill()
    since_s = time.monotonic()
    scene.world.broker.start()
    all_back(scene, fault, since_s)


def test_b5_frozen(scene: Scene, long_run: bool) -> None:
    """The kernel still answers for it; both sides see through that and come back by themselves."""
    scene.orders_done(1)  # everybody is connected: else there is nothing to fall silent
    mark = scene.world.matcher.mark
    scene.world.broker.freeze()
    begun_s = time.monotonic()
    for player in scene.players.values():
        player.wait(lambda s: s["link"] == "down", "line down")
    scene.measured("B5", "seen by all terminals", time.monotonic() - begun_s, 3 + SLACK_S)
    scene.world.matcher.wait_for("event=mqtt_disconnected.*silent", after=mark)
    pause(max(0.0, begun_s + (FROZEN_LONG_S if long_run else FROZEN_S) - time.monotonic()))
    scene.world.broker.thaw()
    all_back(scene, "B5", time.monotonic(), 10.0)
    holds(scene)


def short_lived(scene: Scene, folder: Path) -> Identity:
    """A certificate of the fleet's own root for the broker, which ends in a few seconds."""
    key = Ed25519PrivateKey.generate()
    begun_ms = real_now_ms() + SHORT_LIFE_MS - DAY_MS
    leaf = Leaf(f"{FLEET}.broker", key.public_key(), secrets.token_bytes(20), begun_ms, 1)
    root = Folder(scene.world.fleet.authority).load_root()
    cert_file, key_file = folder / "short.pem", folder / "short.key"
    made = server_certificate(root, leaf, ["localhost", "127.0.0.1"])
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    return Identity(cert_file, key_file)


def test_b6_certificate_expired(scene: Scene, tmp_path: Path) -> None:
    """Terminals check the dates by a clock that they trust: refused by name until renewed."""
    ends_ms = real_now_ms() + SHORT_LIFE_MS
    scene.another_broker(server=short_lived(scene, tmp_path))
    desk = scene.world.desk
    desk.wait(
        lambda: [a for a in desk.alerts.values() if a["kind"] == "broker_certificate_ends"],
        "the centre's warning",
    )
    scene.orders_done(1)
    until(lambda: real_now_ms() > ends_ms, "the certificate's end")
    marks = {unit: scene.terminal(unit).agent.mark for unit in UNITS}
    scene.world.broker.kill()
    scene.world.broker.start()
    for unit in UNITS:
        line = scene.terminal(unit).agent.wait_for(
            "event=mqtt_connect_failed.*server certificate refused", after=marks[unit]
        )
        assert "has expired" in line
        assert scene.players[unit].state["link"] == "down"
    scene.another_broker()
    all_back(scene, "B6", time.monotonic())
    holds(scene)


def test_b9_queue_limits(scene: Scene) -> None:
    """The broker drops what a standing matcher does not take; everything of it is sent again.

    A stranger repeats an overheard batch until as many are under way as the matcher allows.
    """
    world = scene.world
    scene.another_broker("max_queued_messages 1")
    text = world.matcher_config.read_text()
    world.matcher_config.write_text(text.replace("keepalive_s = 2", "keepalive_s = 15"))
    world.matcher.kill()
    world.matcher.start()
    world.grant(f"user {FLEET}.t-{EVIL}\ntopic readwrite #\n")
    topic = f"outrider/v1/terminal/{FLEET}/t-602/logbook"
    keys, name = world.keys(f"t-{EVIL}"), f"{FLEET}.t-{EVIL}"
    with Flooder(keys, name, world.broker.port) as stranger:
        stranger.listen(topic)
        batch = stranger.first(topic)
        scene.orders_done(1)
        stranger.forget(topic)
        world.matcher.signal(signal.SIGSTOP)
        stranger.repeat(topic, batch, UNDER_WAY_MAX + 20)
        world.broker.wait_for_log("messages are being dropped for client .*matcher")
        for player in scene.players.values():
            player.say(type="set_status", status="available")
        pause(1)
        world.matcher.signal(signal.SIGCONT)
    since_s = time.monotonic()
    all_back(scene, "B9", since_s)
    world.matcher_config.write_text(text)
    scene.another_broker()
    holds(scene)


def test_b10_a_retained_order(scene: Scene) -> None:
    """A true order, overheard and left on its topic for ever: refused each time it comes."""
    world, player = scene.world, scene.players["601"]
    world.grant(f"user {FLEET}.t-{EVIL}\ntopic readwrite #\n")
    topic = f"outrider/v1/terminal/{FLEET}/t-601/order"
    with Flooder(world.keys(f"t-{EVIL}"), f"{FLEET}.t-{EVIL}", world.broker.port) as stranger:
        stranger.listen(topic)
        scene.caller.pause()
        scene.settle()
        since = len(stranger.heard)
        incident = scene.caller.call(scene.terminal("601").place)
        order = scene.desk.order(incident, "601", "delivered")
        overheard = [one.payload for one in stranger.heard[since:] if one.topic == topic]
        scene.desk.incident(incident, "cleared")
        for payload in overheard:
            stranger.say(topic, payload, retain=True)
            before = scene.refused_by("601", "retained")
            scene.line("601").do(TcpProxy.cut)
            player.wait(lambda s, b=before: s["refused"].get("retained", 0) > b, "refused")  # type: ignore[misc]
        stranger.say(topic, b"", retain=True)
    assert player.screen.showings[order, 1] == 1
    all_back(scene, "B10", time.monotonic())
    holds(scene)


def test_b8_the_same_identity_twice(scene: Scene) -> None:
    """A second agent with the first one's keys: people are told, and the two do not play ping-pong.

    Last of all: what the twin's lower numbers leave behind is counted as replayed.
    """
    world, first = scene.world, scene.terminal("601")
    twin = make_terminal(world.folder, "601b", 0, world.broker.port)
    twin.settings["keys"]["folder"] = first.settings["keys"]["folder"]
    # as in service
    waits: dict[str, Setting] = {
        "backoff_base_s": 0.5,
        "backoff_cap_s": 30.0,
        "handshake_interval_s": 5.0,
    }
    for one in (first, twin):
        one.settings["broker"] |= waits
    twin.write_config()
    twin.config.write_text(twin.config.read_text().replace('"t-601b"', '"t-601"'))
    first.agent.stop()
    first.start()
    connects = world.broker.log_count("already connected")
    try:
        twin.agent.start()
        begun_s = time.monotonic()
        scene.desk.wait(lambda: is_told(scene, "twin_terminal"), "twin alarm", 60)
        scene.measured("B8", "people are told of the twin", time.monotonic() - begun_s, 60.0)
        pause(8)
        takeovers = world.broker.log_count("already connected") - connects
        lasted_s = time.monotonic() - begun_s
        assert takeovers <= 3 + 2 * lasted_s / 5, f"{takeovers} take-overs in {lasted_s:.0f} s"
    finally:
        twin.agent.stop()
    all_back(scene, "B8", time.monotonic(), 40.0)
    holds(scene, "replayed")


def is_told(scene: Scene, kind: str) -> bool:
    return any(alert["kind"] == kind for alert in scene.desk.alerts.values())


def test_the_whole_holds_at_the_end(scene: Scene) -> None:
    scene.settle()
    scene.check_at_the_end()
