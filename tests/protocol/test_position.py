"""The newest position: exact both ways, every bound, hostile bytes, and its size on the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol import envelope, position, topics
from protocol.envelope import Kind
from protocol.position import LAT_MAX, LON_MAX, Position
from protocol.refusal import Reason, Refused
from tests.protocol.samples import POSITION, TERMINAL_KEY

U32 = 2**32 - 1


def maybe(low: int, high: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(low, high)


@st.composite
def positions(draw: st.DrawFn) -> Position:
    has_fix = draw(st.booleans())
    return Position(
        draw(st.integers(1, U32)),
        draw(st.integers(0, U32)),
        draw(st.integers(0, 1 << 43)),
        draw(st.integers(0, 3)),
        draw(st.integers(-LAT_MAX, LAT_MAX)) if has_fix else None,
        draw(st.integers(-LON_MAX, LON_MAX)) if has_fix else None,
        draw(maybe(0, 65535)),
        draw(maybe(0, 65535)),
        draw(maybe(0, 3599)),
        draw(st.integers(0, 255)),
        draw(st.integers(1, 2)) if has_fix else 0,
        draw(st.integers(0, 10)),
        draw(st.integers(0, 65535)),
        draw(st.integers(1, 30)),
        draw(st.integers(0, U32)),
        draw(st.binary(min_size=8, max_size=8)),
    )


@given(positions())
def test_exact_both_ways(value: Position) -> None:
    payload = position.encode(value)
    assert position.decode(payload) == value
    assert payload == cbor2.dumps(cbor2.loads(payload), canonical=True)
    position.check_canonical(payload, value)
    assert position.no_fix(value) == (value.lat_e7 is None)


BOUNDS = [
    ("boot", 1, U32), ("sequence", 0, U32), ("time_ms", 0, 1 << 43), ("time_trust", 0, 3),
    ("lat_e7", -LAT_MAX, LAT_MAX), ("lon_e7", -LON_MAX, LON_MAX), ("accuracy_m", 0, 65535),
    ("speed_cm_s", 0, 65535), ("course_ddeg", 0, 3599), ("motion", 0, 255),
    ("fix_kind", 1, 2), ("status", 0, 10), ("flags", 0, 65535), ("next_s", 1, 30),
    ("entry_count", 0, U32),
]  # fmt: skip
OPTIONAL = {"accuracy_m", "speed_cm_s", "course_ddeg"}


def with_field(field: str, value: Any) -> bytes:
    return position.encode(replace(POSITION, **{field: value}))


@pytest.mark.parametrize(("field", "low", "high"), BOUNDS)
def test_each_field_within_its_bounds(field: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(position.decode(with_field(field, value)), field) == value
    wrong: list[object]
    wrong = [high + 1, low - 1 - (field == "fix_kind"), True, 1.0, "1", b"\x01", []]
    wrong += [] if field in OPTIONAL or field in {"lat_e7", "lon_e7"} else [None]
    for bad in wrong:
        with pytest.raises(Refused) as caught:
            position.decode(with_field(field, bad))
        assert caught.value.reason is Reason.OUT_OF_RANGE
        assert caught.value.detail.startswith(f"position.{field}: {bad!r}, wanted ")


@pytest.mark.parametrize(
    "changes",
    [
        {"lat_e7": None}, {"lon_e7": None}, {"lat_e7": None, "lon_e7": None}, {"fix_kind": 0},
        {"entry_head": bytes(7)}, {"entry_head": "12345678"}, {"entry_head": None},
    ],
)  # fmt: skip
def test_fields_that_disagree(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        position.decode(position.encode(replace(POSITION, **changes)))
    assert str(caught.value) == "out_of_range: position: coordinates, fix kind and head disagree"


@given(st.binary(max_size=180))
@example(b"\xc5\x82\x1a\x7f\xff\xff\xff\x03")  # bigfloat: decimal.Overflow
@example(bytes.fromhex("c4821b800000000000000001"))  # decimal fraction: OverflowError
@example(bytes.fromhex("d8641b000000e8d4a51000"))  # days since the epoch: OverflowError
@example(b"\xd8\x23\x61\x28")  # a pattern that is none
@example(b"\xd8\x1c\x81\xd8\x1d\x00")  # an array that holds itself
@example(b"\x81" * 180)
def test_any_bytes_are_a_position_or_refused(data: bytes) -> None:
    for payload in (data, b"\x8f" + data, b"\x8f" + data * 15):
        try:
            position.decode(payload)
        except Refused:
            continue


def test_bytes_behind_and_long_forms_are_no_evidence() -> None:
    payload = position.encode(POSITION)
    longer = payload.replace(b"\x90\x07", b"\x90\x18\x07")
    assert position.decode(longer) == POSITION
    for other in (payload + b"\x00", longer):
        with pytest.raises(Refused, match="not the deterministic encoding"):
            position.check_canonical(other, POSITION)


def publish_bytes(message: bytes, topic: str = "") -> int:
    """An MQTT 5 PUBLISH at QoS 0 (OASIS MQTT 5.0 section 3.3) with a topic alias under 65,536."""
    properties = b"\x03\x23\x00\x01"  # length, Topic Alias, 1
    body = len(topic).to_bytes(2, "big") + topic.encode() + properties + message
    length, head = len(body), b"\x30"
    while length > 127:
        head += bytes([length & 127 | 128])
        length >>= 7
    return len(head + bytes([length]) + body)


# Every byte string longer than this one stands for something odd: a fix of no use, a flag.
WORST_PLAUSIBLE = Position(
    boot=65_535, sequence=2**31, time_ms=4_102_444_800_000, time_trust=3, lat_e7=-LAT_MAX,
    lon_e7=-LON_MAX, accuracy_m=23, speed_cm_s=8_333, course_ddeg=3599, motion=0x88, fix_kind=2,
    status=10, flags=0x17, next_s=30, entry_count=2**31, entry_head=bytes(8),
)  # fmt: skip
WORST_POSSIBLE = replace(
    WORST_PLAUSIBLE, boot=U32, sequence=U32, accuracy_m=65_535, speed_cm_s=65_535, flags=65_535,
    entry_count=U32,
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "bytes_max"), [(POSITION, 140), (WORST_PLAUSIBLE, 140), (WORST_POSSIBLE, 146)]
)
def test_size_on_the_wire(value: Position, bytes_max: int) -> None:
    topic = topics.terminal("f" * 31, "d" * 31, "position")
    message = envelope.seal(Kind.POSITION, topic, bytes(16), position.encode(value), TERMINAL_KEY)
    size = publish_bytes(message)
    print(f"position: {size} bytes on the wire, {len(message)} sealed")  # noqa: T201
    assert size <= bytes_max
    assert size - len(message) == 9
