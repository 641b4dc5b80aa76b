"""A full disk at the terminal and at the centre: both live, say so, promise nothing, go on by
themselves once there is room, and have lost nothing. Needs the right to mount a small tmpfs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from protocol.entry import Alarm, EntryKind
from tests.authority.fleet import real_now_ms
from tests.rim.daemon import until
from tests.rim.journal import entries_of, numbers_of, track_of
from tests.rim.terminal import PLACE
from tests.rim.world import World, is_live

pytestmark = [pytest.mark.xdist_group("rim-disk"), pytest.mark.timeout(90)]

UNIT = "611"
STEP_MS = 200
DISK = "size=2m"
TOUCHES_MAX = 400
REPEATS_S = 40.0  # a batch without receipt is repeated after 2 s, doubling to 30 s


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """`folder` on a disk of its own of 2 MiB; skips, saying so, where that is not allowed."""
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    wanted = [mount or "mount", "-t", "tmpfs", "-o", DISK, "none", str(folder)]
    if os.geteuid() != 0 or mount is None or subprocess.run(wanted, check=False).returncode != 0:
        pytest.skip("a small disk needs root and the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run([unmount or "umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def ballast(folder: Path) -> Iterator[None]:
    """Every byte of the disk taken."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        for piece in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(piece))
    assert shutil.disk_usage(folder).free == 0
    try:
        yield
    finally:
        (folder / "ballast").unlink()


@pytest.fixture
def world() -> Iterator[World]:
    with World(UNIT) as world:
        yield world


def test_a_full_disk_at_the_terminal(world: World) -> None:
    """Commands are refused aloud, positions go on, and the track has no hole afterwards."""
    with small_disk(world.folder / "stores") as disk:
        world.start()
        world.log_on()
        crew, agent = world.crew(UNIT), world.terminals[UNIT].agent
        since_ms = real_now_ms()
        with ballast(disk):
            statuses = ("busy", "available")
            for n in range(TOUCHES_MAX):
                reply = crew.command(type="set_status", status=statuses[n % 2])
                if reply["type"] == "refused":
                    break
            assert "disk is full" in reply["reason"], reply
            assert "radio" in reply["remedy"]
            agent.wait_for("event=store_full")
            now_ms = real_now_ms()
            until(lambda: real_now_ms() > now_ms + 2000, "two seconds with a full disk")
            world.desk.unit(UNIT, is_live)
        until(
            lambda: crew.command(type="set_status", status="available")["type"] == "done",
            "a command is taken again",
        )
        agent.wait_for("event=store_has_room")
        crew.wait(lambda s: s["waiting_entries"] == 0, "all receipted", REPEATS_S)
        enrolment, late_ms = world.enrolments[f"t-{UNIT}"], real_now_ms()
        until(lambda: track_of(world.journal, enrolment)[-1].time_ms > late_ms, "track")
        times = [p.time_ms for p in track_of(world.journal, enrolment) if p.time_ms >= since_ms]
        assert {later - earlier for earlier, later in pairwise(times)} == {STEP_MS}
        numbers = numbers_of(world.journal, enrolment)
        assert numbers == list(range(1, len(numbers) + 1))
        alarms = [e.body for e in entries_of(world.journal, enrolment, EntryKind.ALARM)]
        assert [a.code for a in alarms if isinstance(a, Alarm)].count("store_full") == 1
        agent.stop()


def test_a_full_disk_at_the_centre(world: World) -> None:
    """Nothing is receipted, nothing ordered; the same request is done once there is room."""
    (world.folder / "journal").mkdir()
    with small_disk(world.folder / "journal") as disk, ThreadPoolExecutor(1) as desk_thread:
        world.start()
        world.log_on()
        desk, crew, since_ms = world.desk, world.crew(UNIT), real_now_ms()
        with ballast(disk):
            crew.wait(lambda s: s["waiting_entries"] > 0, "an entry has no receipt")
            asking = desk_thread.submit(desk.report, PLACE)
            said = world.matcher.wait_for("event=journal_full")
            assert "remedy=" in said
            assert "free space" in said
            assert not asking.done()
            assert not desk.incidents
            assert world.matcher.is_alive
        incident = asking.result(30)
        order = desk.order(incident, UNIT, "delivered")
        crew.answer(order, "accept")
        crew.order(order, "confirmed", "held")
        assert list(desk.incidents) == [incident]
        crew.wait(lambda s: s["waiting_entries"] == 0, "all receipted", REPEATS_S)
        desk.unit(UNIT, is_live)
        enrolment, late_ms = world.enrolments[f"t-{UNIT}"], real_now_ms()
        until(lambda: track_of(world.journal, enrolment)[-1].time_ms > late_ms, "track")
        times = [p.time_ms for p in track_of(world.journal, enrolment) if p.time_ms >= since_ms]
        assert {later - earlier for earlier, later in pairwise(times)} == {STEP_MS}
        live = world.live_state()
        assert live in world.ask_journal("replay")
        assert "whole" in world.ask_journal("verify")
