"""`outrider demo`: the whole system for real, until Ctrl-C or for a number of seconds."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live

from demo import city
from demo.layout import Member
from demo.processes import Gone, until
from demo.story import STORIES, Story
from demo.summary import summary
from demo.table import screen, to_svg
from demo.world import World
from runtime.clock import SystemClock
from runtime.log import start as start_log

FOREVER_S = 10**9
EXTRA_S = 30.0
CALLS_MIN = 4
LOOK_S = 0.5
NEAR_M, FAR_M, SECOND_M, SPARE_M = 100.0, 270.0, 500.0, 700.0
KINDS = ("theft", "fight", "burglary", "traffic", "disturbance", "lost_child")
_EXAMPLE = "example: ./run demo --seconds 60 --json --seed 7 --keep /tmp/demo"


def main(argv: list[str]) -> int:
    """0: all attended; 1: something stayed open or failed; 2: wrong usage."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.pause and options.story is None:
        parser.error("--pause: only with --story")
    start_log("error")
    folder = Path(tempfile.mkdtemp(prefix="outrider-demo-"))
    demo = Demo(options, folder) if options.story is None else Story(options, folder)
    try:
        return asyncio.run(demo.run())
    except KeyboardInterrupt:
        return 130
    except Gone as gone:
        print(f"demo: {gone}", file=sys.stderr)  # noqa: T201
        if options.keep is None:
            print(f"demo: logs are in {folder}/logs", file=sys.stderr)  # noqa: T201
            demo.keep_folder = True
        return 1
    finally:
        if options.keep is not None:
            with suppress(OSError):
                demo.world.keep(options.keep)
        if not demo.keep_folder:
            shutil.rmtree(folder, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("outrider demo", epilog=_EXAMPLE)
    parser.add_argument(
        "--seconds", type=float, metavar="N", help="end after N s (default: Ctrl-C)"
    )
    parser.add_argument("--json", action="store_true", help="no table; one object at the end")
    parser.add_argument("--seed", type=int, default=1, help="of the city, calls and crews' whims")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave journal, logbooks and logs")
    parser.add_argument(
        "--story", choices=STORIES, help="tell it act by act, captions in two languages"
    )
    parser.add_argument("--pause", action="store_true", help="with --story: Enter between the acts")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="leave a picture of the table")
    return parser


class Demo:
    """One run: start, calls, the table, the summary."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.keep_folder = False
        self.seconds = options.seconds or FOREVER_S
        self.console = Console(stderr=True)
        self.world = World(folder, options.seed, SystemClock(), self._say)
        self._rng = random.Random(options.seed + 1)
        self._calls = 0
        self._ready_s = 0.0  # N seconds count from here: a slow start costs no call

    def _say(self, what: str) -> None:
        self.console.print(f"[dim]demo:[/] {what}")

    async def run(self) -> int:
        world = self.world
        try:
            await world.start()
            first_s = await world.first_position()
            self._say(f"first position after {first_s:.1f} s")
            await world.ready()
            self._ready_s = world.elapsed_s
            await self._play()
        finally:
            self._take_picture()
            await world.stop()
        return self._summary()

    async def _play(self) -> None:
        calls = asyncio.create_task(self._call(), name="calls")
        ending = asyncio.create_task(self._end_exercise(), name="ending")
        live = None if self.options.json else Live(console=self.console, auto_refresh=False)
        if live is not None:
            live.start()
        try:
            while not self._is_over():
                self.world.check()
                if calls.done():
                    calls.result()
                if live is not None:
                    live.update(self._screen(), refresh=True)
                await asyncio.sleep(0.2)
            await self._last_statistics()
        except asyncio.CancelledError:
            await self._last_statistics()
            raise
        finally:
            calls.cancel()
            ending.cancel()
            if live is not None:
                live.update(self._screen(), refresh=True)
                live.stop()

    @property
    def _elapsed_s(self) -> float:
        return self.world.elapsed_s - self._ready_s

    def _is_over(self) -> bool:
        elapsed_s = self._elapsed_s
        open_ones = self.world.desk.picture.open_incidents()
        if elapsed_s >= self.seconds + EXTRA_S:
            return True
        return elapsed_s >= self.seconds and not open_ones

    async def _last_statistics(self) -> None:
        """The centre says its figures every few seconds; take the ones after the end."""
        picture = self.world.desk.picture
        before = picture.statistics
        with suppress(Gone):
            await until(lambda: picture.statistics is not before, 7, "statistics")

    def _screen(self) -> Group:
        world = self.world
        return screen(world.desk.picture, world.refused(), world.elapsed_s, world.clock.utc_ms())

    def _take_picture(self) -> None:
        if self.options.svg is not None:
            to_svg(self._screen(), str(self.options.svg))

    # --- callers ---------------------------------------------------------------------------------

    async def _call(self) -> None:
        """New calls until half of the time; spaced so that there are at least four."""
        until_s = self.seconds / 2
        left_s = max(2.0, until_s)
        mean_s = min(5.0, left_s / (CALLS_MIN + 2))
        while self._calls < CALLS_MIN or self._elapsed_s < until_s:
            await self._one_call()
            await asyncio.sleep(self._rng.uniform(0.5, 1.5) * mean_s)
        for crew in self.world.crews.values():
            crew.whims = 0.0

    async def _end_exercise(self) -> None:
        """After the last call nobody need drive across the city to a scene that is handled."""
        await asyncio.sleep(max(0.0, self.seconds - self.world.elapsed_s))
        while True:
            await self.world.desk.stand_down()
            await asyncio.sleep(LOOK_S)

    async def _one_call(self) -> None:
        """One report; the place is drawn so that free crews are a short drive away."""
        units = 2 if self._rng.random() < 0.25 else 1
        scene = self._scene(units)
        if scene is None:
            return  # all crews near by are busy: the next call comes later
        priority = self._rng.choice((1, 1, 2, 3))
        kind = self._rng.choice(KINDS)
        await self.world.desk.report(kind, priority, scene, units, officers=units)
        self._calls += 1

    def _scene(self, units: int) -> city.Point | None:
        """On a street, at a drive of 15 to 30 s from as many free crews as the plan wants.

        One more is not far: a crew may decline or stay silent.
        """
        free = [crew.at for crew in self.world.crews.values() if self._is_free(crew.member)]
        for _ in range(400):
            scene = city.scene(self._rng)
            ways_m = sorted(city.street_distance_m(at, scene) for at in free)
            is_near = len(ways_m) > units and NEAR_M <= ways_m[0] <= FAR_M
            if is_near and ways_m[units - 1] <= SECOND_M and ways_m[units] <= SPARE_M:
                return scene
        return None

    def _is_free(self, member: Member) -> bool:
        unit = self.world.desk.picture.units.get(member.unit)
        return (
            member.kind in ("car", "motorcycle")
            and unit is not None
            and unit.properties.status == "available"
            and unit.properties.order is None
        )

    # --- the end ---------------------------------------------------------------------------------

    def _summary(self) -> int:
        picture, counted = self.world.desk.picture, summary(self.world)
        for incident in picture.open_incidents():
            why = incident.waiting_reason or ", ".join(
                f"{u.unit} {u.state}" for u in incident.units
            )
            self._say(f"still open: {incident.number} {incident.state}: {why}")
        if self.options.json:
            print(json.dumps(counted))  # noqa: T201
        else:
            self.console.print(counted)
        return 1 if picture.open_incidents() else 0
