"""Nothing unsealed, wrongly sealed, moved, replayed, oversized or unwarranted is acted on.

A stranger with a valid certificate (an enrolled terminal's) is granted every topic in the broker's
access list, so each message really arrives at the matcher or at a terminal. Each is refused for
its reason, counted in the statistics (or on the screen), said in one line, and changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from manager.build import build
from manager.seals import Seals
from protocol import dispatch, envelope, request
from protocol.dispatch import Cancel, Numbered
from protocol.envelope import Kind
from protocol.keys import SealKey
from runtime.key_files import load_private
from tests.authority.fleet import FLEET, real_now_ms
from tests.rim.daemon import outrider, run, until
from tests.rim.forgeries import AT, CASES, CLERK, DEEP, EVIL, ROOT, Forger, Loot
from tests.rim.journal import numbers_of
from tests.rim.stranger import Stranger
from tests.rim.world import DESK, World

pytestmark = [pytest.mark.xdist_group("rim-forged"), pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def loot() -> Iterator[Loot]:
    managers = {DESK: ("dispatcher", "supervisor"), CLERK: ("intake",)}
    with World("611", "612", managers=managers, keys_only=(EVIL,)) as world:
        world.start_centre()
        world.grant(f"user {FLEET}.t-{EVIL}\ntopic readwrite #\n")
        name = f"t-{EVIL}"
        stranger = Stranger(world.keys(name), f"{FLEET}.{name}", world.broker.port)
        world.keep(stranger)
        stranger.listen("#")
        world.start_terminals()
        world.desk.connected()
        world.log_on()
        own = SealKey(load_private(world.keys(name) / "seal.key"))
        yield Loot(world, stranger, own)


@pytest.fixture
def unharmed(loot: Loot) -> Iterator[None]:
    """Before and after: the same decisions in the journal, both daemons alive, positions go on."""
    world, desk = loot.world, loot.world.desk
    before = transactions(world)
    yield
    taken = desk.statistics["positions"]
    desk.wait(lambda: desk.statistics["positions"] > taken, "positions go on")
    assert transactions(world) == before
    assert world.matcher.is_alive
    assert all(one.agent.is_alive for one in world.terminals.values() if one.unit != EVIL)
    for unit in ("611", "612"):
        feature = desk.units[unit]
        assert feature["geometry"]["coordinates"][1] > 24, feature  # nobody moved it to 0, 0


def transactions(world: World) -> int:
    with closing(sqlite3.connect(f"file:{world.journal}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM tx").fetchone()[0])


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize(("forger", "reason"), CASES, ids=[forge.__name__ for forge, _ in CASES])
def test_the_matcher_refuses(loot: Loot, forger: Forger, reason: str) -> None:
    desk = loot.world.desk
    topic, payload = forger(loot)
    before = dict(desk.wait(lambda: desk.statistics, "statistics")["refused"])
    loot.stranger.say(topic, payload)
    desk.wait(lambda: desk.refused(reason) > before.get(reason, 0), f"{reason} counted")
    after = {key: count - before.get(key, 0) for key, count in desk.statistics["refused"].items()}
    assert {key: count for key, count in after.items() if count} == {reason: 1}
    line = loot.world.matcher.wait_for(f"event=refused reason={reason} topic=")
    assert "acted=no" in line
    assert "detail=" in line


@pytest.mark.usefixtures("unharmed")
def test_a_batch_heard_twice_is_receipted_twice_and_kept_once(loot: Loot) -> None:
    """No refusal: that is how a terminal whose receipt was lost gets it again."""
    enrolment = loot.enrolment("611")
    since = len(loot.stranger.heard)
    loot.stranger.say(loot.terminal("611", "logbook"), loot.overheard("611", "logbook"))
    loot.stranger.first(loot.terminal("611", "order"), since)  # the receipt
    numbers = numbers_of(loot.world.journal, enrolment)
    assert numbers == list(range(1, len(numbers) + 1))


def test_who_lacks_the_role_is_told_so(loot: Loot) -> None:
    """The access list keeps the clerk's tool from the topic; the stranger carries it there."""
    desk = loot.world.desk
    clerk = Seals.load(loot.world.keys(CLERK), FLEET, CLERK)
    asked = build("hold", {"unit": "611", "on": True}, "forged-000003", real_now_ms(), 30)
    topic, sealed = clerk.seal(asked)
    since = len(loot.stranger.heard)
    loot.stranger.say(topic, sealed)
    reply = clerk.open_reply(loot.stranger.first(clerk.reply_topic, since), real_now_ms())
    assert (reply.outcome, reply.reason) == ("refused", "wrong_role")
    assert "dispatcher" in (reply.detail or "")
    desk.wait(lambda: desk.refused("wrong_role") == 1, "wrong_role counted")
    assert desk.units["611"]["properties"]["hold"] is False


def test_a_request_heard_twice_is_done_once(loot: Loot) -> None:
    world, desk = loot.world, loot.world.desk
    since = len(loot.stranger.heard)
    desk.done("hold", unit="612", on=True)
    topic = loot.request("hold")
    sealed = loot.stranger.first(topic, since)
    desk.done("hold", unit="612", on=False)
    before, since = transactions(world), len(loot.stranger.heard)
    loot.stranger.say(topic, sealed)
    loot.stranger.first(f"{ROOT}/fleet/{FLEET}/reply/{DESK}", since)  # the reply of then
    assert transactions(world) == before
    desk.unit("612", lambda p: not p["hold"])


