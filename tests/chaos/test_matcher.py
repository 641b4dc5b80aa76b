"""M2-M6, M20: the centre's disk fails in every way, and a message meets an error of ours.

M1 (killed at named points) is test_kill_points.py.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from bench.checker import find_faults
from hil.tcp_proxy import TcpProxy
from tests.chaos.bent import bent
from tests.chaos.disks import full, read_only, small_disk
from tests.chaos.network_faults import pause
from tests.chaos.points import Point
from tests.chaos.scene import Scene
from tests.rim.daemon import Daemon, until

pytestmark = [pytest.mark.xdist_group("chaos-matcher"), pytest.mark.timeout(180)]

SEED = 33
UNITS = ("601", "602", "603")
READY_S, SLACK_S = 3.0, 4.0
ROOM_S = 5.0
SLOW_MS, SLOW_LONG_MS = 100, 500  # a sync; 2 s where entries are of 60 s and not of 2 s


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with (
        Scene(*UNITS, seed=SEED, lined=UNITS) as scene,
        small_disk(scene.world.folder / "journal", "24m"),
    ):
        scene.start()
        yield scene


def starts_again(scene: Scene, fault: str) -> None:
    since_s = time.monotonic()
    scene.world.matcher.start()
    ready_s = time.monotonic() - since_s
    scene.measured(fault, "matcher serving again", ready_s, READY_S + SLACK_S)
    scene.caller.go_on()
    scene.orders_done(2)


def holds(scene: Scene, *expected: str) -> None:
    scene.settle()
    scene.check(*expected)
    scene.caller.go_on()


def matcher(scene: Scene) -> Daemon:
    return scene.world.matcher


@pytest.mark.parametrize("when", ["40", "40+"], ids=["once", "for_ever"])
def test_m2_a_failed_sync(scene: Scene, when: str) -> None:
    """No second try on pages that the kernel may have dropped: it ends, reads again, goes on."""
    matcher(scene).kill()
    with bent(matcher(scene), f"fdatasync:error=EIO:when={when}"):
        matcher(scene).start()
        code = matcher(scene).ended(60)
    assert code == 1, matcher(scene).tail()
    assert "disk error" in matcher(scene).tail()
    starts_again(scene, "M2")
    holds(scene)


def test_m3_a_full_disk(scene: Scene) -> None:
    """No receipt, no order, said aloud; goes on by itself once there is room."""
    scene.caller.pause()
    scene.settle()
    with full(scene.world.journal.parent):
        since = len(scene.desk.history)
        scene.caller.go_on()
        matcher(scene).wait_for("event=journal_full")
        seq = _transactions(scene)
        pause(1.0)
        assert _transactions(scene) == seq
        known = {one["id"] for kind, one in scene.desk.history[:since] if kind == "incident"}
        shown = {one["id"] for kind, one in scene.desk.history[since:] if kind == "incident"}
        assert shown <= known, "an incident that is not kept was shown"
    since_s = time.monotonic()
    until(lambda: _transactions(scene) > seq, "the journal goes on")
    scene.measured("M3", "goes on with room", time.monotonic() - since_s, ROOM_S + SLACK_S)
    scene.orders_done(1)
    holds(scene)


def _transactions(scene: Scene) -> int:
    with closing(sqlite3.connect(f"file:{scene.world.journal}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM tx").fetchone()[0])


def test_m4_interrupted_calls(scene: Scene) -> None:
    """Every fifth write and read of the journal is interrupted: nobody notices."""
    matcher(scene).kill()
    with bent(matcher(scene), "pwrite64:error=EINTR:when=5+5", "pread64:error=EINTR:when=5+5"):
        matcher(scene).start()
        scene.caller.go_on()
        scene.orders_done(2)
        holds(scene)
    starts_again(scene, "M4")


def test_m5_a_slow_disk(scene: Scene, long_run: bool) -> None:
    """Each sync takes its time: receipts come late, none is lost, and nobody is thought dead."""
    matcher(scene).kill()
    delay_us = (SLOW_LONG_MS if long_run else SLOW_MS) * 1000
    with bent(matcher(scene), f"fdatasync:delay_enter={delay_us}"):
        matcher(scene).start()
        scene.caller.go_on()
        scene.orders_done(1)
        if long_run:
            pause(30)  # longer than the canary may be away
        assert matcher(scene).is_alive
        holds(scene)
    starts_again(scene, "M5")
    holds(scene)


def test_m6_a_journal_that_cannot_be_written(scene: Scene) -> None:
    """One clear line and the exit code; nothing is half started."""
    matcher(scene).kill()
    with read_only(scene.world.journal.parent):
        mark = matcher(scene).mark
        matcher(scene).start(ready=None)
        code = matcher(scene).ended(30)
        said = "\n".join(matcher(scene).lines[mark[0] :])
    assert code == 1, said
    assert "journal.db" in said
    assert "write access" in said
    assert "event=ready" not in said
    starts_again(scene, "M6")
    holds(scene)


def test_m20_a_message_that_meets_an_error_of_ours(scene: Scene) -> None:
    """Set apart after one try; the others flow, and its sender tries again."""
    matcher(scene).kill()
    straight = matcher(scene).argv
    poison = Point("matcher.sessions:Sessions.welcome", "raise")
    words = ("matcher", "run", "--config", str(scene.world.matcher_config))
    matcher(scene).argv = poison.argv(1, *words)
    matcher(scene).start()
    matcher(scene).argv = straight
    scene.caller.go_on()
    scene.line("601").do(TcpProxy.cut)
    said = matcher(scene).wait_for("event=poison")
    assert "acted=no" in said
    back_s = scene.is_back("601", time.monotonic())
    scene.measured("M20", "the message's sender back", back_s, 5.0 + SLACK_S)
    scene.desk.wait(lambda: scene.desk.refused("handler_fault") == 1, "counted")
    with closing(sqlite3.connect(f"file:{scene.world.journal}?mode=ro", uri=True)) as db:
        reasons = [reason for (reason,) in db.execute("SELECT reason FROM quarantine")]
    assert len(reasons) == 1
    assert reasons[0].startswith("handler_fault")
    scene.orders_done(2)
    scene.settle()
    with scene.evidence(frozenset({"handler_fault"})) as evidence:
        faults = find_faults(evidence)
    assert faults == {"logbooks": [f"quarantine: {reasons[0]}"]}


def test_the_whole_holds_at_the_end(scene: Scene) -> None:
    scene.caller.pause()
    scene.settle()
    scene.check_at_the_end()
