"""`report`: from a request leaving the requester to its order synced at the terminal.

The requester is a manager's client in this process, stamped before it seals; the order is synced
when the terminal's socket shows it to its crew, which the agent does right after its commit. So
sealing, one local hop and our reading of it are inside the figure. Each incident is cancelled, and
the next begins when the terminal has shown that too. A raw round trip and a raw commit are taken
between the samples.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import mean
from typing import Any, Final

from bench.figure import Figure, Spread, number
from bench.options import Options
from bench.raw import Commits, RoundTrips, round_trips
from bench.small_world import SmallWorld, small_world
from demo.layout import CALLER, DESK, FLEET
from manager import build
from manager.client import ManagerClient
from manager.settings import ManagerSettings
from protocol import topics
from protocol.request import Reply
from runtime.settings import load

UNITS: Final = 2
WARM_UP: Final = 10
SHOW_S: Final = 10.0
BOUND_FACTOR: Final = 4


@dataclass(slots=True)
class Samples:
    """Milliseconds, one of each a report."""

    shown: list[float] = field(default_factory=list)
    replied: list[float] = field(default_factory=list)
    trips: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)
    to_matcher: list[float] = field(default_factory=list)  # by the stamp of its reply


async def run(options: Options) -> list[Figure]:
    """Median and 99th percentile against the bound of this run's limits."""
    count = options.count(200, 40)
    samples = Samples()
    async with small_world(options, UNITS) as world, round_trips(world.layout.folder) as trips:
        await world.ready()
        options.say(f"{count} reports after {WARM_UP} to warm up")
        commits = Commits(world.layout.folder)
        async with Requester(world) as requester:
            for n in range(WARM_UP + count):
                one = await requester.once()
                raw = await asyncio.to_thread(_raw_ms, trips, commits)
                if n >= WARM_UP:
                    _keep(samples, one, raw)
        commits.close()
    return _figures(samples)


@dataclass(frozen=True, slots=True)
class Once:
    """One report."""

    sent_s: float
    sent_utc_ms: float
    shown_s: float
    replied_s: float
    reply: Reply


