"""What an act of the story works with: captions in two languages, checks, waiting, both clocks.

A check is said at once and kept; a failed one makes the demo's exit code 1. Used by the acts and by
demo/story.py, which shows and sums up.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from demo.desk import Desk
from demo.processes import Gone, outrider
from demo.story_crew import StoryCrew
from demo.story_world import StoryWorld
from protocol.managers import IncidentState, IncidentUnit

LOOK_S = 0.03


class StepFailed(Exception):
    """What the act waited for did not come; its check is kept as failed, the story goes on."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that an act proves, and the figure that it was measured by."""

    what: str
    what_zh: str
    ok: bool
    figure: str = ""


@dataclass(slots=True)
class Act:
    """One act as it was played."""

    title: str
    title_zh: str
    checks: list[Check] = field(default_factory=list)
    took_s: float = 0.0


@dataclass(slots=True)
class Time:
    """A time of this run beside the story's."""

    what: str
    what_zh: str
    ours_s: float
    story_s: float | None


class Stage:
    """`acts` and `times` are what was played; `order` goes to court, `knife` is its incident."""

    def __init__(self, world: StoryWorld, console: Console) -> None:
        self.world, self.console = world, console
        self.acts: list[Act] = []
        self.times: dict[str, Time] = {}
        self.order: str | None = None
        self.knife: str | None = None

    @property
    def desk(self) -> Desk:
        return self.world.desk

    def crew(self, unit: str) -> StoryCrew:
        return self.world.cast[unit]

    # --- said ------------------------------------------------------------------------------------

    def begin(self, title: str, title_zh: str) -> None:
        self.acts.append(Act(title, title_zh))
        self._print(Text(f"\n{len(self.acts)}  {title_zh} · {title}", style="bold"))

    def say(self, text: str, text_zh: str) -> None:
        """A caption."""
        self._print(Text(f"   {text_zh}"))
        self._print(Text(f"   {text}", style="dim"))

    def check(self, what: str, what_zh: str, ok: bool, figure: str = "") -> None:
        self.acts[-1].checks.append(Check(what, what_zh, ok, figure))
        mark = ("  ✓ ", "green") if ok else ("  ✗ ", "bold red")
        tail = f"  [{figure}]" if figure else ""
        self._print(Text.assemble(mark, f"{what_zh} · {what}", (tail, "bold")))

    def quote(self, line: str) -> None:
        """What a command of the product said."""
        self._print(Text(f"     {line}", style="cyan"))

    def time(
        self, key: str, what: str, what_zh: str, ours_s: float, story_s: float | None = None
    ) -> None:
        """A line of the table at the end; `story_s` None: the story gives no such time."""
        self.times[key] = Time(what, what_zh, round(ours_s, 3), story_s)

    def _print(self, text: Text) -> None:
        self.console.print(text, soft_wrap=True)

    # --- waited for ------------------------------------------------------------------------------

    async def comes(self, done: Callable[[], bool], timeout_s: float) -> float | None:
        """Seconds until it was so; None where it did not come. Raises Gone when a part is gone."""
        since_s = self.world.elapsed_s
        while not done():
            self.world.check()
            if self.world.elapsed_s - since_s > timeout_s:
                return None
            await asyncio.sleep(LOOK_S)
        return self.world.elapsed_s - since_s

    async def proves(
        self,
        done: Callable[[], bool],
        timeout_s: float,
        what: str,
        what_zh: str,
        figure: str = "{s}",
    ) -> float:
        """Waits, then checks; `{s}` in the figure is how long it took. Raises StepFailed."""
        took_s = await self.comes(done, timeout_s)
        if took_s is None:
            self.check(what, what_zh, ok=False, figure=f"not within {timeout_s:.0f} s")
            raise StepFailed(what)
        self.check(what, what_zh, ok=True, figure=figure.format(s=seconds(took_s)))
        return took_s

    async def needs(self, done: Callable[[], bool], timeout_s: float, what: str) -> float:
        """Waits for what a later check rests on. Raises StepFailed."""
        took_s = await self.comes(done, timeout_s)
        if took_s is None:
            self.check(what, "未能完成", ok=False, figure=f"not within {timeout_s:.0f} s")
            raise StepFailed(what)
        return took_s

    async def verdict(self, *words: str) -> dict[str, Any]:
        """The `--json` object of an `outrider` command, whose exit code 1 is a negative verdict.

        Raises StepFailed where it says nothing.
        """
        process = await asyncio.create_subprocess_exec(
            *outrider(*words, "--json"), cwd=self.world.layout.folder, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.world.processes.environment,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode not in (0, 1) or not out:
            said = err.decode(errors="replace").strip()[-200:]
            self.check(f"{words[0]} {words[1]} answers", "命令应有结果", ok=False, figure=said)
            raise StepFailed(words[0])
        found: dict[str, Any] = json.loads(out)
        return found

    # --- looked up at the desk -------------------------------------------------------------------

    def incident(self, incident: str) -> IncidentState | None:
        return self.desk.picture.incidents.get(incident)

    def on_it(self, incident: str) -> dict[str, IncidentUnit]:
        """Units of an incident by call sign; a binding order before one that only tells."""
        found = self.incident(incident)
        units = sorted(found.units if found else (), key=lambda one: one.kind != "alert")
        return {one.unit: one for one in units}

    def first_incident(self) -> str:
        """The incident that the first acts are about. Raises StepFailed where there is none."""
        if self.knife is None:
            raise StepFailed("no incident was opened")
        return self.knife

    def is_on_scene(self, incident: str, unit: str) -> bool:
        one = self.on_it(incident).get(unit)
        return one is not None and one.state == "on_scene"


async def reported(answer: str | None) -> str:
    """The incident of a report that must have been done. Raises Gone."""
    if answer is None:
        raise Gone("report: no reply from the centre; see its log")
    return answer


def seconds(value_s: float) -> str:
    """As people read it: ms below a second, minutes from one on."""
    if value_s < 1:
        return f"{value_s * 1000:.0f} ms"
    if value_s < 60:
        return f"{value_s:.1f} s"
    return f"{int(value_s // 60)} min {value_s % 60:.0f} s"


def between_s(earlier: str, later: str) -> float:
    """Between two times of the desk's topics."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
