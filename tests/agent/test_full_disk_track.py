"""A disk that fills with track nobody has receipted: old track thins, everything else stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.thinning import NEWEST_KEPT, RULES
from agent.core.track_builder import WAITING_MAX
from agent.logbook_chain import Row
from protocol import device, entry, logbook
from protocol.entry import Alarm, DeviceEvent, EntryKind, StatusChange, Thinned, Track
from protocol.logbook import Head
from runtime.faults import StoreFull
from tests.agent.bare_terminal import World, event
from tests.agent.kept_logbook import changed
from tests.agent.test_reports import FIX

DISK_BYTES = 6 * 1024 * 1024
TRACK_BYTES = 520
ENTRIES = 2 * DISK_BYTES // TRACK_BYTES
OTHERS_EVERY = 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own; skips, saying so, where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    wanted = [mount or "mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    if os.geteuid() != 0 or mount is None or subprocess.run(wanted, check=False).returncode != 0:
        pytest.skip("a small disk needs root and the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run([unmount or "umount", "-l", str(folder)], check=True)


async def all_rows(w: World) -> list[Row]:
    """The whole logbook, a part at a time, as batches that the centre would take."""
    found: list[Row] = []
    while len(found) < w.logbook.synced_n:
        at = w.logbook.book.base_n + len(found) + 1
        part = await w.logbook.read(at, min(at + 499, w.logbook.synced_n), 60_000)
        head = Head(bytes(16), at, part[0].head_before, part[-1].n, part[-1].head)
        message = logbook.encode_batch(b"", [row.item for row in part])
        logbook.check_joins(head, logbook.decode_batch(message).items)
        found += part
    return found


async def fill_with_track(w: World, entries: int) -> int:
    """Track entries with something else in between; how many of them were not taken."""
    chance, refused = random.Random(1), 0
    for n in range(1, entries + 1):
        body = Track(1, 60, chance.randbytes(TRACK_BYTES - 40))
        if not await w.terminal.note_track(body):
            refused += 1
            w.clock.advance(10_000)
        if n % OTHERS_EVERY == 0:
            word = "busy" if n // OTHERS_EVERY % 2 else "available"
            await w.terminal.crew(device.SetStatus(status=word))
            await w.terminal.event(event(n))
    return refused


def check_what_is_left(rows: list[Row], entries: int) -> None:
    bodies = {row.n: entry.decode(row.data).body for row in rows if not row.is_thinned}
    gone = {row.n for row in rows if row.is_thinned}
    told = [body for body in bodies.values() if isinstance(body, Thinned)]
    named = [n for one in told for first, last in one.ranges for n in range(first, last + 1)]
    assert sorted(named) == sorted(gone), "exactly what is gone is named, once"
    assert sum(one.count for one in told) == len(gone)
    assert {one.rule for one in told} <= set(RULES)
    tracks = [n for n, body in bodies.items() if isinstance(body, Track)]
    assert len(tracks) + len(gone) == entries
    assert len(gone) > entries // 3
    assert max(gone) < sorted(tracks)[-NEWEST_KEPT], "the newest hour is whole"
    others = entries // OTHERS_EVERY
    assert sum(isinstance(body, StatusChange) for body in bodies.values()) == others
    assert sum(isinstance(body, DeviceEvent) for body in bodies.values()) == others


@pytest.mark.timeout(120)
def test_a_full_disk_thins_old_track_and_keeps_everything_else(small_disk: Path) -> None:
    async def check() -> None:
        w = World(small_disk)
        assert await fill_with_track(w, ENTRIES) == 0
        check_what_is_left(await all_rows(w), ENTRIES)
        w.store.close()
        again = World(small_disk, w)  # on the full disk the agent still starts
        assert again.logbook.synced_n > w.logbook.synced_n
        assert await again.terminal.note_track(Track(1, 60, bytes(400)))
        again.store.close()

    asyncio.run(check())


@pytest.mark.timeout(120)
def test_a_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path, size_bytes_max=1_500_000)
        entries = 3 * 1_500_000 // TRACK_BYTES
        assert await fill_with_track(w, entries) == 0
        check_what_is_left(await all_rows(w), entries)
        assert (tmp_path / "agent.db").stat().st_size <= 1_500_000
        w.store.close()

    asyncio.run(check())


def test_a_disk_that_others_filled_is_met_with_what_was_held_back(small_disk: Path) -> None:
    """No byte is free, and still old track gives way and an answer is kept."""

    async def check() -> None:
        w = World(small_disk)
        await fill_with_track(w, 700)
        with (small_disk / "ballast").open("wb", buffering=0) as file:
            for piece in (4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(piece)):
                        pass
        assert shutil.disk_usage(small_disk).free == 0
        assert await fill_with_track(w, 400) == 0
        rows = await all_rows(w)
        assert any(row.is_thinned for row in rows)
        w.store.close()

    asyncio.run(check())


def test_nothing_but_old_track_is_ever_thinned(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path, size_bytes_max=400_000)
        for n in range(1, 5000):
            try:
                await w.terminal.event(event(n))
            except StoreFull:
                break
        else:
            pytest.fail("never full")
        assert not any(row.is_thinned for row in await all_rows(w))
        w.store.close()

    asyncio.run(check())


def test_thinned_to_the_end_the_newest_hour_is_whole(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path)
        await fill_with_track(w, 300)
        while await w.logbook.thin(changed, 128):
            pass
        rows = await all_rows(w)
        kinds = {row.n: entry.decode(row.data).kind for row in rows if not row.is_thinned}
        left = [n for n, kind in kinds.items() if kind is EntryKind.TRACK]
        assert len(left) == NEWEST_KEPT
        assert all(row.n < left[0] for row in rows if row.is_thinned)
        assert sum(row.is_thinned for row in rows) == 300 - NEWEST_KEPT
        w.store.close()

    asyncio.run(check())


def test_thinned_entries_move_to_a_new_logbook_and_are_named_there(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path)
        await fill_with_track(w, 300)
        await w.logbook.thin(changed, 128)
        before = [row.data for row in await all_rows(w) if row.is_thinned]
        assert len(before) == 128
        await w.logbook.renew(changed, Alarm("logbook_renewed", "why"))
        rows = await all_rows(w)
        assert [row.data for row in rows if row.is_thinned] == before
        last = entry.decode(rows[-1].data)
        assert last.kind is EntryKind.THINNED
        assert isinstance(last.body, Thinned)
        named = [n for a, b in last.body.ranges for n in range(a, b + 1)]
        assert named == [row.n for row in rows if row.is_thinned]
        w.store.close()

    asyncio.run(check())


def test_fixes_that_had_no_place_at_all_are_told_with_their_times(tmp_path: Path) -> None:
    async def check() -> None:
        w = World(tmp_path)
        await w.fill()
        running = asyncio.create_task(w.whereabouts.run())
        for _ in range(WAITING_MAX + 25):
            w.whereabouts.fix(FIX)
            w.clock.advance(1000)
        assert w.whereabouts.dropped_fixes == 25
        w.free()
        await w.whereabouts.stop()
        alarms = [one for one in await w.bodies(Alarm) if isinstance(one, Alarm)]
        (told,) = [one for one in alarms if one.code == "fixes_dropped"]
        assert "25 fixes" in told.text
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        w.store.close()

    asyncio.run(check())
