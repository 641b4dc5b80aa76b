"""Tracks: exact, small, and bounded whatever is unpacked."""

from __future__ import annotations

import tracemalloc
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import track
from protocol.refusal import Reason, Refused
from protocol.track import FIXES_MAX, TrackPoint, pack, unpack
from tests.protocol.samples import POINTS

points = st.builds(
    TrackPoint,
    st.integers(0, (1 << 43) - 1),
    st.integers(-90_000_000, 90_000_000),
    st.integers(-180_000_000, 180_000_000),
    st.none() | st.integers(0, 65535),
    st.none() | st.integers(0, 360),
    st.integers(0, 2),
    st.integers(0, 65535),
)


def deflated(raw: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(raw) + deflate.flush()


def refused(packed: bytes, count: int) -> str:
    with pytest.raises(Refused) as caught:
        unpack(packed, count)
    return str(caught.value)


@given(st.lists(points, min_size=1, max_size=40))
def test_exact_both_ways(given_points: list[TrackPoint]) -> None:
    assert unpack(pack(given_points), len(given_points)) == tuple(given_points)


def test_a_minute_of_driving_is_small() -> None:
    packed = pack(POINTS)
    assert unpack(packed, 60) == POINTS
    assert len(packed) < 60 * 2  # straight ahead at one speed step: almost nothing is new


def test_the_most_that_an_entry_holds() -> None:
    many = tuple(replace(POINTS[0], time_ms=i) for i in range(FIXES_MAX))
    assert unpack(pack(many), FIXES_MAX) == many
    with pytest.raises(ValueError, match="601 points; 1 to 600"):
        pack([*many, POINTS[0]])
    with pytest.raises(ValueError, match="0 points"):
        pack([])


@pytest.mark.parametrize("count", [0, -1, FIXES_MAX + 1, 1 << 40])
def test_counts_that_are_none(count: int) -> None:
    assert refused(pack(POINTS), count) == f"out_of_range: track: {count} fixes"


@pytest.mark.parametrize("count", [1, 59, 61])
def test_another_count_than_packed(count: int) -> None:
    assert refused(pack(POINTS), count) == f"malformed: track: 420 values for {count} fixes"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = deflated(bytes(50_000_000))
    tracemalloc.start()
    try:
        assert refused(bomb, 600) == "malformed: track: not one deflated block"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000


def test_what_is_cut_or_followed_by_more() -> None:
    packed = pack(POINTS)
    assert refused(packed[:-1], 60) == "malformed: track: not one deflated block"
    assert refused(packed + b"\x00", 60) == "malformed: track: not one deflated block"
    assert refused(b"", 60) == "malformed: track: not one deflated block"
    assert refused(b"\xff\xff", 60).startswith("malformed: track: Error -3")


def test_numbers_that_never_end() -> None:
    assert refused(deflated(b"\x80" * 11 + b"\x01"), 1) == "malformed: track: number too long"
    assert refused(deflated(b"\x00" * 6 + b"\x80"), 1) == "malformed: track: cut short"


@pytest.mark.parametrize(
    "changes",
    [
        {"time_ms": -1}, {"time_ms": 1 << 43}, {"lat_e6": 90_000_001}, {"lon_e6": -180_000_001},
        {"speed_dm_s": -2}, {"speed_dm_s": 65536}, {"course_deg": 361}, {"course_deg": -2},
        {"fix_kind": 3}, {"fix_kind": -1}, {"flags": 65536}, {"flags": -1},
    ],
)  # fmt: skip
def test_impossible_fixes(changes: dict[str, int]) -> None:
    packed = pack([POINTS[0], replace(POINTS[0], **changes)])
    assert refused(packed, 2).startswith("out_of_range: track: impossible fix ")


@given(st.binary(max_size=200), st.integers(1, FIXES_MAX))
def test_any_bytes_are_points_or_refused(data: bytes, count: int) -> None:
    for packed in (data, deflated(data), deflated(data * 50)):
        try:
            assert len(unpack(packed, count)) == count
        except Refused as refusal:
            assert refusal.reason in {Reason.MALFORMED, Reason.OUT_OF_RANGE}  # noqa: PT017


def test_the_codec_has_a_number() -> None:
    assert track.CODEC == 1
