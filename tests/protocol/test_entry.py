"""Entries of the logbook: every kind exact, each field checked, size bounded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import cbor, entry
from protocol.entry import KIND_OF, Alarm, DeviceEvent, Entry, EntryKind, Health, StatusChange
from protocol.refusal import Reason, Refused
from tests.protocol.samples import BODIES, ENTRIES, HERE, NOW_MS

STATUS = Entry(NOW_MS, 3, 7, 60_000, 41, StatusChange(1, None))


def refused(data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        entry.decode(data)
    return str(caught.value)


@pytest.mark.parametrize("one", ENTRIES, ids=lambda one: one.kind.name)
def test_exact_both_ways(one: Entry) -> None:
    data = entry.encode(one)
    assert entry.decode(data) == one
    assert cbor.encode(cbor.decode(data)) == data


def test_every_kind_has_a_body_and_a_sample() -> None:
    assert {type(body) for body in BODIES} == set(KIND_OF)
    assert set(KIND_OF.values()) == set(EntryKind)
    assert [int(kind) for kind in EntryKind] == list(range(1, len(EntryKind) + 1)), (
        "numbers are never reused"
    )


@given(
    st.integers(0, 1 << 43), st.integers(0, 3), st.integers(0, 2**32 - 1), st.integers(0, 1 << 53),
    st.none() | st.integers(0, 2**32 - 1), st.integers(0, 10), st.none() | st.text(max_size=32),
)  # fmt: skip
def test_what_is_common_to_all(
    time_ms: int, trust: int, boot: int, uptime_ms: int, logon: int | None, status: int,
    reason: str | None,
) -> None:  # fmt: skip
    one = Entry(time_ms, trust, boot, uptime_ms, logon, StatusChange(status, reason))
    assert entry.decode(entry.encode(one)) == one


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"time_ms": -1}, "out_of_range: entry.time_ms: -1, wanted 0..8796093022208"),
        ({"time_trust": 4}, "out_of_range: entry.time_trust: 4, wanted 0..3"),
        ({"boot": 2**32}, "out_of_range: entry.boot: 4294967296, wanted 0..4294967295"),
        ({"uptime_ms": True}, "malformed: entry.uptime_ms: True, wanted an integer"),
        ({"logon": "41"}, "malformed: entry.logon: '41', wanted an integer"),
        ({"body": StatusChange(11, None)}, "out_of_range: status.status: 11, wanted 0..10"),
        ({"body": StatusChange(1, "x" * 33)}, "malformed: status.reason: "),
        ({"body": Alarm("c", "t" * 201)}, "malformed: alarm.text: "),
        ({"body": Health((("n", -1),))}, "out_of_range: health.figures[0][1]: -1, wanted 0.."),
        ({"body": Health((("n", 1),) * 65)}, "malformed: health.figures: "),
    ],
)
def test_fields_that_are_refused(changes: dict[str, Any], text: str) -> None:
    assert refused(entry.encode(replace(STATUS, **changes))).startswith(text)


@pytest.mark.parametrize("kind", [0, 99, -1, None, True, 2**40, "1"])
def test_unknown_kinds(kind: object) -> None:
    data = cbor2.dumps([kind, NOW_MS, 3, 7, 1, None, [1, None]])
    assert refused(data) == f"malformed: entry: unknown kind {kind!r}"


@pytest.mark.parametrize("body", [[], [1], [1, None, 0], {}, None, 1])
def test_bodies_of_another_shape(body: object) -> None:
    data = cbor2.dumps([3, NOW_MS, 3, 7, 1, None, body])
    assert refused(data) == f"malformed: status: {body!r}, wanted an array of 2"


def test_a_body_of_one_kind_is_not_another() -> None:
    data = cbor.decode(entry.encode(ENTRIES[0]))
    assert isinstance(data, list)
    for kind in set(EntryKind) - {EntryKind.START}:
        assert refused(cbor.encode([int(kind), *data[1:]]))


scalars = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=256)
    | st.binary(max_size=64)
)  # fmt: skip


@given(st.lists(st.tuples(st.text(max_size=32), scalars), max_size=4))
def test_a_devices_detail(detail: list[tuple[str, Any]]) -> None:
    body = DeviceEvent("d-1", "board", 1, 2, "input", None, tuple(detail), HERE, None)
    one = replace(STATUS, body=body)
    assert entry.decode(entry.encode(one)) == one


@pytest.mark.parametrize("value", [1.5, [1], 1 << 63, "x" * 257, bytes(65)])
def test_details_that_are_refused(value: object) -> None:
    body = DeviceEvent("d-1", "board", 1, 2, "input", None, (("k", value),), None, None)
    assert "device.detail[0][1]: " in refused(entry.encode(replace(STATUS, body=body)))


def test_an_entry_has_a_size() -> None:
    figures = tuple((f"{i:048}", 1 << 62) for i in range(60))
    with pytest.raises(Refused) as caught:
        entry.encode(replace(STATUS, body=Health(figures)))
    assert caught.value.reason is Reason.TOO_LARGE
    assert caught.value.detail.endswith("at most 3072")


def test_what_is_urgent() -> None:
    urgent = {one.kind for one in ENTRIES if entry.is_urgent(one.body)}
    assert urgent == entry.URGENT | {EntryKind.DEVICE}  # the sample is an SOS
    ignition = DeviceEvent("d-1", "board", 1, 2, "ignition", None, (), None, None)
    assert not entry.is_urgent(ignition)


@given(st.binary(max_size=80))
def test_any_bytes_are_an_entry_or_refused(data: bytes) -> None:
    for wrapped in (data, b"\x87" + data, b"\x87\x03\x00\x03\x07\x01\xf6" + data):
        try:
            entry.decode(wrapped)
        except Refused:
            continue
