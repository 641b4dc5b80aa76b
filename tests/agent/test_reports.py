"""When a position goes out, what stands in it, and how fixes become track entries."""

from __future__ import annotations

import random

from agent.core.fix import Fix, FixKind
from agent.core.now import Now
from agent.core.positions import here_of, position_of
from agent.core.reporting import Interval, Reporter, Sample
from agent.core.track_builder import WAITING_MAX, TrackBuilder, entries_of, point_of
from agent.scratch import encode_scratch, scratch_entries
from protocol import position, track
from protocol.track import TrackPoint
from protocol.words import TimeTrust, bits_to_flags

FIX = Fix(
    epoch_ms=1_795_000_000_123, time_of_day_ms=123, lat_deg=24.51300049, lon_deg=-117.647,
    alt_m=12.0, sog_mps=12.34, cog_deg=359.96, kind=FixKind.FIX_3D, satellites=9, hdop=0.9,
    flags=("jump", "rollover"),
)  # fmt: skip
NO_FIX = Fix(
    epoch_ms=1_795_000_000_123, time_of_day_ms=123, lat_deg=None, lon_deg=None, alt_m=None,
    sog_mps=None, cog_deg=None, kind=FixKind.NONE, satellites=0, hdop=None,
)  # fmt: skip


def made(fix: Fix | None) -> position.Position:
    found = position_of(
        fix, time_ms=5, trust=TimeTrust.GNSS, boot=1, sequence=2, status=1, motion=0x1F, next_s=10,
        entry_count=3, entry_head=bytes(32),
    )  # fmt: skip
    assert position.decode(position.encode(found)) == found
    return found


def test_position_is_rounded_bounded_and_says_that_it_is_suspect() -> None:
    p = made(FIX)
    assert (p.lat_e7, p.lon_e7, p.accuracy_m) == (245_130_005, -1_176_470_000, 5)
    assert (p.speed_cm_s, p.course_ddeg, p.fix_kind) == (1234, 0, 2)
    assert set(bits_to_flags(p.flags)) == {"jump", "rollover", "suspect"}


def test_position_without_a_fix_says_only_that_the_terminal_lives() -> None:
    for fix in (None, NO_FIX):
        p = made(fix)
        assert (p.lat_e7, p.lon_e7, p.accuracy_m, p.fix_kind) == (None, None, None, 0)


def test_here_carries_the_age_of_its_fix() -> None:
    here = here_of(FIX, 1000, Now(4500, 0, TimeTrust.NONE))
    assert here is not None
    assert here.age_ms == 3500
    assert here_of(NO_FIX, 1000, Now(4500, 0, TimeTrust.NONE)) is None


def test_interval_distance_status_and_lease() -> None:
    reporter = Reporter(Interval(interval_s=5, distance_m=50, promise_s=10))
    here = Sample(1000, 24.5, 117.6)
    assert reporter.due(None, 1, 0), "at once after a connect"
    reporter.sent(here, 1)
    assert not reporter.due(here, 1, 1500), "the same fix again is no news"
    assert not reporter.due(Sample(2000, 24.5, 117.6), 1, 2000)
    assert reporter.due(Sample(5800, 24.5, 117.6), 1, 5800), "5 s less a little"
    assert reporter.due(Sample(2000, 24.5005, 117.6), 1, 2000), "55 m"
    assert reporter.due(here, 2, 1500), "status"
    assert not reporter.due(here, 1, 9999)
    assert reporter.due(here, 1, 10_000), "before the promise ends"
    reporter.connected()
    assert reporter.due(here, 1, 1500)


def test_track_entries_hold_every_fix_once_and_exactly() -> None:
    builder = TrackBuilder(entry_ms=60_000, fixes_max=60)
    points = [TrackPoint(1000 * i, 24_513_000 + i, 117_647_000, 50, 90, 2, 0) for i in range(150)]
    kept: list[TrackPoint] = []
    for i, point in enumerate(points):
        builder.add(point, 1000 * i)
        while builder.due(1000 * i):
            part = builder.take()
            if i % 2:  # no room for it: the next time
                builder.put_back(part)
                part = builder.take()
            for one in entries_of([point for _, point in part]):
                kept += track.unpack(one.packed, one.count)
    kept += builder.peek()
    assert kept == points


def test_a_long_full_disk_keeps_the_newest_hour_and_counts_the_rest() -> None:
    builder = TrackBuilder(entry_ms=60_000, fixes_max=60)
    for i in range(WAITING_MAX + 7):
        builder.add(TrackPoint(i, 0, 0, None, None, 2, 0), 1000 * i)
    assert (builder.waiting, builder.dropped) == (WAITING_MAX, 7)
    assert builder.peek()[0].time_ms == 7


def test_noise_that_packs_badly_makes_several_entries() -> None:
    rng = random.Random(1)
    points = [
        TrackPoint(
            rng.randrange(1 << 42), rng.randrange(-90_000_000, 90_000_000),
            rng.randrange(-180_000_000, 180_000_000), rng.randrange(65_535), rng.randrange(360),
            2, rng.randrange(2048),
        )
        for _ in range(300)
    ]  # fmt: skip
    entries = entries_of(points)
    assert len(entries) > 1
    found = [point for one in entries for point in track.unpack(one.packed, one.count)]
    assert found == points


def test_scratch_record_becomes_the_entry_of_what_a_boot_left() -> None:
    point = point_of(FIX, 0)
    assert point is not None
    (entry,) = scratch_entries(encode_scratch([point]))
    assert track.unpack(entry.packed, entry.count) == (point,)
    assert scratch_entries(None) == scratch_entries(b"") == ()
    assert point_of(NO_FIX, 0) is None
