"""The demo's world with watched crews close to each other, and callers near the free ones."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.watched_crew import WatchedCrew
from demo import city
from demo.processes import Gone, until
from demo.world import World
from runtime.clock import Clock

NEAR_M: Final = (20.0, 90.0)
FREE_S: Final = 8.0  # a call waits for a free crew so long
_KINDS: Final = ("car", "motorcycle")


class WatchedWorld(World):
    """`asked`: what was reported, and the incident of its reply, None while there is none."""

    def __init__(self, folder: Path, seed: int, clock: Clock, say: Callable[[str], None]) -> None:
        super().__init__(folder, seed, clock, say)
        self.asked: dict[str, str | None] = {}

    def _post_crews(self) -> None:
        """Round one block in the middle: no drive is long, even to another's beat."""
        for n, member in enumerate(self.members):
            rng, post = random.Random(self.rng.random()), city.Node(5 + n % 2, 5 + n // 2 % 2)
            self.crews[member.unit] = WatchedCrew(member, self.layout, post.place, rng)

    @property
    def watched(self) -> list[WatchedCrew]:
        return [crew for crew in self.crews.values() if isinstance(crew, WatchedCrew)]

    def is_free(self, crew: WatchedCrew) -> bool:
        """As far as the desk knows."""
        found = self.desk.picture.units.get(crew.member.unit)
        return (
            crew.member.kind in _KINDS
            and found is not None
            and found.properties.status == "available"
            and found.properties.order is None
        )

    async def free_crew(self, rng: random.Random) -> WatchedCrew | None:
        """One of the free crews, waited for a little; None where all stay busy."""
        try:
            await until(lambda: any(map(self.is_free, self.watched)), FREE_S, "a free crew")
        except Gone:
            return None
        return rng.choice([crew for crew in self.watched if self.is_free(crew)])

    def call(self, rng: random.Random, crew: WatchedCrew) -> asyncio.Task[None]:
        """Somebody reports near a crew's post; the reply may need many repeats."""
        east_m, north_m = city.metres(crew.post)
        along_m = rng.choice((-1, 1)) * rng.uniform(*NEAR_M)
        is_east = rng.random() < 0.5
        scene = city.place(east_m + along_m * is_east, north_m + along_m * (not is_east))
        units, priority = 2 if rng.random() < 0.15 else 1, rng.choice((1, 1, 2, 3))
        key = f"call {len(self.asked) + 1}"
        self.asked[key] = None

        async def ask() -> None:
            self.asked[key] = await self.desk.report("theft", priority, scene, units, units)

        return asyncio.create_task(ask(), name=key)
