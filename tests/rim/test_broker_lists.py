"""Wrong lists at the broker: never silent for ten seconds, never for long, and nobody else's harm.

A swapped file is written again from the matcher's own copy; a broker that uses something else than
lies in the folder shows by the canaries. A bad new list from the authority replaces nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authority import certificates
from authority.certificates import Root
from authority.folder import Folder
from tests.authority.fleet import FLEET, Fleet, real_now_ms
from tests.rim.daemon import outrider, run, until
from tests.rim.intruder import Intruder
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-broker-lists"), pytest.mark.timeout(90)]

ALARM_S = 10.0
TRIES = 10
DAY_MS = 86_400_000
LOST = "lost"  # its files are in wrong hands, revoked before the first test
TOPIC = f"outrider/v1/terminal/{FLEET}/t-{LOST}/order"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World("611", keys_only=(LOST,)) as made:
        made.start()
        done = run(outrider("authority", "--dir", made.fleet.authority, "revoke", f"t-{LOST}"))
        assert done.returncode == 0, done.stderr
        made.matcher.wait_for(f"event=revoked_cut name=t-{LOST}")
        yield made


@pytest.fixture
def lost(world: World) -> Iterator[Intruder]:
    """Fights to come in; at the end it must be out, and positions must flow."""
    found = Intruder(world.keys(f"t-{LOST}"), f"{FLEET}.t-{LOST}", world.broker.port, TOPIC)
    found.start()
    try:
        yield found
        until(lambda: len(found.ended_s) == len(found.let_in_s), "session cut")
        seen, let_in = len(found.refusals), len(found.let_in_s)
        found.wait(lambda: len(found.refusals) >= seen + TRIES, "tries to come back")
        assert len(found.let_in_s) == let_in
    finally:
        found.close()
    taken = world.desk.statistics["positions"]
    world.desk.wait(lambda: world.desk.statistics["positions"] > taken, "positions flow")


def garbage(_fleet: Fleet, _good: bytes) -> bytes | None:
    return b"no list at all\n"


def empty(_fleet: Fleet, _good: bytes) -> bytes | None:
    return b""


def missing(_fleet: Fleet, _good: bytes) -> bytes | None:
    return None


def truncated(_fleet: Fleet, good: bytes) -> bytes | None:
    return good[: len(good) // 2]


def stale(fleet: Fleet, _good: bytes) -> bytes | None:
    return certificates.revocation_list(root_of(fleet), 1, [], real_now_ms() - 40 * DAY_MS, 30)


def without_anybody(fleet: Fleet, _good: bytes) -> bytes | None:
    return certificates.revocation_list(root_of(fleet), 1, [], real_now_ms(), 30)


def forged(fleet: Fleet, _good: bytes) -> bytes | None:
    other = Fleet(fleet.path / "other", fleet.now_ms)
    root = Root(root_of(other).key, root_of(fleet).certificate)
    return certificates.revocation_list(root, 99, [], real_now_ms(), 30)


Bad = Callable[[Fleet, bytes], bytes | None]
BAD: tuple[Bad, ...] = (garbage, empty, missing, truncated, stale, without_anybody, forged)


def root_of(fleet: Fleet) -> Root:
    return Folder(fleet.authority).load_root()


def put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


def alerts(world: World, kind: str) -> list[str]:
    return [a["text"] for a in world.desk.alerts.values() if a["kind"] == kind]


@pytest.mark.usefixtures("lost")
@pytest.mark.parametrize("bad", BAD, ids=[bad.__name__ for bad in BAD])
def test_a_swapped_revocation_list_is_put_back(world: World, bad: Bad) -> None:
    """The broker is told to read it, by whoever swapped it."""
    path = world.folder / "lists" / "crl.pem"
    good, mark, told = path.read_bytes(), world.matcher.mark, alerts(world, "broker_list_changed")
    swapped_s = time.monotonic()
    put(path, bad(world.fleet, good))
    world.broker.reload()
    world.matcher.wait_for("event=broker_lists_undone files=crl.pem", after=mark)
    world.matcher.wait_for("event=broker_proven", after=mark)
    assert path.read_bytes() == good
    world.desk.wait(lambda: len(alerts(world, "broker_list_changed")) > len(told), "an alert")
    assert time.monotonic() - swapped_s < ALARM_S


def test_both_canaries_tell_of_a_list_that_only_the_broker_has(
    world: World, lost: Intruder
) -> None:
    """The folder looks right, the broker read something else, and nobody reloads it."""
    path = world.folder / "lists" / "crl.pem"
    good, mark = path.read_bytes(), world.matcher.mark
    world.follows.clear()
    put(path, b"garbage\n")
    reloads = world.broker.log_count("Unable to load certificate revocation")
    world.broker.reload()
    until(lambda: world.broker.log_count("Unable to load certificate revocation") > reloads, "read")
    broken_s = time.monotonic()
    put(path, good)
    line = world.matcher.wait_for("level=error.*event=broker_unproven", after=mark)
    assert time.monotonic() - broken_s < ALARM_S
    assert "canary was let in" in line
    assert "own message did not come back" in line
    assert lost.let_in_s, "a broker with a broken list lets the revoked in"
    world.follows.set()
    world.matcher.wait_for("event=broker_proven", after=mark)
    world.matcher.wait_for(f"event=revoked_cut name=t-{LOST}", after=mark)
    world.desk.wait(lambda: alerts(world, "broker_unproven"), "an alert")


def test_an_access_list_that_the_broker_cannot_read_opens_it_and_is_found(
    world: World, lost: Intruder
) -> None:
    """mosquitto then allows everything to everybody: the message that nothing allows comes back."""
    mark = world.matcher.mark
    world.broker.acl_file.write_text("topik write everything\n")
    broken_s = time.monotonic()
    world.broker.reload()
    line = world.matcher.wait_for("event=broker_unproven", after=mark)
    assert time.monotonic() - broken_s < ALARM_S
    assert "a message that it forbids was delivered" in line
    world.matcher.wait_for("event=broker_proven", after=mark)
    assert not lost.let_in_s


def test_an_edited_access_list_is_not_read_and_put_back(world: World, lost: Intruder) -> None:
    """What the path unit does before a reload, as a command and as the world's follower."""
    folder, root = world.folder / "lists", world.fleet.centre / "root.pem"
    check = outrider("matcher", "lists", "--folder", folder, "--root", root)
    assert run(check).returncode == 0
    path, mark, errors = folder / "acl", world.matcher.mark, "Error opening acl"
    good, before = path.read_bytes(), world.broker.log_count(errors)
    path.write_bytes(good + b"topik\n")
    world.matcher.wait_for("event=broker_lists_undone files=acl", after=mark)
    world.matcher.wait_for("event=broker_proven", after=mark)
    assert path.read_bytes() == good
    assert world.broker.log_count(errors) == before
    assert not lost.let_in_s
    for bad in (good + b"topik\n", good[:-40], b"", None):
        copy = world.folder / "copy"
        copy.mkdir(exist_ok=True)
        put(copy / "crl.pem", (folder / "crl.pem").read_bytes())
        (copy / "acl").write_bytes(b"")
        put(copy / "acl", bad)
        done = run(outrider("matcher", "lists", "--folder", copy, "--root", root))
        assert done.returncode == 1
        assert "acl: " in done.stderr


def test_a_bad_list_from_the_authority_replaces_nothing(world: World, lost: Intruder) -> None:
    source, path = world.fleet.centre / "crl.pem", world.folder / "lists" / "crl.pem"
    good, mark = path.read_bytes(), world.matcher.mark
    old = certificates.revocation_list(root_of(world.fleet), 1, [], real_now_ms(), 30)
    for content, reason in ((b"half", "is no revocation list"), (old, "is older than the one")):
        source.write_bytes(content)
        world.matcher.wait_for(f"event=revocation_list_refused reason=.*{reason}", after=mark)
    assert path.read_bytes() == good
    world.desk.wait(lambda: len(alerts(world, "broker_list_refused")) == 2, "alerts")
    done = run(outrider("authority", "--dir", world.fleet.authority, "refresh"))
    assert done.returncode == 0, done.stderr
    mark = world.matcher.mark
    world.matcher.wait_for("event=broker_proven", after=mark)
    assert path.read_bytes() == source.read_bytes() != good
    assert not lost.let_in_s
