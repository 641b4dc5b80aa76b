"""Lines in any chunking, and the pace of a flood."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import ManualClock
from runtime.lines import LineCutter, TokenBucket


@given(
    lines=st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), max_size=20),
    cuts=st.lists(st.integers(0, 400), max_size=20),
)
def test_lines_are_cut_the_same_in_any_chunking(lines: list[bytes], cuts: list[int]) -> None:
    stream, cutter, received = b"".join(line + b"\n" for line in lines), LineCutter(12), []
    edges = [0, *sorted(cuts), len(stream)]
    for begin, end in itertools.pairwise(edges):
        received += cutter.feed(stream[begin:end])
    assert received == [line for line in lines if 0 < len(line) <= 12]
    assert cutter.too_long == sum(len(line) > 12 for line in lines)


def test_tokens_come_back_with_time() -> None:
    clock = ManualClock()
    bucket = TokenBucket(10, 2, clock)
    assert [bucket.take() for _ in range(3)] == [0, 0, pytest.approx(0.1)]
    clock.advance(10_000)
    assert [bucket.take() for _ in range(2)] == [0, 0]
