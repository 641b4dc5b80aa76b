"""`backlog`: what the logbook writes to its card, and how soon eight hours of it are at the centre.

First a terminal runs at 1 Hz: bytes a day to its store. Then eight hours of fixes are written into
the same store while it stands still, 60 entries a commit, and it starts behind a line of 1 Mbit/s:
until nothing waits, with the age of the newest position at a manager all the while.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent import logbook_file
from agent.core.track_builder import entries_of
from agent.logbook_file import Change
from agent.logbook_schema import OPTIONS, SCHEMA
from bench.figure import Figure, number
from bench.options import Options
from bench.small_world import QuietCrew, SmallWorld, small_world
from demo.processes import until
from protocol import entry as entries
from protocol.entry import Entry
from protocol.track import TrackPoint
from protocol.words import TimeTrust
from runtime.store import Store

LINE_BYTES_PER_S: Final = 125_000  # 1 Mbit/s
HOURS: Final = 8
FIXES_MAX: Final = 60  # an entry
AT_ONCE: Final = 60  # entries a commit
DRAIN_S_MAX: Final = 10.0
LIVE_S_MAX: Final = 2.0
DAY_MB_MAX: Final = 50.0
FACTOR_MAX: Final = 3.0
WAIT_S: Final = 180.0
LOOK_S: Final = 0.05
SETTLED_S: Final = 1.5


@dataclass(frozen=True, slots=True)
class Written:
    """What it took to keep the backlog."""

    payload_bytes: int
    given_bytes: int
    rounded_bytes: int


async def run(options: Options) -> list[Figure]:
    seconds = options.count(300, 90)
    async with small_world(options, 1) as world:
        await world.ready()
        crew, member = world.quiet[world.members[0].unit], world.members[0]
        options.say(f"{seconds} s at 1 Hz")
        await asyncio.sleep(seconds)
        day = crew.state["store"]
        halted = await world.halt(f"agent-{member.unit}")
        written = await asyncio.to_thread(
            write_backlog, world.layout.folder / "stores" / f"{member.device}.db",
            world.clock.utc_ms(),
        )  # fmt: skip
        config = world.layout.terminal_config(member)
        text = config.read_text(encoding="utf-8")
        found = re.search(r"^port = (\d+)$", text, re.MULTILINE)
        assert found is not None
        port = await _slow_line(world, int(found.group(1)))
        text = text.replace(found.group(0), f"port = {port}", 1)
        steady = '[report]\npolicy = "interval"\ninterval_s = 1.0\n'
        config.write_text(text.replace("[report]\n", steady), encoding="utf-8")
        await world.start_again(halted)
        drain_s, live = await _drained(world, crew, options)
        await world.halt(f"agent-{member.unit}")
    days = seconds / 86_400
    return [
        Figure("backlog", "bytes that the store was given, a day at 1 Hz",
               day["written_day_bytes"] / 1e6, "MB", DAY_MB_MAX,
               beside=(f"in the kernel's whole pages {number(_rounded(day))} MB",
                       f"over {number(days * 24)} h, the start's own writing included")),
        Figure("backlog", f"bytes given, over the entries' own, {AT_ONCE} entries a commit",
               written.given_bytes / written.payload_bytes, "times", FACTOR_MAX,
               beside=(f"whole pages {number(written.rounded_bytes / written.payload_bytes)} times",
                       f"entries {number(written.payload_bytes / 1000)} kB")),
        Figure("backlog", f"{HOURS} h at 1 Hz over 1 Mbit/s: welcome → nothing waits", drain_s, "s",
               DRAIN_S_MAX),
        Figure("backlog", "fix → centre meanwhile, slowest", live.slowest_s, "s", LIVE_S_MAX,
               beside=(f"oldest that a manager saw {number(live.oldest_s)} s: reported and shown"
                       " once a second each",)),
    ]  # fmt: skip


async def _slow_line(world: SmallWorld, target: int) -> int:
    """The port of a line of 1 Mbit/s to `target`."""
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def hear(line: str) -> None:
        said = json.loads(line)
        if said["event"] == "ready" and not ready.done():
            ready.set_result(said["port"])

    command = [sys.executable, "-m", "hil", "proxy", "--target", f"127.0.0.1:{target}"]
    running = await world.processes.start("proxy", command, hear)
    port = await asyncio.wait_for(ready, WAIT_S)
    rate = {"do": "rate_limit", "bytes_per_s": LINE_BYTES_PER_S}
    running.say(json.dumps(rate).encode() + b"\n")
    return port


def _rounded(day: dict[str, int]) -> float:
    return day["written_day_rounded_bytes"] / 1e6


def write_backlog(path: Path, now_ms: int) -> Written:
    """Eight hours of a drive into a store that nobody holds, as the agent would have kept them."""
    begin_ms, chance = now_ms - HOURS * 3_600_000, random.Random(1)
    bodies = [
        body
        for at in range(0, HOURS * 3600, FIXES_MAX)
        for body in entries_of([_point(begin_ms, at + i, chance) for i in range(FIXES_MAX)])
    ]
    made = [Entry(begin_ms, TimeTrust.GNSS, 1, n, None, body) for n, body in enumerate(bodies)]
    payload_bytes = sum(len(entries.encode(one)) for one in made)
    with Store(path, SCHEMA, OPTIONS) as store:
        before = store.bytes_written or 0, store.bytes_to_disk or 0
        for at in range(0, len(made), AT_ONCE):
            change = Change(tuple(made[at : at + AT_ONCE]))
            store.commit_now(lambda c, change=change: logbook_file.apply(c, lambda _n: change))  # type: ignore[misc]
        given = (store.bytes_written or 0) - before[0]
        rounded = (store.bytes_to_disk or 0) - before[1]
    return Written(payload_bytes, given, rounded)


def _point(begin_ms: int, second: int, chance: random.Random) -> TrackPoint:
    """A drive at about 14 m/s with bends and noise: it packs to what real ones do."""
    return TrackPoint(
        begin_ms + second * 1000,
        24_513_000 + second % 3000 * 90 + round(chance.gauss(0, 12)),
        117_647_000 + second % 2000 * 80 + round(chance.gauss(0, 12)),
        max(0, 140 + round(chance.gauss(0, 12))), (second // 40 * 37 + chance.randrange(7)) % 360,
        2, 0,
    )  # fmt: skip


@dataclass(slots=True)
class Live:
    """Positions while the backlog goes, in seconds."""

    since_s: float  # UTC; the first position after it begins
    slowest_s: float = 0.0  # from a fix to the centre
    oldest_s: float = 0.0  # of what a manager sees, which is published once a second

    def look(self, world: SmallWorld) -> None:
        shown: Any = world.desk.picture.units[world.members[0].unit].properties
        at_s = _utc_s(shown.position_time)
        if at_s < self.since_s:
            return
        self.slowest_s = max(self.slowest_s, _utc_s(shown.received_time) - at_s)
        self.oldest_s = max(self.oldest_s, world.clock.utc_ms() / 1000 - at_s)


async def _drained(world: SmallWorld, crew: QuietCrew, options: Options) -> tuple[float, Live]:
    """Seconds from the welcome until nothing waits."""
    dead, live = crew.state, Live(world.clock.utc_ms() / 1000)
    await until(lambda: crew.state is not dead and crew.is_welcomed, WAIT_S, "welcome")
    welcomed_s = time.monotonic()
    options.say(f"{crew.state['waiting_entries']} entries wait")
    while crew.state["waiting_entries"] > 1:  # a live one may always be on its way
        if time.monotonic() - welcomed_s > WAIT_S:
            raise TimeoutError(f"{crew.state['waiting_entries']} entries still wait")
        await asyncio.sleep(LOOK_S)
        live.look(world)
    drained_s = time.monotonic() - welcomed_s
    for _ in range(round(SETTLED_S / LOOK_S)):  # what was said last is shown within a second
        await asyncio.sleep(LOOK_S)
        live.look(world)
    return drained_s, live


def _utc_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
