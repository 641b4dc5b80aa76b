"""`outrider demo --story knife`: one night told act by act on the real system, and checked.

The frame: start, acts in their order, pauses, our times beside the story's, the object of `--json`.
What happens is in demo/acts_*.py; what an act works with is in demo/stage.py. Exit code 1 where a
check failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from demo import acts_evidence, acts_faults, acts_knife, acts_override, acts_sos
from demo.processes import Gone
from demo.stage import Stage, StepFailed, seconds
from demo.story_world import StoryWorld
from demo.summary import summary
from runtime.clock import SystemClock

STORIES: Final = ("knife",)
ACTS: Final[tuple[tuple[str, str, Callable[[Stage], Awaitable[None]]], ...]] = (
    ("A man with a knife", "持刀男子", acts_knife.ordered),
    ("The suspect flees", "嫌疑人逃跑", acts_knife.flees),
    ("Four units by plan, and the end", "按预案四组到场,处置完毕", acts_knife.surrounded),
    ("A supervisor knows better", "值班长另行指定", acts_override.overridden),
    ("Everything breaks", "多重故障", acts_faults.broken),
    ("A false SOS, and a real one", "误触求助与真实求助", acts_sos.sos),
    ("In court", "举证", acts_evidence.in_court),
)


class Story:
    """One telling. `world` and `keep_folder` as of demo/command.py `Demo`."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.keep_folder = False
        self.console = Console(stderr=options.json, highlight=False)
        self.world = StoryWorld(folder, options.seed, SystemClock(), self._say)
        self.stage = Stage(self.world, self.console)
        self._ready_s = 0.0
        logging.getLogger("paho.mqtt.client").setLevel(logging.CRITICAL)  # the broker is killed

    def _say(self, what: str) -> None:
        Console(stderr=True).print(f"[dim]demo:[/] {what}")

    async def run(self) -> int:
        world = self.world
        if self.options.seconds is not None:
            self._say("--seconds: a story ends by itself")
        try:
            await world.start()
            await world.ready()
            self._ready_s = world.elapsed_s
            for number, (title, title_zh, play) in enumerate(ACTS):
                if number:
                    await self._pause()
                self.stage.begin(title, title_zh)
                await self._play(play)
            self._show_times()
        finally:
            await world.stop()
        return self._end()

    async def _play(self, play: Callable[[Stage], Awaitable[None]]) -> None:
        """One act; what it waited for in vain is a failed check, and the next one begins."""
        since_s = self.world.elapsed_s
        try:
            await play(self.stage)
        except StepFailed:
            return
        except Gone as gone:
            self.stage.check(str(gone), "系统部件未按预期工作", ok=False)
            self.world.check()  # gone for good: the story ends here
        finally:
            self.stage.acts[-1].took_s = round(self.world.elapsed_s - since_s, 1)

    async def _pause(self) -> None:
        if not self.options.pause:
            return
        if not sys.stdin.isatty():
            self._say("--pause: no terminal to press Enter on; going on")
            return
        self._say("Enter: next act 回车:下一幕")
        loop, pressed = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(sys.stdin, pressed.set)
        try:
            await pressed.wait()
        finally:
            loop.remove_reader(sys.stdin)
        sys.stdin.readline()

    # --- the end ---------------------------------------------------------------------------------

    def _show_times(self) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("")
        for column in ("ours 本次", "story 原案"):
            table.add_column(column, justify="right", no_wrap=True)
        for one in self.stage.times.values():
            story = "-" if one.story_s is None else seconds(one.story_s)
            table.add_row(f"{one.what_zh} {one.what}", seconds(one.ours_s), story)
        self.console.print()
        self.console.print(table)

    def _end(self) -> int:
        checks = [check for act in self.stage.acts for check in act.checks]
        failed = [check.what for check in checks if not check.ok]
        counted = summary(self.world) | self._told() | {"checks": len(checks), "failed": failed}
        said = f"{len(checks)} checks, {len(failed)} failed"
        self.console.print(f"{len(checks)} 项核对,{len(failed)} 项未通过 · {said}")
        for what in failed:
            self._say(f"failed: {what}")
        if self.options.json:
            print(json.dumps(counted, ensure_ascii=False))  # noqa: T201
        return 1 if failed else 0

    def _told(self) -> dict[str, Any]:
        return {
            "story": self.options.story,
            "acts": [asdict(act) for act in self.stage.acts],
            "times": {key: asdict(one) for key, one in self.stage.times.items()},
            "ready_s": round(self._ready_s, 1),
        }
