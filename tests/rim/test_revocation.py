"""One command ends a revoked terminal: refused by the matcher, cut off by the broker, within 5 s.

The revoked side is an `Intruder` that fights for its connection; everybody else must not notice.
Figures are printed (`-s`); `--long` makes 100 rounds. What is wrong at the broker itself is in
test_broker_lists.py.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import threading
import time
from collections.abc import Iterator

import pytest

from tests.authority.fleet import FLEET
from tests.rim.daemon import outrider, run, until
from tests.rim.intruder import Intruder
from tests.rim.stranger import Stranger
from tests.rim.terminal import PLACE
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-revocation"), pytest.mark.timeout(90)]

ROUNDS, ROUNDS_LONG = 4, 100
CUT_S = 5.0
ALARM_S = 10.0
TRIES = 10  # of a cut intruder to come back
SPEAKER, WITNESS = "speaker", "witness"  # one that may say anything, and one that listens


def order_topic(name: str) -> str:
    return f"outrider/v1/terminal/{FLEET}/t-{name}/order"


def intruder(world: World, name: str) -> Intruder:
    keys = world.keys(f"t-{name}")
    return Intruder(keys, f"{FLEET}.t-{name}", world.broker.port, order_topic(name))


def revoke(world: World, name: str) -> float:
    """The one command; when it was done (the authority's folder is the centre's here)."""
    done = run(outrider("authority", "--dir", world.fleet.authority, "revoke", f"t-{name}"))
    assert done.returncode == 0, done.stderr
    return time.monotonic()


class Load:
    """Numbered messages, 50 a second, to the witness and to whoever is to be revoked."""

    def __init__(self, world: World) -> None:
        name = f"t-{SPEAKER}"
        self._speaker = Stranger(world.keys(name), f"{FLEET}.{name}", world.broker.port)
        self.witness = intruder(world, WITNESS)
        self.lost = WITNESS
        self.said = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        self.witness.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)
        self.witness.__exit__(None, None, None)
        self._speaker.__exit__(None, None, None)

    def _run(self) -> None:
        while not self._over.wait(0.02):
            payload = (self.said + 1).to_bytes(4, "big")
            self._speaker.say(order_topic(self.lost), payload)
            self._speaker.say(order_topic(WITNESS), payload)
            self.said += 1

    def largest_gap_s(self) -> float:
        """Ends the load; every message came to the witness, in order, over one connection."""
        self._over.set()
        self._thread.join(10)
        heard, said = self.witness.heard, self.said
        self.witness.wait(lambda: heard and int.from_bytes(heard[-1][1], "big") == said, "the last")
        numbers = [int.from_bytes(payload, "big") for _, payload in heard]
        assert sorted(set(numbers)) == list(range(numbers[0], said + 1))
        assert len(self.witness.let_in_s) == 1
        times = [at for at, _ in heard]
        return max(later - at for at, later in itertools.pairwise(times))


@pytest.fixture(scope="module")
def rounds(long_run: bool) -> int:
    return ROUNDS_LONG if long_run else ROUNDS


@pytest.fixture(scope="module")
def world(rounds: int) -> Iterator[World]:
    """A terminal with its crew, and as many that get lost as there are rounds, and some more."""
    lost = [f"lost-{number}" for number in range(rounds)]
    with World("611", keys_only=(*lost, "mute", "back", "late", SPEAKER, WITNESS)) as made:
        made.start()
        made.log_on()
        made.grant(f"user {FLEET}.t-{SPEAKER}\ntopic readwrite #\n")
        made.matcher.wait_for("event=broker_proven")
        yield made


@pytest.mark.timeout(900)
def test_cut_within_five_seconds_and_nobody_else_notices(world: World, rounds: int) -> None:
    cut_s: list[float] = []
    with Load(world) as load:
        for name in (f"lost-{number}" for number in range(rounds)):
            load.lost = name
            cut_s.append(cut_one(world, name))
        gap_s = load.largest_gap_s()
    worst = f"p50 {statistics.median(cut_s):.2f} s, max {max(cut_s):.2f} s after the command"
    print(f"\n{rounds} sessions closed, {worst}; others' largest gap {gap_s * 1000:.0f} ms")  # noqa: T201
    incident = world.desk.report((PLACE[0] - 0.001, PLACE[1]))
    order = world.desk.order(incident, "611", "delivered")
    world.crew("611").answer(order, "accept")
    assert not [a for a in world.desk.alerts.values() if a["kind"].startswith("broker")]


def cut_one(world: World, name: str) -> float:
    """Revoke `name`; seconds from the command's end until its session was closed for good."""
    with intruder(world, name) as lost:
        lost.wait(lambda: lost.heard, "hears its topic")
        mark, revoked_s = world.matcher.mark, revoke(world, name)
        world.matcher.wait_for(f"event=revoked_cut name=t-{name} ", after=mark)
        lost.wait(lambda: lost.ended_s, "session closed", CUT_S)
        before = len(lost.refusals)
        lost.wait(lambda: len(lost.refusals) >= before + TRIES, "tries to come back")
        ended_s = lost.ended_s[-1]
        assert ended_s - revoked_s < CUT_S
        assert len(lost.let_in_s) == 1, "it came back"
        assert lost.heard[-1][0] <= ended_s
        assert any("CERTIFICATE_REVOKED" in one for one in lost.refusals[before:])
    return ended_s - revoked_s


