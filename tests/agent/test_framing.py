"""The framer: what it lets through, what it drops, and that cutting the stream changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.framing import SENTENCE_BYTES_MAX, SentenceFramer
from tests.agent.receiver import framed, gga, line, rmc

GOOD = framed(rmc("101010.00"))
OTHER = framed(gga("101010.00"))
UBX = b"\xb5\x62\x01\x07\x04\x00\x24\x41\x0e\x21\x9f\x77"  # holds a `$` and a `!`


@pytest.mark.parametrize(
    ("stream", "sentences", "dropped"),
    [
        (GOOD + b"\r\n" + OTHER + b"\r\n", [GOOD, OTHER], {}),
        (GOOD + b"\n", [GOOD], {}),
        (GOOD + b"\r", [GOOD], {}),
        (GOOD + OTHER + b"\r\n", [GOOD, OTHER], {}),  # line end lost
        (GOOD + b"\x00" + OTHER + b"\r\n", [GOOD, OTHER], {"noise_bytes": 1}),
        (GOOD + UBX + OTHER + b"\r\n", [GOOD, OTHER], {"noise_bytes": 9, "cut": 2}),
        (GOOD[:20] + OTHER + b"\r\n", [OTHER], {"cut": 1}),  # cut, the rest lost
        (GOOD[:20] + b"\x00" + GOOD[20:] + b"\r\n", [], {"cut": 1, "noise_bytes": 50}),
        (b"\\s:r1*00\\" + GOOD + b"\r\n", [GOOD], {"noise_bytes": 9}),  # tag block
        (b"!AIVDM,1,1,,A,x,0*00\r\n", [b"!AIVDM,1,1,,A,x,0*00"], {}),
        (b"$\r\n", [b"$"], {}),
        (b"\xff" * 5000 + GOOD + b"\r\n", [GOOD], {"noise_bytes": 5000}),
    ],
)
def test_lets_whole_sentences_through(
    stream: bytes, sentences: list[bytes], dropped: dict[str, int]
) -> None:
    framer = SentenceFramer()
    assert framer.feed(stream) == sentences
    assert dict(framer.dropped) == dropped


def test_length_is_bounded() -> None:
    framer = SentenceFramer()
    longest = b"$" + b"A" * (SENTENCE_BYTES_MAX - 1)
    assert framer.feed(longest + b"\r\n") == [longest]
    assert framer.feed(longest + b"A\r\n" + GOOD + b"\r\n") == [GOOD]
    assert framer.dropped["too_long"] == 1


def test_a_megabyte_without_line_end_is_not_held() -> None:
    framer = SentenceFramer()
    for _ in range(1000):
        assert framer.feed(b"$" + b"A" * 999) == []
        assert framer.held_bytes <= SENTENCE_BYTES_MAX
    assert framer.feed(b"\r\n" + GOOD + b"\r\n") == [GOOD]
    assert framer.dropped["too_long"] == 1000


def test_end_of_stream_gives_the_last_whole_sentence_only() -> None:
    framer = SentenceFramer()
    assert framer.feed(GOOD) == []
    assert framer.flush() == [GOOD]
    assert framer.feed(GOOD[:-1]) == []
    assert framer.flush() == []
    assert framer.dropped == {"cut": 1}


PIECES = st.lists(
    st.one_of(
        st.sampled_from([GOOD, line(gga("1")), b"\r\n", b"$", b"!", b"*", b"*4", UBX, b"\x00"]),
        st.binary(max_size=40),
        st.integers(250, 260).map(lambda length: b"$" + b"x" * length),
    ),
    max_size=12,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(stream=PIECES, cuts=st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_chunks_do_not_matter(stream: bytes, cuts: list[int]) -> None:
    whole, cut = SentenceFramer(), SentenceFramer()
    expected = whole.feed(stream) + whole.flush()
    found: list[bytes] = []
    position = 0
    for step in cuts * (len(stream) // len(cuts) + 1):
        found += cut.feed(stream[position : position + step])
        assert cut.held_bytes <= SENTENCE_BYTES_MAX
        position += step
    found += cut.feed(stream[position:]) + cut.flush()
    assert found == expected
    assert cut.dropped == whole.dropped