class Requester:
    """An intake's and a dispatcher's tool, and the terminals' screens."""

    def __init__(self, world: SmallWorld) -> None:
        self._world = world
        layout = world.layout
        self._caller = ManagerClient(load(layout.manager_config(CALLER), ManagerSettings))
        self._desk = ManagerClient(
            load(layout.manager_config(DESK), ManagerSettings),
            watch=((topics.statistics(FLEET), 0),),
        )
        self._hearing: asyncio.Task[None] | None = None
        self._heard: dict[str, asyncio.Future[float]] = {}

    async def __aenter__(self) -> Requester:
        await self._world.stop_desk()
        await self._caller.__aenter__()
        await self._desk.__aenter__()
        await asyncio.wait_for(self._caller.connected(), SHOW_S)
        await asyncio.wait_for(self._desk.connected(), SHOW_S)
        self._hearing = asyncio.create_task(self._hear())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._hearing is not None:
            self._hearing.cancel()
        await self._desk.__aexit__(None, None, None)
        await self._caller.__aexit__(None, None, None)

    async def hears(self, topic: str, timeout_s: float) -> float:
        """When the next message came on a watched topic. Raises TimeoutError."""
        heard = self._heard[topic] = asyncio.get_running_loop().create_future()
        return await asyncio.wait_for(heard, timeout_s)

    async def _hear(self) -> None:
        async for update in self._desk.updates():
            waiting = self._heard.pop(update.topic, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(time.monotonic())

    async def once(self) -> Once:
        """Report, see it on a terminal, cancel, see that too. Raises TimeoutError."""
        seen = {o["order"] for c in self._world.quiet.values() for o in c.state.get("orders", ())}
        showing = asyncio.ensure_future(
            self._shown(lambda o: o["order"] not in seen and o["state"] == "delivered")
        )
        await asyncio.sleep(0)
        asked = build.build(
            "report", build.report(self._options()), str(uuid.uuid4()), self._utc_ms(), 30
        )
        sent_s, sent_utc_ms = time.monotonic(), _utc_now_ms()
        reply = await self._caller.request(asked)
        replied_s = time.monotonic()
        if reply.outcome != "done" or reply.incident is None:
            raise ValueError(f"report was {reply.outcome}: {reply.detail}")
        shown_s = await showing
        await self._cancel(reply.incident)
        return Once(sent_s, sent_utc_ms, shown_s, replied_s, reply)

    def _options(self) -> dict[str, Any]:
        lat, lon = next(iter(self._world.quiet.values())).post
        return {"kind": "theft", "priority": 1, "lat": lat, "lon": lon, "units": 1, "officers": 1,
                "alert": False}  # fmt: skip

    async def _cancel(self, incident: str) -> None:
        gone = asyncio.ensure_future(
            self._shown(lambda o: o["incident"] == incident and o["state"] == "cancelled")
        )
        await asyncio.sleep(0)
        fields = {"incident": incident, "reason": "test"}
        asked = build.build("cancel", fields, str(uuid.uuid4()), self._utc_ms(), 30)
        reply = await self._desk.request(asked)
        if reply.outcome != "done":
            raise ValueError(f"cancel was {reply.outcome}: {reply.detail}")
        await gone

    async def _shown(self, wanted: Callable[[dict[str, Any]], bool]) -> float:
        """When the first terminal showed such an order."""

        def seen(state: dict[str, Any]) -> bool:
            return any(wanted(order) for order in state["orders"])

        watching = [
            asyncio.ensure_future(crew.shows(seen, SHOW_S)) for crew in self._world.quiet.values()
        ]
        try:
            done, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
            return min(one.result() for one in done)
        finally:
            for one in watching:
                one.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def _utc_ms(self) -> int:
        return self._world.clock.utc_ms()


def _utc_now_ms() -> float:
    """With its fraction, which the product's clock does not give."""
    return datetime.now(UTC).timestamp() * 1000


def _raw_ms(trips: RoundTrips, commits: Commits) -> tuple[float, float]:
    return trips.one_s() * 1000, commits.one_s() * 1000


def _keep(samples: Samples, one: Once, raw_ms: tuple[float, float]) -> None:
    samples.shown.append((one.shown_s - one.sent_s) * 1000)
    samples.replied.append((one.replied_s - one.sent_s) * 1000)
    samples.trips.append(raw_ms[0])
    samples.commits.append(raw_ms[1])
    samples.to_matcher.append(one.reply.time_ms - one.sent_utc_ms)


def _parts(samples: Samples) -> str:
    """Means. The centre stamps its decision in whole milliseconds, cut: half of one is added."""
    to_matcher = mean(samples.to_matcher) + 0.5
    to_reply = mean(samples.replied) - to_matcher
    to_screen = mean(samples.shown) - mean(samples.replied)
    return (
        f"parts (means): seal + to the matcher {number(to_matcher)} ms; decide + commit + back to "
        f"the requester {number(to_reply)} ms; the order, sent just before that reply, is synced "
        f"and on the screen {number(to_screen)} ms later"
    )


def _figures(samples: Samples) -> list[Figure]:
    shown, trip = Spread.of(samples.shown), Spread.of(samples.trips)
    commit = Spread.of(samples.commits)
    bound = BOUND_FACTOR * (trip.p50 + commit.p50)
    beside = (
        f"raw round trip: {trip.words('ms')}",
        f"synced commit: {commit.words('ms')}",
        _parts(samples),
        f"reply back at the requester: {Spread.of(samples.replied).words('ms')}",
        "includes sealing, the socket to the crew's screen and reading it here",
    )
    what = "report leaves the requester → order synced at the terminal"
    return [
        Figure("report", f"{what}, p50", shown.p50, "ms", bound, beside=beside),
        Figure(
            "report", f"{what}, p99", shown.p99, "ms", BOUND_FACTOR * bound,
            beside=(shown.words("ms"), _shares(samples)),
        ),
    ]  # fmt: skip


def _shares(samples: Samples) -> str:
    pairs: Sequence[tuple[float, float, float]] = list(
        zip(samples.shown, samples.trips, samples.commits, strict=True)
    )
    within = sum(shown <= BOUND_FACTOR * (trip + commit) for shown, trip, commit in pairs)
    return f"{within} of {len(pairs)} within 4 × the round trip and commit taken beside them"