def test_where_the_broker_is_not_told_an_alert_says_so_and_it_heals(world: World) -> None:
    """The path unit is dead: the matcher refuses all the same, and asks until it is heard."""
    world.follows.clear()
    mark = world.matcher.mark
    with intruder(world, "mute") as lost:
        revoked_s = revoke(world, "mute")
        line = world.matcher.wait_for("level=error.*event=broker_unproven", after=mark)
        assert time.monotonic() - revoked_s < ALARM_S
        assert "access list" in line
        assert "revocation list" in line
        assert not lost.ended_s
        world.follows.set()
        world.matcher.wait_for("event=revoked_cut name=t-mute ", after=mark)
        lost.wait(lambda: lost.ended_s, "session closed")
        lost.wait(lambda: len(lost.refusals) > TRIES, "tries to come back")
        assert len(lost.let_in_s) == 1
    alerts = world.desk.alerts
    world.desk.wait(
        lambda: [a for a in alerts.values() if a["kind"] == "broker_unproven"], "an alert"
    )


def test_a_matcher_that_was_away_cuts_when_it_is_back(world: World) -> None:
    world.matcher.stop()
    with intruder(world, "late") as lost:
        revoke(world, "late")
        assert not lost.ended_s
        world.matcher.start()
        world.matcher.wait_for("event=revoked_cut name=t-late ")
        lost.wait(lambda: lost.ended_s, "session closed")


def test_enrolled_again_the_name_is_free_and_its_take_over_is_dead(world: World) -> None:
    keys = world.folder / "k" / "again"
    pair = world.folder / "pair"
    with intruder(world, "back"):
        revoke(world, "back")
        world.matcher.wait_for("event=revoked_cut name=t-back ")
        pair.mkdir()
        for file in (world.fleet.centre / "takeover").glob("t-back.*"):
            shutil.copy(file, pair / f"tls{file.suffix}")
        shutil.copy(world.fleet.centre / "root.pem", pair)
    mark = world.matcher.mark
    world.fleet.enrol("t-back", str(keys))
    assert not list((world.fleet.centre / "takeover").glob("t-back.*"))
    world.matcher.wait_for("event=broker_proven", after=mark)
    name, port = f"{FLEET}.t-back", world.broker.port
    with Intruder(keys, name, port, order_topic("back")) as anew:
        thief = Intruder(pair, name, port, order_topic("back"))
        thief.start()
        until(lambda: len(thief.refusals) > TRIES, "take-over refused")
        thief.close()
        assert not thief.let_in_s
        assert not anew.ended_s
