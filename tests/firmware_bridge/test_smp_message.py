"""SMP headers and maps: the published messages, strictness, what hostile firmware may say."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smp import message as smp_model
from smp.header import OP, Flag, Header, Version

from firmware_bridge.core import smp_message
from firmware_bridge.core.smp_cbor import DEPTH_MAX, decode_map
from firmware_bridge.core.smp_message import (
    BoardError,
    EchoWriteResponse,
    ImageStatesReadRequest,
    ImageStatesReadResponse,
    InputsReadRequest,
    InputsReadResponse,
    as_answer,
    is_answer,
    read_message,
)
from protocol.refusal import Refused
from tests.firmware_bridge.shared_messages import Published, published


def frame(body: object, op: int = OP.READ_RSP, group: int = 64, sequence: int = 7) -> bytes:
    data = body if isinstance(body, bytes) else cbor2.dumps(body)
    header = Header(OP(op), Version.V2, Flag(0), len(data), group, sequence, 0)
    return bytes(header) + data


def inputs(body: object) -> InputsReadResponse:
    return as_answer(read_message(frame(body)), InputsReadResponse)


# Published with a field name that the library's model has corrected since (stksize, stksiz).
OLD_MODELS = {"smp.os_management.TaskStatisticsReadResponse"}
GOOD: dict[str, Any] = {"boot": 3, "inputs": {"sos": False}, "events": [[1, "sos", 1, 20]]}


def plain(value: object) -> object:
    """Bytes as hex, as the published fields have them."""
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return value


def test_published_headers_and_maps(shared_data: Path) -> None:
    for one in published(shared_data):
        message = read_message(one.frame)
        assert (message.header.version, message.header.sequence) == (one.version, one.sequence)
        assert message.header.length == len(one.frame) - 8
        assert bytes(message.header) == one.frame[:8]
        assert plain(message.body) == plain(one.fields), one.model


def model_of(one: Published) -> type[smp_model.Request | smp_model.Response]:
    module, _, name = one.model.rpartition(".")
    found: type[smp_model.Request | smp_model.Response] = getattr(
        importlib.import_module(module), name
    )
    return found


def test_published_answers_are_read(shared_data: Path) -> None:
    read = 0
    for one in published(shared_data):
        model = model_of(one)
        if issubclass(model, smp_model.Response) and one.model not in OLD_MODELS:
            if one.fields.get("rc") or "err" in one.fields:
                with pytest.raises(BoardError):
                    as_answer(read_message(one.frame), model)
            elif "rc" not in model.model_fields:
                answer = as_answer(read_message(one.frame), model)
                assert answer.smp_data == one.frame
            read += 1
    assert read > 30


def test_published_messages_are_encoded_the_same(shared_data: Path) -> None:
    for one in published(shared_data):
        if one.model in OLD_MODELS:
            continue
        body = read_message(one.frame).body
        made = model_of(one)(version=Version(one.version), sequence=one.sequence, **body)
        assert made.BYTES[:8] == one.frame[:8], one.model
        assert cbor2.loads(made.BYTES[8:]) == body, one.model


def test_inputs_request_as_it_travels() -> None:
    assert InputsReadRequest(after=3, sequence=9).BYTES.hex() == "0800000800400900a165616674657203"


def test_answer_must_fit_operation_group_command_and_sequence() -> None:
    request = InputsReadRequest(after=0, sequence=7)
    assert is_answer(read_message(frame(GOOD)), request)
    for wrong in (
        frame(GOOD, op=OP.WRITE_RSP),
        frame(GOOD, op=OP.READ),
        frame(GOOD, group=65),
        frame(GOOD, sequence=8),
    ):
        assert not is_answer(read_message(wrong), request)
    assert not is_answer(read_message(frame(GOOD)), ImageStatesReadRequest(sequence=7))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        frame(GOOD)[:7],
        frame(GOOD)[:-1],
        frame(GOOD) + b"\x00",
        b"\x0d" + frame(GOOD)[1:],  # operation 5
        b"\x19" + frame(GOOD)[1:],  # version 3
        frame(GOOD)[:1] + b"\x01" + frame(GOOD)[2:],  # flags
        frame([1]),
        frame({1: 2}),
        frame(b"\xa1\x61a\x01\x00"),  # something after the map
        frame(b"\xa2\x61a\x01\x61a\x02"),  # a key twice
        frame(b"\xbf\x61a\xff"),  # a key without value
        frame(b"\xa1\x7f\x61a\xff\x01"),  # a text in pieces
        frame(b"\xa1\x61a\xc1\x01"),  # a tag
        frame(b"\xa1\x61a\x5b" + b"\xff" * 8),  # 16 EiB of bytes
        frame(b"\xa1\x61a\x9b" + b"\xff" * 8),  # as many items
        frame(b"\xa1\x61\xff\x01"),  # not UTF-8
        frame(b"\xa1\x61a" + b"\x81" * (DEPTH_MAX + 1) + b"\x01"),
        frame({"a": list(range(1100))}),
        frame(b"\xff"),
        frame(b"\xa1\x61a\x1c"),
    ],
)
def test_bad_frames_are_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        read_message(data)


def test_firmware_may_write_maps_without_their_size() -> None:
    indefinite = b"\xbf\x64boot\x03\x66inputs\xbf\xff\x66events\x9f\x84\x01\x63sos\x01\x14\xff\xff"
    assert decode_map(indefinite) == {"boot": 3, "inputs": {}, "events": [[1, "sos", 1, 20]]}
    assert inputs(indefinite).events == [(1, "sos", 1, 20)]


def test_errors_of_both_versions() -> None:
    with pytest.raises(BoardError) as first:
        inputs({"rc": 8})
    assert (first.value.rc, first.value.group) == (8, None)
    with pytest.raises(BoardError) as second:
        inputs({"err": {"group": 64, "rc": 300}})
    assert (second.value.rc, second.value.group) == (300, 64)
    assert inputs(GOOD | {"rc": 0}).boot == 3
    with pytest.raises(Refused):
        inputs({"err": "no"})


@pytest.mark.parametrize(
    "change",
    [
        {"boot": -1},
        {"boot": 1 << 32},
        {"boot": "3"},
        {"boot": True},
        {"inputs": {"sos": 1}},
        {"inputs": {str(n): True for n in range(33)}},
        {"inputs": []},
        {"events": [[0, "sos", 1, 20]]},
        {"events": [[1, "sos", 2, 20]]},
        {"events": [[1, "sos", 1, -1]]},
        {"events": [[1, "SOS!", 1, 1]]},
        {"events": [[1, "sos", 1]]},
        {"events": [[1.0, "sos", 1, 1]]},
        {"events": [[n, "sos", 1, 1] for n in range(1, 66)]},
        {"events": None},
        {"header": 1},
        {"smp_data": b"x"},
        {"sequence": 7},
        {"version": 1},
    ],
)
def test_bad_answers_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        inputs(GOOD | change)


def test_a_name_of_later_firmware_is_passed_over() -> None:
    assert inputs(GOOD | {"later": 1}).boot == 3


@pytest.mark.parametrize("body", [{"r": 1}, {}, {"r": "a", "x": 1}, {"r": None}])
def test_bad_echo(body: object) -> None:
    with pytest.raises(Refused):
        as_answer(read_message(frame(body, op=OP.WRITE_RSP, group=0)), EchoWriteResponse)


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_payload_is_read_or_refused(payload: bytes) -> None:
    try:
        message = read_message(frame(payload))
    except Refused:
        return
    for model in (InputsReadResponse, EchoWriteResponse, ImageStatesReadResponse):
        try:
            as_answer(message, model)
        except (Refused, BoardError):
            continue


cbor_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), 1 << 63) | st.text(max_size=8)
    | st.binary(max_size=8) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["boot", "inputs", "events", "rc", "err", "images", "r"])
                      | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["boot", "inputs", "events", "rc", "err"]), cbor_values))
def test_any_map_is_an_answer_or_refused(body: dict[str, Any]) -> None:
    try:
        message = read_message(frame(body))
        as_answer(message, smp_message.InputsReadResponse)
    except (Refused, BoardError):
        return
    assert {"boot", "inputs", "events"} <= body.keys()


shallow = st.dictionaries(
    st.text(max_size=5),
    st.lists(st.integers() | st.text(max_size=4), max_size=4) | st.integers(0, 1 << 64) | st.none(),
    max_size=6,
)


@settings(deadline=None)
@given(shallow)
def test_a_good_map_decodes_to_itself(value: dict[str, Any]) -> None:
    data = cbor2.dumps(value)
    has_tag = any(not -(1 << 64) <= n < 1 << 64 for n in _integers(value))
    if has_tag:  # numbers beyond 64 bits travel as tags
        with pytest.raises(Refused):
            decode_map(data)
    else:
        assert decode_map(data) == value


def _integers(value: object) -> list[int]:
    match value:
        case dict():
            return [number for item in value.values() for number in _integers(item)]
        case list():
            return [item for item in value if isinstance(item, int)]
        case int():
            return [value]
        case _:
            return []
