"""The demo's system with few terminals, whose crews only log on: to measure one thing at a time.

Real authority, broker, matcher, agents and receivers; nobody answers an order or drives.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from bench.options import Options
from demo import city
from demo.crew import Crew
from demo.layout import Layout, Member
from demo.processes import Running, outrider, until
from demo.world import World
from runtime.clock import SystemClock

SHOW_S = 30.0


class QuietCrew(Crew):
    """Logs on, and notes when its screen showed what; `on_state` hears of each screen."""

    def __init__(self, member: Member, layout: Layout, post: city.Point) -> None:
        super().__init__(member, layout, post, random.Random(0))
        self.on_state: Callable[[dict[str, Any], float], None] = lambda _state, _at_s: None

    async def _on_line(self, line: bytes) -> None:
        at_s = time.monotonic()  # before anything is made of it
        before = self.state
        await super()._on_line(line)
        if self.state is not before:
            self.on_state(self.state, at_s)

    async def _attend(self, key: str) -> None:
        """Nobody answers here."""

    @property
    def is_welcomed(self) -> bool:
        return bool(self.state.get("welcomed"))

    async def shows(self, seen: Callable[[dict[str, Any]], bool], timeout_s: float) -> float:
        """When the screen first showed it from now on (monotonic seconds). Raises TimeoutError."""
        found: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        before = self.on_state

        def look(state: dict[str, Any], at_s: float) -> None:
            before(state, at_s)
            if not found.done() and seen(state):
                found.set_result(at_s)

        self.on_state = look
        try:
            return await asyncio.wait_for(found, timeout_s)
        finally:
            self.on_state = before


class SmallWorld(World):
    """`units` terminals; with `has_fix` false their receivers start without one."""

    def __init__(self, folder: Path, options: Options, units: int, *, has_fix: bool = True) -> None:
        super().__init__(folder, options.seed, SystemClock(), options.say)
        self.members = self.members[:units]
        self.quiet: dict[str, QuietCrew] = {}
        self._has_fix = has_fix
        self.on_receiver: Callable[[str, dict[str, Any]], None] = lambda _unit, _event: None

    def _post_crews(self) -> None:
        posts = city.posts(16, self.rng)[: len(self.members)]
        for member, post in zip(self.members, posts, strict=True):
            crew = QuietCrew(member, self.layout, post.place)
            self.quiet[member.unit] = self.crews[member.unit] = crew

    async def _start_terminal(self, member: Member) -> None:
        if self._has_fix:
            await super()._start_terminal(member)
            return
        crew = self.quiet[member.unit]

        def hear(line: str) -> None:
            crew.on_vehicle(line)
            with contextlib.suppress(ValueError):
                self.on_receiver(member.unit, json.loads(line))

        emulator = await self.processes.start(
            f"gnss-{member.unit}",
            [sys.executable, "-m", "hil", "gnss", "--verbose", "--link",
             str(self.layout.gnss_port(member))],
            hear,
        )  # fmt: skip
        crew.take_wheel(emulator)
        await self.processes.start(
            f"agent-{member.unit}",
            outrider("agent", "run", "--config", str(self.layout.terminal_config(member))),
        )
        self._tasks.append(asyncio.create_task(crew.run(), name=f"crew-{member.unit}"))

    async def all_on(self) -> None:
        """Every terminal welcomed and its crew logged on."""
        crews = self.quiet.values()
        await until(
            lambda: all(c.is_welcomed and c.state.get("logon") is not None for c in crews),
            SHOW_S, "terminals welcomed and logged on",
        )  # fmt: skip

    async def stop_desk(self) -> None:
        """Give the desk's identities to the bench: one identity holds one connection."""
        for task in self._tasks:
            if task.get_name() == "desk":
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def halt(self, name: str) -> Running:
        """End one process in order and do not start it again."""
        running = self.process(name)
        running.is_stopping = True
        running.signal(15)
        if running.task is not None:
            await running.task
        return running

    async def start_again(self, halted: Running) -> Running:
        return await self.processes.start(halted.name, halted.argv, halted.on_line)


@contextlib.asynccontextmanager
async def small_world(
    options: Options, units: int, *, has_fix: bool = True
) -> AsyncIterator[SmallWorld]:
    """A running world in a folder of its own, gone afterwards; its logs stay when it failed."""
    folder = Path(tempfile.mkdtemp(prefix="outrider-bench-"))
    world = SmallWorld(folder, options, units, has_fix=has_fix)
    try:
        await world.start()
        await world.all_on()
        yield world
    except BaseException:
        options.say(f"logs are in {folder}/logs")
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        await world.stop()
