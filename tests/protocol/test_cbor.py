"""CBOR as it travels: one encoding each, bounded before anything is built."""

from __future__ import annotations

import time

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol import cbor
from protocol.refusal import Reason, Refused

LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text() | st.binary()
)  # fmt: skip
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4), max_leaves=20)


def refused(data: bytes, bytes_max: int = cbor.MESSAGE_BYTES_MAX) -> Refused:
    with pytest.raises(Refused) as caught:
        cbor.decode(data, bytes_max)
    return caught.value


@given(VALUES)
def test_what_is_encoded_is_decoded(value: object) -> None:
    encoded = cbor.encode(value)
    try:
        assert cbor.decode(encoded) == value
    except Refused as too_much:  # drawn deeper or longer than travels
        assert too_much.reason in {Reason.TOO_DEEP, Reason.TOO_LARGE}  # noqa: PT017


@pytest.mark.parametrize(
    "hexed",
    [
        "1800", "190017", "1900ff", "1a0000ffff", "1b00000000ffffffff",  # longer than need be
        "3800", "580141", "5900024141", "780161", "980100", "b8010000",
        "fb3ff8000000000000", "fa3fc00000",  # 1.5 has a shorter form
        "9f00ff", "5f4100ff", "7f6161ff", "bf0000ff",  # indefinite
        "a201000100", "a202000100",  # twice, and out of order
        "c0 00", "c2 41 01", "c3 41 01", "d8 18 41 00", "d8 23 61 28", "d9 0100 00",  # tags
        "81 c2 41 01", "82 00 d8 1c 80", "a1 c1 00 00",
        "00 00", "80 80", "", "ff", "1c", "1d", "1e", "3c", "5d", "7e", "9c", "bd", "fc", "fd",
        "fe",
        "18", "19 00", "1a 000000", "41", "42 00", "61", "81", "a1", "a1 00", "82 00", "f9 00",
        "61 ff", "62 c3 28",  # no UTF-8
        "9b ffffffffffffffff", "bb ffffffffffffffff", "5b ffffffffffffffff", "5a ffffffff",
        "7a ffffffff", "9a ffffffff", "ba 80000000", "9a ffffffff 00 00",
    ],
)  # fmt: skip
def test_what_is_not_the_one_encoding_is_malformed(hexed: str) -> None:
    assert refused(bytes.fromhex(hexed)).reason is Reason.MALFORMED


@pytest.mark.parametrize("tag", [*range(6), 18, 24, 28, 29, 30, 35, 36, 37, 98, 258, 55799, 65000])
def test_no_tag_is_decoded(tag: int) -> None:
    found = refused(b"\x81" + cbor2.dumps(cbor2.CBORTag(tag, [])))
    assert str(found) == "malformed: tag at byte 1"


def test_a_number_of_many_digits_is_no_trap() -> None:
    """Python will not print 4,300 digits: whoever names the value must never have got it."""
    data = cbor2.dumps(1 << 30_000)
    assert refused(data).reason is Reason.MALFORMED


@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00", b"\xd8\x20", b"\x82\x00"])
def test_depth(opening: bytes) -> None:
    assert refused(opening * 1000 + b"\x00").reason in {Reason.TOO_DEEP, Reason.MALFORMED}
    with pytest.raises(Refused) as caught:
        cbor.check_depth(opening * 100_000 + b"\x00")
    assert caught.value.reason is Reason.TOO_DEEP


def test_eight_levels_are_the_last() -> None:
    assert cbor.decode(b"\x81" * 8 + b"\x00") == [[[[[[[[0]]]]]]]]
    found = refused(b"\x81" * 9 + b"\x00")
    assert str(found) == "too_deep: nested deeper than 8 at byte 9"


def test_depth_is_of_what_is_open_and_not_of_what_went_by() -> None:
    assert cbor.decode(cbor.encode([[0], [[1]], [[[2]]]] * 100)) == [[0], [[1]], [[[2]]]] * 100


def test_size() -> None:
    assert len(str(cbor.decode(cbor.encode(bytes(4093))))) > 4000
    found = refused(cbor.encode(bytes(4094)))
    assert str(found) == "too_large: 4097 bytes; at most 4096"
    assert cbor.decode(cbor.encode(bytes(60_000)), cbor.BATCH_BYTES_MAX) == bytes(60_000)


def test_hostile_lengths_cost_no_time_and_no_memory() -> None:
    started_s = time.monotonic()
    for data in (
        b"\x9b" + b"\xff" * 8 + b"\x00" * 4000,
        b"\x84" * 4096,
        b"\x9a\xff\xff\xff\xff" * 800,
    ):
        refused(data)
    assert time.monotonic() - started_s < 1.0


@given(st.binary(max_size=64))
@example(b"\xd8\x1c\x81\xd8\x1d\x00")  # an array that holds itself
@example(b"\xc5\x82\x1a\x7f\xff\xff\xff\x03")  # a power that overflows
def test_any_bytes_are_one_value_or_refused(data: bytes) -> None:
    try:
        value = cbor.decode(data)
    except Refused:
        return
    assert cbor.encode(value) == data


@given(st.binary(max_size=300))
def test_a_head_is_read_in_shortest_form_only(content: bytes) -> None:
    encoded = cbor.encode(content)
    assert cbor.read_bytes(encoded + b"more", 0, "x") == (len(encoded), content)
    if len(content) < 24:
        with pytest.raises(Refused, match="x: length not in shortest form at byte 0"):
            cbor.read_bytes(b"\x58" + bytes([len(content)]) + content, 0, "x")
    with pytest.raises(Refused, match=r"x: (cut short|unexpected|length)"):
        cbor.read_bytes(encoded[:-1], 0, "x")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "x: unexpected item at byte 0"), (b"\x60", "x: unexpected item at byte 0"),
        (b"\x5f", "x: indefinite length at byte 0"), (b"\x5c", "x: indefinite length at byte 0"),
        (b"\x59\x00", "x: length not in shortest form at byte 0"),
        (b"\x59\x00\xff", "x: length not in shortest form at byte 0"),
        (b"\x5a\x00\x00\xff\xff", "x: length not in shortest form at byte 0"),
        (b"\x5b\x00\x00\x00\x00\xff\xff\xff\xff", "x: length not in shortest form at byte 0"),
        (b"\x5a\x00\x01\x00\x00", "x: cut short"),
    ],
)  # fmt: skip
def test_byte_strings_that_are_none(data: bytes, text: str) -> None:
    with pytest.raises(Refused) as caught:
        cbor.read_bytes(data, 0, "x")
    assert str(caught.value) == f"malformed: {text}"


def test_array_of_a_size() -> None:
    assert cbor.array([1, 2], 2, "x") == [1, 2]
    others: list[object] = [[1], {}, "ab", None]
    for value in others:
        with pytest.raises(Refused, match="x: not an array of 2"):
            cbor.array(value, 2, "x")


def test_skipping_one_item_of_many() -> None:
    assert cbor.skip_item(b"\x00\x82\x01\x02\x03", 1) == 4
    with pytest.raises(Refused, match="more than 10 items"):
        cbor.skip_item(b"\x98\x20" + bytes(32), 0, heads_max=10)
