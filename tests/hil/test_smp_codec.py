"""SMP on a serial console: the shared messages, damage, chunking, text between lines."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smp import packet as reference

from hil.smp_codec import (
    LINE_BYTES_MAX,
    ConsoleReader,
    Frame,
    SmpError,
    read_frame,
    to_lines,
    write_frame,
)
from tests.hil.helpers import DATA

MESSAGES_FILE = DATA / "smp" / "smp_messages.json"
MESSAGES = json.loads(MESSAGES_FILE.read_text()) if MESSAGES_FILE.exists() else []
needs_messages = pytest.mark.skipif(not MESSAGES, reason="no shared data")


def lines_of(message: dict[str, object]) -> list[bytes]:
    lines = message["serial_lines_hex"]
    assert isinstance(lines, list)
    return [bytes.fromhex(line) for line in lines]


@needs_messages
def test_every_shared_message_is_found_in_its_lines() -> None:
    for message in MESSAGES:
        frame = bytes.fromhex(message["bytes"])
        assert ConsoleReader().feed(b"".join(lines_of(message))) == [frame]
        parsed = read_frame(frame)
        assert (parsed.version, parsed.sequence) == (message["version"], message["sequence"])
        assert write_frame(parsed) == frame
        assert isinstance(parsed.body(), dict)


@needs_messages
def test_every_shared_message_makes_the_same_bytes() -> None:
    for message in MESSAGES:
        text = b"".join(line[2:-1] for line in to_lines(bytes.fromhex(message["bytes"])))
        assert text == b"".join(line[2:-1] for line in lines_of(message))


@needs_messages
def test_all_shared_messages_in_one_stream_split_anywhere_with_text_between() -> None:
    chance = random.Random(5)
    stream = b"boot banner\r\n"
    for message in MESSAGES:
        for line in lines_of(message):
            stream += line + chance.choice([b"", b"[00:01] <inf> io: tick\r\n", b"\n", b"no end "])
    for chunk_bytes in (1, 7, 127, 4096):
        reader = ConsoleReader()
        found = [
            frame
            for at in range(0, len(stream), chunk_bytes)
            for frame in reader.feed(stream[at : at + chunk_bytes])
        ]
        assert found == [bytes.fromhex(message["bytes"]) for message in MESSAGES]
        assert reader.damaged == 0


@needs_messages
def test_no_flipped_bit_of_a_shared_message_gets_through() -> None:
    for message in MESSAGES:
        frame, lines = bytes.fromhex(message["bytes"]), b"".join(lines_of(message))
        chance = random.Random(lines)
        for _ in range(20):
            at, bit = chance.randrange(len(lines)), chance.randrange(8)
            damaged = lines[:at] + bytes([lines[at] ^ 1 << bit]) + lines[at + 1 :]
            found = ConsoleReader().feed(damaged + b"\n")
            assert found in ([], [frame])
            if found:  # only unused bits of the last base64 digit may differ
                assert at >= len(lines) - 5


@given(st.binary(min_size=8, max_size=2000))
def test_lines_are_short_and_the_reference_reads_them(frame: bytes) -> None:
    lines = to_lines(frame)
    assert all(len(line) <= LINE_BYTES_MAX for line in lines)
    decoder = reference.decode()
    next(decoder)
    for line in lines[:-1]:
        decoder.send(line)
    with pytest.raises(StopIteration) as whole:
        decoder.send(lines[-1])
    assert whole.value.value == frame


@given(st.binary(min_size=8, max_size=2000), st.sampled_from([127, 128]))
def test_lines_of_the_reference_are_read(frame: bytes, line_bytes: int) -> None:
    lines = b"".join(reference.encode(frame, line_bytes))
    assert ConsoleReader().feed(lines) == [frame]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_noise_never_harms_and_a_good_frame_after_it_is_read(noise: list[bytes]) -> None:
    frame = bytes.fromhex("0a00000100010e05a0")
    reader = ConsoleReader()
    for chunk in noise:
        reader.feed(chunk)
    reader.feed(b"\n")
    assert reader.feed(b"".join(to_lines(frame))) == [frame]


def test_an_unfinished_frame_is_counted_and_an_endless_line_dropped() -> None:
    reader = ConsoleReader()
    lines = to_lines(bytes(300))
    reader.feed(lines[0] + lines[1])
    reader.feed(lines[0])
    assert reader.damaged == 1
    for _ in range(100):
        reader.feed(bytes(1000))
    assert len(reader._partial) <= 4096


def test_a_header_that_does_not_fit_is_refused() -> None:
    for hexed in ("", "0a0000", "0a00000200010e05a0", "0a00000000010e05a0"):
        with pytest.raises(SmpError):
            read_frame(bytes.fromhex(hexed))
    no_map = Frame(operation=2, version=1, group=0, sequence=1, command=0, payload=b"\x01")
    with pytest.raises(SmpError, match="no map"):
        no_map.body()
