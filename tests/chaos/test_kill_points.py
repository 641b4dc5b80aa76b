"""M1, A1: 200 SIGKILLs at 70 named points of matcher and agent, in parallel worlds under load.

After every kill the daemon serves again by itself; at the end of each world everything that was
acknowledged is there, once, and nothing was shown twice.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from hil.tcp_proxy import TcpProxy
from tests.chaos.doomed import holder
from tests.chaos.kill_run import KillRun
from tests.chaos.points import AGENT, MATCHER, Point
from tests.chaos.scene import Scene

pytestmark = pytest.mark.timeout(900)

UNITS = ("601", "602", "603")
ROUNDS = {"matcher": 2, "agent": 4}  # each point so often: 80 and 120 kills
ROUNDS_LONG = {"matcher": 40, "agent": 80}
WORLDS = 2  # of each kind, beside each other
BACK_S = 3.0
BUSY_FACTOR = 5.0  # four worlds and their kills keep two cores at their limit


def test_there_are_seventy_points() -> None:
    assert (len(MATCHER), len(AGENT)) == (40, 30)
    assert len(set(MATCHER)) == 40
    assert len(set(AGENT)) == 30


@pytest.mark.parametrize("point", sorted({*MATCHER, *AGENT}, key=str), ids=str)
def test_each_point_is_in_the_product(point: Point) -> None:
    if not point.is_syscall:
        holder(point.where)
    elif shutil.which("strace") is None:
        pytest.skip("strace is not here: this point is left out")


def plan(kind: str, seed: int, long_run: bool) -> list[Point]:
    """This world's share of the kills: every point, in an order drawn from the seed."""
    points = [p for p in {"matcher": MATCHER, "agent": AGENT}[kind] if can_be_met(p)]
    rounds = (ROUNDS_LONG if long_run else ROUNDS)[kind] // WORLDS
    drawn = points * rounds
    random.Random(seed).shuffle(drawn)
    return drawn


def can_be_met(point: Point) -> bool:
    return not point.is_syscall or shutil.which("strace") is not None


def tell(scene: Scene, kind: str, runs: Sequence[KillRun], planned: int) -> None:
    """Figures, and that the kills were where they were meant to be."""
    times_s = sorted(one for run in runs for one in run.ready_s)
    struck = sum(len(run.struck) for run in runs)
    missed = [str(point) for run in runs for point in run.missed]
    assert struck >= 0.97 * planned, f"only {struck} of {planned} kills at their points: {missed}"
    fault = {"matcher": "M1", "agent": "A1"}[kind]
    what = f"serving again, of {struck} kills at named points"
    scene.measured(fault, f"p50 {what}", times_s[len(times_s) // 2], BACK_S * BUSY_FACTOR)
    scene.measured(fault, f"longest {what}", times_s[-1], BACK_S * BUSY_FACTOR)


@pytest.mark.parametrize(
    "seed",
    [pytest.param(s, marks=pytest.mark.xdist_group(f"kill-matcher-{s}")) for s in range(WORLDS)],
)
def test_m1_the_matcher_dies_at_every_point(seed: int, long_run: bool) -> None:
    points = plan("matcher", seed, long_run)
    with Scene(*UNITS, seed=100 + seed, lined=UNITS) as scene:
        scene.start()
        hurry(scene)

        def cut_all() -> None:
            for unit in UNITS:
                scene.line(unit).do(TcpProxy.cut)

        words = ("matcher", "run", "--config", str(scene.world.matcher_config))
        run = KillRun(scene.world.matcher, words, random.Random(seed), cut_all)
        run.run(points)
        tell(scene, "matcher", [run], len(points))
        ends(scene)


@pytest.mark.parametrize(
    "seed",
    [pytest.param(s, marks=pytest.mark.xdist_group(f"kill-agent-{s}")) for s in range(WORLDS)],
)
def test_a1_agents_die_at_every_point(seed: int, long_run: bool) -> None:
    """Three terminals, each with a third of the kills, beside each other."""
    points = plan("agent", seed, long_run)
    with Scene(*UNITS, seed=200 + seed) as scene, ThreadPoolExecutor(len(UNITS)) as pool:
        scene.start()
        hurry(scene)
        runs = [
            KillRun(
                scene.terminal(unit).agent,
                ("agent", "run", "--config", str(scene.terminal(unit).config)),
                random.Random(10 * seed + at),
            )
            for at, unit in enumerate(UNITS)
        ]
        shares = [points[at :: len(UNITS)] for at in range(len(UNITS))]
        for done in [pool.submit(r.run, share) for r, share in zip(runs, shares, strict=True)]:
            done.result()
        tell(scene, "agent", runs, len(points))
        ends(scene)


def hurry(scene: Scene) -> None:
    """Calls one after the other, so that every point is met soon."""
    scene.caller.gap_s, scene.caller.at_once = (0.1, 0.3), 6
    scene.caller.life_s, scene.may_be_unanswered = 15, True
    scene.open_max = len(UNITS)


def ends(scene: Scene) -> None:
    scene.orders_done(3)
    scene.settle()
    scene.check()
    scene.check_at_the_end()
