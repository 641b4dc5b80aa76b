"""Receivers that talk nonsense or vanish, a broker that is not there: the daemons live, say so in
one line, go on by themselves, and lose nothing good.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from protocol.track import TrackPoint
from tests.authority.fleet import real_now_ms
from tests.rim.daemon import Daemon, until
from tests.rim.journal import numbers_of, track_of
from tests.rim.terminal import PLACE, Terminal
from tests.rim.world import World, is_live

pytestmark = [pytest.mark.xdist_group("rim-line"), pytest.mark.timeout(90)]

UNIT = "611"
STEP_MS = 200  # the receiver's 5 Hz
NEAR_E6 = 2  # the emulator stands still and rounds to its sentences' digits
RECOVERY_MS = 5_000


@dataclass
class Line:
    """The world with the one terminal whose surroundings misbehave."""

    world: World

    @property
    def terminal(self) -> Terminal:
        return self.world.terminals[UNIT]

    @property
    def agent(self) -> Daemon:
        return self.terminal.agent

    def track(self, since_ms: int) -> list[TrackPoint]:
        """Journaled fixes from then on."""
        enrolment = self.world.enrolments[f"t-{UNIT}"]
        return [p for p in track_of(self.world.journal, enrolment) if p.time_ms >= since_ms]

    def fixes_until(self, at_ms: int, since_ms: int) -> list[TrackPoint]:
        """The track from `since_ms` on, once it reaches `at_ms`."""
        until(lambda: [p for p in self.track(since_ms) if p.time_ms >= at_ms], "track at centre")
        return self.track(since_ms)

    def is_live_again(self) -> None:
        """A position of from now on has come, and the unit may be sent."""
        now = real_now_ms()
        self.world.desk.unit(UNIT, lambda p: is_live(p) and _ms(p["position_time"]) >= now)

    def check(self) -> None:
        assert self.agent.is_alive
        assert self.world.matcher.is_alive
        numbers = numbers_of(self.world.journal, self.world.enrolments[f"t-{UNIT}"])
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with World(UNIT) as world:
        world.start()
        world.log_on()
        yield Line(world)


def _ms(iso: str) -> int:
    return round(datetime.fromisoformat(iso).timestamp() * 1000)


def is_at_place(point: TrackPoint) -> bool:
    lat_e6, lon_e6 = round(PLACE[0] * 1e6), round(PLACE[1] * 1e6)
    return abs(point.lat_e6 - lat_e6) <= NEAR_E6 and abs(point.lon_e6 - lon_e6) <= NEAR_E6


def fault(line: Line, kind: str, seconds: float) -> None:
    """A fault of the emulator, from its beginning to its end."""
    receiver = line.terminal.receiver
    mark = receiver.mark
    receiver.tell(json.dumps({"do": "fault", "kind": kind, "seconds": seconds}))
    receiver.wait_for('"fault_end"', after=mark)


def test_a_line_with_garbage_gives_no_wrong_fix(line: Line) -> None:
    since_ms = real_now_ms()
    fault(line, "garbage", 3)
    line.is_live_again()
    found = line.fixes_until(real_now_ms(), since_ms)
    assert [p for p in found if not is_at_place(p)] == []
    assert all(earlier.time_ms < later.time_ms for earlier, later in pairwise(found))
    line.check()


def test_a_receiver_that_vanishes_and_comes_back(line: Line) -> None:
    mark = line.agent.mark
    desk = line.world.desk
    seen = len(desk.history)
    fault(line, "hangup", 6)
    back_ms = real_now_ms()
    line.agent.wait_for("event=port_lost", after=mark)
    line.agent.wait_for("event=gnss_silent", after=mark)
    line.agent.wait_for("event=port_opened", after=mark)
    line.is_live_again()
    found = line.fixes_until(back_ms + RECOVERY_MS // 2, back_ms)
    assert found[0].time_ms - back_ms <= RECOVERY_MS
    shown = [one["properties"] for kind, one in desk.history[seen:] if kind == "unit"]
    without = [p for p in shown if p["fix"] == "none"]
    assert without, "the desk was not told that the receiver has gone"
    assert without[-1]["freshness"] == "stale"  # the last place stays on the map, aged
    line.check()


def test_noise_instead_of_a_receiver(line: Line, tmp_path: Path) -> None:
    """Another device on the same name: nothing but noise; then the right one again."""
    noise = tmp_path / "noise"
    noise.write_bytes(random.Random(1).randbytes(20_000))
    since_ms, mark = real_now_ms(), line.agent.mark
    assert line.terminal.receiver.stop() == 0
    wrong = Daemon("noise", [*line.terminal.receiver.argv[:6], str(noise),
                             "--loop", "--rate", "0", "--baud", "9600"])  # fmt: skip
    wrong.start("ready")
    try:
        said = line.agent.wait_for("event=no_sentences", after=mark)
        assert "remedy=" in said
        assert "trying_baud=" in said
        line.world.desk.unit(UNIT, lambda p: p["fix"] == "none")
    finally:
        wrong.stop()
    begun_ms = real_now_ms()
    line.terminal.receiver.start("ready")
    line.is_live_again()
    found = line.fixes_until(begun_ms + 1000, since_ms)
    assert [p for p in found if not is_at_place(p)] == []
    line.check()


def test_a_broker_that_is_killed_midway(line: Line) -> None:
    """SIGKILL with an order at the terminal: the crew answers meanwhile, nothing is lost."""
    world, desk, crew = line.world, line.world.desk, line.world.crew(UNIT)
    since_ms, mark = real_now_ms(), line.agent.mark
    incident = desk.report(PLACE)
    order = desk.order(incident, UNIT, "delivered")
    world.broker.kill()
    crew.wait(lambda s: s["link"] == "down", "link down")
    line.agent.wait_for("event=mqtt_disconnected", after=mark)
    crew.answer(order, "accept")
    assert crew.order(order)["state"] == "accepted"  # and not confirmed: the screen says so
    until(lambda: crew.status()["waiting_entries"] > 2, "entries wait")
    world.broker.start()
    crew.order(order, "confirmed", "held")
    desk.order(incident, UNIT, "confirmed")  # the desk is back too: a closing is told once
    for word in ("en-route", "on-scene", "clear"):
        crew.answer(order, word)
    desk.incident(incident, "cleared")
    crew.wait(lambda s: s["waiting_entries"] == 0, "all receipted")
    line.is_live_again()
    found = line.fixes_until(real_now_ms(), since_ms)
    steps = {later.time_ms - earlier.time_ms for earlier, later in pairwise(found)}
    assert steps == {STEP_MS}, "every fix of the outage is in the track"
    line.check()


def test_nobody_waits_for_the_broker() -> None:
    """Down at the start: both daemons are ready, the crew works, all is told when it is there."""
    with World(UNIT) as world:
        line = Line(world)
        world.write_matcher_config()
        world.matcher.start()
        begun_ms = real_now_ms()
        world.start_terminals()
        for daemon in (world.matcher, line.agent):
            said = daemon.wait_for("event=mqtt_connect_failed")
            assert str(world.broker.port) in said
        crew = line.terminal.crew()
        crew.log_on(UNIT)
        crew.wait(lambda s: s["fix"] is not None and s["fix"]["fix"] == "3d", "a fix")
        assert crew.state["link"] == "down"
        late_ms = real_now_ms()
        world.start_broker()
        world.desk.connected()
        world.desk.unit(UNIT, is_live)
        found = line.fixes_until(late_ms, begun_ms)
        assert found[0].time_ms < late_ms
        steps = {later.time_ms - earlier.time_ms for earlier, later in pairwise(found)}
        assert steps == {STEP_MS}
        line.check()
