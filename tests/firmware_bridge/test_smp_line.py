"""SMP on a serial console: published lines, every split, log text, flipped bits, noise."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.core.smp_line import FRAME_BYTES_MAX, LINE_BYTES_MAX, LineDecoder, encode
from hil.smp_codec import ConsoleReader, to_lines
from tests.firmware_bridge.shared_messages import published

FRAME = bytes.fromhex("0a00000d00000300a16164686f7574726964657221")


def decoded(console: bytes, chunk_bytes: int = 4096) -> list[bytes]:
    decoder = LineDecoder()
    frames = []
    for at in range(0, len(console), chunk_bytes):
        frames += decoder.feed(console[at : at + chunk_bytes])
    return frames


def by_hand(length: int, frame: bytes, crc: int | None = None) -> bytes:
    crc = binascii.crc_hqx(frame, 0) if crc is None else crc
    packet = length.to_bytes(2, "big") + frame + crc.to_bytes(2, "big")
    return b"\x06\x09" + base64.b64encode(packet) + b"\n"


def test_published_lines_byte_for_byte(shared_data: Path) -> None:
    messages = published(shared_data)
    assert len(messages) >= 100
    for one in messages:
        assert encode(one.frame) == one.console, one.model
        assert decoded(one.console) == [one.frame], one.model


def test_published_lines_split_at_every_byte(shared_data: Path) -> None:
    for one in published(shared_data):
        assert decoded(one.console, 1) == [one.frame]
        for at in range(len(one.console)):
            decoder = LineDecoder()
            assert decoder.feed(one.console[:at]) == []
            assert decoder.feed(one.console[at:]) == [one.frame]
            assert not decoder.counts


def test_log_text_between_the_lines_is_skipped(shared_data: Path) -> None:
    text = "[00:00:01.000,000] <inf> io: inputs sampled 采样\r\n".encode()
    decoder = LineDecoder()
    for one in published(shared_data):
        console = text + b"uart:~$ " + text.join(one.lines) + text
        assert decoder.feed(console) == [one.frame], one.model
    assert not decoder.counts
    assert decoder.text_lines > 200


def test_every_flipped_bit_is_refused(shared_data: Path) -> None:
    """Also in the length, which no CRC covers, and in the spare bits of the last base64 digit."""
    flips = 0
    for one in published(shared_data):
        for bit in range(len(one.console) * 8):
            spoilt = bytearray(one.console)
            spoilt[bit // 8] ^= 1 << bit % 8
            assert decoded(bytes(spoilt)) == [], (one.model, bit)
            flips += 1
    assert flips > 30_000


def test_flipped_bits_are_counted_and_the_next_frame_is_whole() -> None:
    decoder = LineDecoder()
    console = encode(FRAME)
    for at in range(2, len(console) - 1):
        assert decoder.feed(console[:at] + bytes([console[at] ^ 1]) + console[at + 1 :]) == []
        assert decoder.feed(console) == [FRAME]
    assert sum(decoder.counts.values()) >= len(console) - 3


@pytest.mark.parametrize(
    ("console", "reason"),
    [
        (by_hand(len(FRAME) + 2, FRAME, crc=1), "frame_crc"),
        (by_hand(len(FRAME) + 1, FRAME), "frame_length"),
        (by_hand(0, FRAME), "frame_length"),
        (by_hand(FRAME_BYTES_MAX + 3, FRAME), "frame_length"),
        (b"\x06\x09AA==\n", "frame_length"),
        (b"\x06\x09\n", "line_length"),
        (b"\x06\x09" + b"A" * LINE_BYTES_MAX + b"\n", "line_length"),
        (b"\x06\x09AAA\n", "line_base64"),
        (b"\x06\x09AA-_AAAA\n", "line_base64"),
        (b"\x06\x09AAAA AAA\n", "line_base64"),
        (b"\x04\x14AAAA\n", "line_without_first"),
    ],
)
def test_damage_is_named(console: bytes, reason: str) -> None:
    decoder = LineDecoder()
    assert decoder.feed(console) == []
    assert decoder.counts == {reason: 1}
    assert decoder.feed(encode(FRAME)) == [FRAME]


def test_a_frame_that_never_ends_gives_way_to_the_next() -> None:
    decoder = LineDecoder()
    first_line = encode(bytes(200)).split(b"\n")[0] + b"\n"
    assert decoder.feed(first_line + encode(FRAME)) == [FRAME]
    assert decoder.counts == {"frame_unfinished": 1}


def test_noise_without_a_newline_takes_no_memory_and_no_frame() -> None:
    decoder = LineDecoder()
    for _ in range(1000):
        assert decoder.feed(b"\xff\x06" * 500) == []
        assert len(decoder._partial) <= LINE_BYTES_MAX + 1
    assert decoder.feed(encode(FRAME)) == [FRAME]


def test_endless_further_lines_take_no_memory() -> None:
    decoder = LineDecoder()
    first, further = encode(bytes(FRAME_BYTES_MAX))[:127], b"\x04\x14" + b"A" * 124 + b"\n"
    decoder.feed(first)
    for _ in range(200):
        decoder.feed(further)
    assert decoder.counts["frame_length"] == 1
    assert decoder.counts["line_without_first"] > 100


@settings(deadline=None)
@given(st.binary(max_size=600), st.integers(1, 64))
def test_any_frame_comes_back_in_any_chunks(frame: bytes, chunk_bytes: int) -> None:
    console = encode(frame)
    assert all(len(line) <= LINE_BYTES_MAX for line in console.split(b"\n"))
    expected = [frame] if frame else []  # an empty frame is no frame
    assert decoded(console, chunk_bytes) == expected


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=600))
def test_the_emulators_own_codec_agrees(frame: bytes) -> None:
    assert decoded(b"".join(to_lines(frame))) == [frame]
    assert ConsoleReader().feed(encode(frame)) == [frame]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=20))
def test_hostile_bytes_never_raise_and_never_stop_the_line(chunks: list[bytes]) -> None:
    decoder = LineDecoder()
    for chunk in chunks:
        for frame in decoder.feed(chunk):
            assert frame  # only by a CRC that fits
    assert decoder.feed(b"\n" + encode(FRAME)) == [FRAME]
