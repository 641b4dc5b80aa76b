"""`outrider demo --story knife`: told whole once, every check of it passed; its frame by itself."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from demo import city
from demo.layout import fleet
from demo.small_disk import SmallDisk
from demo.stage import Stage, StepFailed, seconds
from demo.story import Story
from demo.story_world import STANDS, StoryWorld, Street
from matcher.core.eta.great_circle import eta_ms
from tests.rim.daemon import outrider, run

# beside the demo's own run: two worlds of sixteen terminals would starve each other
GROUP = "rim-demo"
SEED = 7
ACTS = 7
LIMIT_S = 340
STEADY = {"first_on_scene", "over"}


@pytest.mark.xdist_group(GROUP)
@pytest.mark.timeout(LIMIT_S + 20)
def test_the_story_is_told_and_every_check_of_it_holds() -> None:
    words = ("demo", "--story", "knife", "--seed", str(SEED), "--json")
    done = run(outrider(*words), timeout_s=LIMIT_S)
    assert "Traceback" not in done.stderr
    (line,) = done.stdout.strip().splitlines()
    told = json.loads(line)
    assert (done.returncode, told["failed"]) == (0, []), done.stderr[-4000:]
    assert told["checks"] >= 30
    assert [bool(act["checks"]) for act in told["acts"]] == [True] * ACTS
    assert told["refused"] == {"unknown_key": 1}  # the forged cancel, and nothing else
    assert told["incidents"] == 6
    times = told["times"]
    assert {key for key, one in times.items() if one["story_s"] is not None} == STEADY
    assert (times["first_on_scene"]["story_s"], times["over"]["story_s"]) == (24, 135)
    assert 0 < times["first_on_scene"]["ours_s"] < times["over"]["ours_s"]
    assert told.keys() >= {"attended", "orders", "positions", "response_s"}
    said = [check["what"] for act in told["acts"] for check in act["checks"]]
    assert {"0 lost", "0 doubled", "621 took it and is there first"} <= set(said)
    assert all(check["what_zh"] for act in told["acts"] for check in act["checks"])


def test_pause_without_a_story_is_wrong_usage() -> None:
    done = run(outrider("demo", "--pause"))
    assert done.returncode == 2
    assert "--pause: only with --story" in done.stderr


@pytest.mark.parametrize("seed", range(12))
def test_by_rule_624_is_nearest_then_621_and_all_stand_on_streets(seed: int) -> None:
    street = Street.drawn(random.Random(seed))
    kinds = {member.unit: member.kind for member in fleet()}
    scene = street.scene
    etas = {unit: eta_ms(kinds[unit], *street.stand(unit), *scene)[0] for unit in STANDS}
    first, second = sorted(etas, key=lambda unit: etas[unit])[:2]
    assert (first, second) == ("624", "621")
    for place in (scene, street.fled_to, *(street.stand(unit) for unit in STANDS)):
        along_m = city.metres(place)
        assert all(0 <= one <= city.SIDE_M for one in along_m)
        assert any(abs(one / city.BLOCK_M - round(one / city.BLOCK_M)) < 0.01 for one in along_m)


@pytest.mark.parametrize("seed", range(12))
def test_nobody_else_is_nearer(seed: int, tmp_path: Path) -> None:
    world = StoryWorld(tmp_path, seed, cast("Any", StillClock()), lambda _said: None)
    world.layout.write_settings()
    world._take_small_disk = lambda: None  # type: ignore[method-assign]
    world._post_crews()
    scene = world.street.scene
    etas = {u: eta_ms(c.member.kind, *c.post, *scene)[0] for u, c in world.cast.items()}
    assert set(sorted(etas, key=lambda unit: etas[unit])[:5]) == set(STANDS)
    assert len({crew.post for crew in world.cast.values()}) == len(world.members)


class StillClock:
    """Time stands."""

    def monotonic_ms(self) -> int:
        return 0


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """One that was never started; what its desk was told is nothing."""
    options = argparse.Namespace(json=True, seed=1, pause=True, story="knife", seconds=None)
    made = Story(options, tmp_path)
    made.console = Console(file=io.StringIO())
    made.stage = Stage(made.world, made.console)
    picture = SimpleNamespace(incidents={}, attended=set(), statistics=None)
    made.world.desk = cast("Any", SimpleNamespace(picture=picture))
    return made


def test_what_does_not_come_is_said_and_ends_in_exit_code_1(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    story.stage.begin("an act", "一幕")
    story.stage.check("this holds", "成立", ok=True)
    with pytest.raises(StepFailed):
        asyncio.run(story.stage.proves(lambda: False, 0.1, "it comes", "会来"))
    assert story._end() == 1
    out = capsys.readouterr()
    told = json.loads(out.out)
    assert (told["checks"], told["failed"]) == (2, ["it comes"])
    assert "failed: it comes" in out.err
    assert "✗" in cast("io.StringIO", story.console.file).getvalue()


def test_without_a_failure_the_exit_code_is_0(story: Story) -> None:
    story.stage.begin("an act", "一幕")
    story.stage.check("this holds", "成立", ok=True)
    assert story._end() == 0


def test_a_pause_waits_for_enter(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with os.fdopen(slave, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)

        async def play() -> bool:
            pause = asyncio.create_task(story._pause())
            done, _ = await asyncio.wait({pause}, timeout=0.2)
            waited = not done
            os.write(master, b"\n")
            async with asyncio.timeout(5):
                await pause
            return waited

        assert asyncio.run(play())
    os.close(master)


def test_without_a_terminal_a_pause_is_passed_over(
    story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    asyncio.run(story._pause())
    assert "no terminal" in capsys.readouterr().err


def test_a_small_disk_is_full_to_the_last_byte_and_leaves_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    disk = SmallDisk.take(folder)
    if disk is None:
        pytest.skip("a small disk needs root and the right to mount a tmpfs")
    try:
        (folder / "store").write_text("kept")
        disk.fill()
        assert os.statvfs(folder).f_bfree == 0
        with pytest.raises(OSError, match="No space left"):
            (folder / "more").write_bytes(bytes(8192))
        disk.free()
        (folder / "more").unlink()
    finally:
        disk.give_back()
    assert (folder / "store").read_text() == "kept"
    assert os.statvfs(folder).f_blocks == os.statvfs(tmp_path).f_blocks


def test_times_as_people_read_them() -> None:
    assert [seconds(one) for one in (0.0334, 22.46, 135.0)] == ["33 ms", "22.5 s", "2 min 15 s"]