def test_replies_are_sealed_and_forged_ones_not_believed(loot: Loot) -> None:
    desk = loot.world.desk
    made = request.Reply(
        request_id=f"{DESK}-rim-000099", verb="hold", outcome="done", time_ms=real_now_ms()
    )
    topic = f"{ROOT}/fleet/{FLEET}/reply/{DESK}"
    seals = Seals.load(loot.world.keys(DESK), FLEET, DESK)
    forged = envelope.seal(Kind.REPLY, topic, seals.enrolment, request.encode(made), loot.own)
    for payload in (request.encode(made), forged):
        loot.stranger.say(topic, payload)
    refused = {"malformed": 1, "unknown_key": 1}
    until(lambda: refused.items() <= desk.refused_replies().items(), "both refused")


def cancel_of(loot: Loot, order: str) -> bytes:
    now_ms = real_now_ms()
    body = Cancel(order, "i-1-1", None, "stand_down", "person", now_ms, now_ms + 60_000)
    return dispatch.encode(Numbered(1, 900, body))


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("unsealed", "malformed"),
        ("stranger's key", "unknown_key"),
        ("receipt key", "unknown_key"),
        ("another's welcome", "bad_seal"),
        ("own welcome again", ""),
        ("too long", "too_large"),
        ("nested", "malformed"),
    ],
)
def test_a_terminal_refuses(loot: Loot, case: str, reason: str) -> None:
    """On the order topic only the centre's role keys count, each for its own kind."""
    topic, enrolment = loot.terminal("612", "order"), loot.enrolment("612")
    crew = loot.world.crew("612")
    payload = cancel_of(loot, "o-1-1")

    def sealed(key: SealKey) -> bytes:
        return envelope.seal(Kind.DISPATCH, topic, enrolment, payload, key)

    receipt_key = SealKey(load_private(loot.world.fleet.centre / "receipt.key"))
    message = {
        "unsealed": payload,
        "stranger's key": sealed(loot.own),
        "receipt key": sealed(receipt_key),
        "another's welcome": loot.overheard("611", "order"),
        "own welcome again": loot.overheard("612", "order"),
        "too long": sealed(loot.own) + bytes(5000),
        "nested": DEEP,
    }[case]
    before = dict(crew.state["refused"])
    loot.stranger.say(topic, message)
    if reason:
        screen = crew.wait(lambda s: s["refused"].get(reason, 0) > before.get(reason, 0), reason)
        assert sum(screen["refused"].values()) == sum(before.values()) + 1
        loot.world.terminals["612"].agent.wait_for(f"event=refused.*{reason}")
    assert crew.status()["welcomed"]


def test_retained_messages_are_never_acted_on(loot: Loot) -> None:
    """Left with the broker for whoever subscribes next: the matcher and the terminal start anew."""
    world, desk, agent = loot.world, loot.world.desk, loot.world.terminals["612"].agent
    left = {lane: loot.overheard("612", lane) for lane in ("position", "logbook", "link", "order")}
    for lane, message in left.items():
        loot.stranger.say(loot.terminal("612", lane), message, retain=True)
    assert world.matcher.stop() == 0
    world.matcher.start()
    desk.wait(lambda: desk.refused("retained") == 3, "three lanes refused")
    assert agent.stop() == 0
    agent.start()
    crew = world.terminals["612"].crew()
    crew.wait(lambda s: s["refused"].get("retained") == 1, "retained order refused")
    for lane in left:
        loot.stranger.say(loot.terminal("612", lane), b"", retain=True)
    desk.unit("612", lambda p: p["freshness"] == "live")
    assert "whole" in world.ask_journal("verify")


def test_after_all_that_an_order_goes_its_way(loot: Loot) -> None:
    world, desk, crew = loot.world, loot.world.desk, loot.world.crew("611")
    incident = desk.report(AT)
    order = desk.order(incident, "611", "delivered")
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    for word in ("en-route", "on-scene", "clear"):
        crew.answer(order, word)
    desk.incident(incident, "cleared")
    assert "whole" in world.ask_journal("verify")


def test_a_revoked_terminal_is_not_heard(loot: Loot) -> None:
    """Also where the broker has not cut it off yet, as here: nobody tells it of its new lists."""
    world, desk = loot.world, loot.world.desk
    world.follows.clear()
    mark = world.matcher.mark
    done = run(outrider("authority", "--dir", world.fleet.authority, "revoke", f"t-{EVIL}"))
    assert done.returncode == 0, done.stderr
    world.matcher.wait_for("event=identities", after=mark)
    message = loot.sealed(Kind.POSITION, EVIL, "position", loot.position())
    loot.stranger.say(loot.terminal(EVIL, "position"), message)
    desk.wait(lambda: desk.refused("revoked") == 1, "revoked counted")
    acl = world.folder / "lists" / "acl"
    until(lambda: f"{FLEET}.t-{EVIL}" not in acl.read_text(), "out of the access list")
    assert f"{FLEET}.t-611" in acl.read_text()
