"""`recovery`: killed (SIGKILL) and serving again.

An agent serves when the centre's welcome is on its screen; the matcher when, connected again, it
has sent an order that a terminal shows; the broker when every terminal is welcomed. The processes
are started again 0.5 s after their end (systemd's units wait 1 s); that pause is inside the
figures. The matcher is killed with a young journal, then with a long one made by driving the core.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from bench import big_journal
from bench.figure import Figure, Spread, number
from bench.options import Options
from bench.report import Requester
from bench.small_world import QuietCrew, SmallWorld, small_world
from demo.layout import FLEET
from demo.processes import RESTART_S, Running, until
from protocol import topics

RECOVERY_S_MAX: Final = 3.0
UNITS: Final = 4
WAIT_S: Final = 120.0
POSITIONS_S: Final = 6.0


async def run(options: Options) -> list[Figure]:
    """Agent, broker, matcher with a young and with a long journal."""
    repeats = options.count(5, 2)
    events = options.count(50_000, 5_000)
    async with small_world(options, UNITS) as world:
        await world.ready()
        agents = [await _agent(world, n) for n in range(repeats)]
        brokers = [await _broker(world) for _ in range(repeats)]
        async with Requester(world) as requester:
            young = [await _matcher(world, requester) for _ in range(repeats)]
            young_bytes = world.layout.journal.stat().st_size
            halted = await world.halt("matcher")
            options.say(f"making {events} events")
            added = await asyncio.to_thread(
                big_journal.fill, world.layout.journal, events, world.clock.utc_ms(), options.say
            )
            await world.start_again(halted)
            await _serves(world, requester)
            long = [await _matcher(world, requester) for _ in range(repeats)]
            long_bytes = world.layout.journal.stat().st_size
    pause = f"of it {RESTART_S} s until it is started again"
    return [
        _figure("agent killed → welcomed again", agents, (pause,)),
        _figure(
            "matcher killed → its order shown at a terminal", [sum(one) for one in young],
            (pause, _split(young), f"journal of {number(young_bytes / 2**20)} MiB"),
        ),
        _figure(
            f"the same with {added:,} journaled events more", [sum(one) for one in long],
            (pause, _split(long), f"journal of {number(long_bytes / 2**20)} MiB"),
        ),
        _figure(f"broker killed → all {UNITS} terminals welcomed again", brokers, (pause,)),
    ]  # fmt: skip


def _figure(what: str, times_s: Sequence[float], beside: tuple[str, ...]) -> Figure:
    times = Spread.of(times_s)
    return Figure("recovery", f"{what}, p50", times.p50, "s", RECOVERY_S_MAX,
                  beside=(times.words("s"), *beside))  # fmt: skip


def _split(times: Sequence[tuple[float, float]]) -> str:
    connected, order = (Spread.of(part).p50 for part in zip(*times, strict=True))
    return f"p50: {number(connected)} s to the first word, {number(order)} s report to order"


async def _kill(running: Running) -> float:
    """When (monotonic seconds)."""
    await until(running.kill, WAIT_S, f"{running.name} up, to be killed")
    return time.monotonic()


async def _agent(world: SmallWorld, n: int) -> float:
    member = world.members[n % len(world.members)]
    crew = world.quiet[member.unit]
    killed_s = await _kill(world.process(f"agent-{member.unit}"))
    return await _welcomed_again(crew, crew.state) - killed_s


async def _broker(world: SmallWorld) -> float:
    """A screen first says that the link is down: the state before the kill does not count."""
    crews = list(world.quiet.values())
    downs = [
        asyncio.ensure_future(crew.shows(lambda state: not state["welcomed"], WAIT_S))
        for crew in crews
    ]
    await asyncio.sleep(0)
    killed_s = await _kill(world.process("broker"))
    await asyncio.gather(*downs)
    back_s = await asyncio.gather(*(_welcomed_again(crew, None) for crew in crews))
    return max(back_s) - killed_s


async def _welcomed_again(crew: QuietCrew, dead: object) -> float:
    """When it was; `dead` is the last state of a process that is gone."""
    if crew.state is not dead and crew.is_welcomed:
        return time.monotonic()
    return await crew.shows(lambda state: bool(state["welcomed"]), WAIT_S)


async def _matcher(world: SmallWorld, requester: Requester) -> tuple[float, float]:
    """(kill → first word from the new one, its word → order shown) in seconds."""
    spoken = asyncio.ensure_future(requester.hears(topics.statistics(FLEET), WAIT_S))
    await asyncio.sleep(0)
    killed_s = await _kill(world.process("matcher"))
    spoken_s = await spoken
    one = await requester.once()
    # positions said while it was down are lost: let every terminal say one before the next kill
    await asyncio.sleep(POSITIONS_S)
    return spoken_s - killed_s, one.shown_s - spoken_s


async def _serves(world: SmallWorld, requester: Requester) -> None:
    """Until the restarted matcher sends orders."""
    await requester.hears(topics.statistics(FLEET), WAIT_S)
    await requester.once()
    world.check()
