"""Kills (SIGKILL), some at any moment, most where something is half done.

any        one part, whatever it does
reply      the broker stands still as a report is on its way, then dies: request or reply lost
decide     the matcher, as a report reaches it: before, in or right after its commit
takeover   a terminal, then, with an order for it undelivered, the matcher
shown      the terminal whose screen has just shown a new order
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from bench.watched_crew import WatchedCrew
from bench.watched_world import WatchedWorld
from demo.processes import Gone, until

KINDS: Final = ("reply", "decide", "takeover", "shown", "any")
UP_AGAIN_S: Final = 60.0
WELCOME_S: Final = 30.0
SHOWN_S: Final = 5.0
ON_ITS_WAY_S: Final = (0.0005, 0.006)
STILL_S: Final = 0.1
DECIDED_S: Final = (0.002, 0.008)
_ANY: Final = {"matcher": 3, "broker": 2, "agent": 5}  # shares


class Strikes:
    """`killed` counts by process, `struck` by kind; `welcomed_s` are agents' times to be back."""

    def __init__(self, world: WatchedWorld, rng: random.Random, say: Callable[[str], None]) -> None:
        self.killed: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.welcomed_s: list[float] = []
        self._world, self._rng, self._say = world, rng, say
        self._waits: list[asyncio.Task[None]] = []
        self._do: dict[str, Callable[[WatchedCrew], Awaitable[None]]] = {
            "any": self._any,
            "reply": self._reply,
            "decide": self._decide,
            "takeover": self._takeover,
            "shown": self._shown,
        }

    async def strike(self, kind: str) -> None:
        """One of KINDS; at any moment where no crew is free to be called. Raises Gone."""
        crew = None if kind == "any" else await self._world.free_crew(self._rng)
        if crew is None:
            kind, crew = "any", self._rng.choice(self._world.watched)
        self._say(f"strike: {kind}")
        self.struck[kind] += 1
        await self._do[kind](crew)

    async def settle(self) -> None:
        """Wait for killed agents to be welcomed."""
        await asyncio.gather(*self._waits)

    async def kill(self, name: str) -> None:
        """Now, or as soon as it is up again after the last one. Raises Gone."""
        await until(self._world.process(name).kill, UP_AGAIN_S, f"{name} up again after its kill")
        self.killed[name] += 1
        if name.startswith("agent-"):
            crew = self._world.crews[name.removeprefix("agent-")]
            assert isinstance(crew, WatchedCrew)
            self._waits.append(asyncio.create_task(self._time_welcome(crew)))

    async def _time_welcome(self, crew: WatchedCrew) -> None:
        started_s, dead = time.monotonic(), crew.state
        await until(
            lambda: crew.state is not dead and bool(crew.state.get("welcomed")), WELCOME_S,
            f"welcome of {crew.member.unit}",
        )  # fmt: skip
        self.welcomed_s.append(time.monotonic() - started_s)

    # --- kinds -----------------------------------------------------------------------------------

    async def _any(self, _crew: WatchedCrew) -> None:
        kind = self._rng.choices(list(_ANY), list(_ANY.values()))[0]
        unit = self._rng.choice(self._world.members).unit
        await self.kill(f"agent-{unit}" if kind == "agent" else kind)

    async def _reply(self, crew: WatchedCrew) -> None:
        self._world.call(self._rng, crew)
        await asyncio.sleep(self._rng.uniform(*ON_ITS_WAY_S))
        self._world.process("broker").signal(signal.SIGSTOP)
        await asyncio.sleep(STILL_S)
        await self.kill("broker")

    async def _decide(self, crew: WatchedCrew) -> None:
        self._world.call(self._rng, crew)
        await asyncio.sleep(self._rng.uniform(*ON_ITS_WAY_S))
        await self.kill("matcher")

    async def _takeover(self, crew: WatchedCrew) -> None:
        self._world.call(self._rng, crew)
        await asyncio.sleep(self._rng.uniform(*DECIDED_S))
        self._world.process("broker").signal(signal.SIGSTOP)
        await asyncio.sleep(STILL_S)
        await self.kill("matcher")
        await self.kill("broker")

    async def _shown(self, crew: WatchedCrew) -> None:
        before = {one.member.unit: len(one.shown) for one in self._world.watched}
        self._world.call(self._rng, crew)
        try:
            await until(lambda: self._has_more(before) is not None, SHOWN_S, "an order shown")
        except Gone:
            return  # all hands full after earlier strikes: the order comes later
        found = self._has_more(before)
        await self.kill(f"agent-{found or crew.member.unit}")

    def _has_more(self, before: dict[str, int]) -> str | None:
        """A unit whose screen has shown an order since."""
        return next(
            (c.member.unit for c in self._world.watched if len(c.shown) > before[c.member.unit]),
            None,
        )
