"""`uplink`: the same outages for plain paho, for a file queue and for ours; lost and doubled.

A receiver gives each of the three the same positions. Ten cuts (all connections reset, wherever in
a packet, and no new one for a while), one SIGKILL of the broker, one of the sender's process in
the midst of a cut. Then everything is healed and waited for. A position counts once its sender was
told it by a living process; it is lost where the far end never got it, doubled where it got it
more than once. The far end is a durable QoS 1 subscriber; for ours it is the centre's journal.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.figure import Figure
from bench.options import Options
from bench.uplink_receiver import STEP_MS, moment_text, speak
from bench.uplink_world import FILE, OURS, PAHO, SENDERS, UplinkWorld
from protocol import entry, track
from protocol.entry import EntryKind, Track

CUTS: Final = 10
DOWN_S: Final = (0.0, 1.5)
DOWN_WITH_KILL_S: Final = 2.5
KILL_AFTER_S: Final = 1.0  # into the cut: some positions wait by then
FIRST_S: Final = 1.0
LAST_S: Final = 2.0  # before the end
DRAIN_S: Final = 40.0
QUIET_S: Final = 8.0  # nothing new for so long: nothing more will come
_LOOK_S: Final = 0.25
_NAMES: Final = {
    OURS: "ours", PAHO: "paho, QoS 1, durable session, queue in memory",
    FILE: "file queue, deleted on PUBACK, QoS 1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one sender's positions."""

    said: int
    lost: int
    doubled: int

    @classmethod
    def of(cls, said: list[str], received: Counter[str]) -> Tally:
        lost = sum(1 for one in said if not received[one])
        return cls(len(said), lost, sum(received[one] - 1 for one in said if received[one] > 1))


@dataclass(frozen=True, slots=True)
class Cut:
    at_s: float
    down_s: float
    kills: bool


def plan(rng: random.Random, seconds: float) -> tuple[list[Cut], float]:
    """The cuts in order, one of which has the process kill, and when the broker is killed."""
    moments = sorted(rng.uniform(FIRST_S, seconds - LAST_S) for _ in range(CUTS))
    killing = rng.randrange(2, CUTS - 2)
    cuts = [
        Cut(at_s, DOWN_WITH_KILL_S if n == killing else rng.uniform(*DOWN_S), n == killing)
        for n, at_s in enumerate(moments)
    ]
    return cuts, rng.uniform(FIRST_S, seconds - LAST_S)


async def run(options: Options) -> list[Figure]:
    """Two figures: what ours lost and doubled, the peers beside it."""
    count = options.count(500, 200)
    folder = Path(tempfile.mkdtemp(prefix="outrider-uplink-"))
    world = UplinkWorld(folder, options)
    try:
        await world.start()
        await world.all_on()
        await world.start_peers()
        await _outages(world, options, count)
        tallies = await _settled(world)
    except BaseException:
        options.say(f"logs are in {folder}/logs")
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        await world.stop()
        for mouth in world.mouths.values():
            mouth.close()
    return _figures(tallies, options)


async def _outages(world: UplinkWorld, options: Options, count: int) -> None:
    cuts, broker_at_s = plan(random.Random(options.seed), count * STEP_MS / 1000)
    mouths = list(world.mouths.values())
    await asyncio.gather(*(mouth.opened() for mouth in mouths))
    options.say(f"{count} positions, {len(cuts)} cuts, a broker kill, a process kill")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(speak(mouths, count))
        tasks.create_task(_kill_brokers(world, broker_at_s))
        tasks.create_task(_cut(world, cuts))
    world.heal()


async def _kill_brokers(world: UplinkWorld, at_s: float) -> None:
    await asyncio.sleep(at_s)
    world.kill_brokers()


async def _cut(world: UplinkWorld, cuts: list[Cut]) -> None:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    for cut in cuts:
        await asyncio.sleep(max(0.0, started_s + cut.at_s - loop.time()))
        world.cut()
        if cut.kills:
            await asyncio.sleep(KILL_AFTER_S)
            await world.for_each_sender(lambda sender: _kill(world, sender))
        await asyncio.sleep(max(0.0, started_s + cut.at_s + cut.down_s - loop.time()))
        world.heal()


async def _kill(world: UplinkWorld, sender: str) -> None:
    """SIGKILL; the receiver is silent from just before it until the process reads again."""
    mouth = world.mouths[sender]
    await mouth.mute()
    world.process(world.process_of(sender)).kill()
    await mouth.closed()
    await mouth.opened()


async def _settled(world: UplinkWorld) -> dict[str, Tally]:
    """Once everything has come, or nothing new has for a while."""
    loop = asyncio.get_running_loop()
    started_s = news_s = loop.time()
    before: dict[str, Tally] = {}
    while True:
        tallies = {sender: _tally(world, sender) for sender in SENDERS}
        if tallies != before:
            before, news_s = tallies, loop.time()
        is_late = loop.time() - started_s > DRAIN_S
        if loop.time() - news_s > QUIET_S or is_late:
            return tallies
        await asyncio.sleep(_LOOK_S)


def _tally(world: UplinkWorld, sender: str) -> Tally:
    said = [moment_text(epoch_ms) for epoch_ms in world.mouths[sender].said]
    if sender == OURS:
        return Tally.of(said, _journaled(world.layout.journal))
    lines = world.received_file(sender).read_text(encoding="ascii").splitlines()
    return Tally.of(said, Counter(lines))


def _journaled(journal: Path) -> Counter[str]:
    """How often each fix of a track stands in the journal."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT data FROM entry WHERE kind = ?", (int(EntryKind.TRACK),))
        bodies = [entry.decode(data).body for (data,) in rows]
    found: Counter[str] = Counter()
    for body in bodies:
        assert isinstance(body, Track)
        found.update(moment_text(p.time_ms) for p in track.unpack(body.packed, body.count))
    return found


def _figures(tallies: dict[str, Tally], options: Options) -> list[Figure]:
    ours = tallies[OURS]
    asked = (
        f"{ours.said} positions, {CUTS} cuts, a broker kill, a process kill, seed {options.seed}"
    )
    lost = [f"{_NAMES[peer]}: {tallies[peer].lost} of {tallies[peer].said}" for peer in _NAMES]
    doubled = [f"{_NAMES[peer]}: {tallies[peer].doubled}" for peer in _NAMES]
    return [
        Figure("uplink", "positions lost", ours.lost, "", 0, beside=(*lost[1:], asked)),
        Figure("uplink", "positions doubled", ours.doubled, "", 0, beside=(*doubled[1:], asked)),
    ]
