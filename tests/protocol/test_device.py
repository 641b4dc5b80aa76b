"""Lines of the device socket: each message both ways, and lines that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from protocol import device
from protocol.refusal import Reason, Refused

EVENT = device.Event(device="rec-1", device_kind="recorder", boot=3, event=12, name="sos")
FROM_CLIENT: list[BaseModel] = [
    EVENT,
    device.CommandResult(device="rec-1", id=4, ok=True, detail={"file": "a.mp4"}),
    device.Logon(unit="621", crew=("0421",), recorders=(("rec-1", "0421"), ("rec-2", None))),
    device.Logoff(reason="shift_end"),
    device.SetStatus(status="available"),
    device.Answer(order="o-1", answer="on-scene"),
    device.Status(),
    device.Watch(),
]
TO_CLIENT: list[BaseModel] = [
    device.Kept(device="rec-1", boot=3, event=12),
    device.Refusal(reason="malformed", remedy="send one JSON object a line"),
    device.Command(device="rec-1", id=4, name="record_on"),
    device.Done(entry=7),
    device.State(
        terminal="zz.car-7", unit=None, logon=None, status="off_duty", link="down", welcomed=False,
        waiting_entries=3, fix=None, orders=(), refused={},
    ),
]  # fmt: skip


@pytest.mark.parametrize("message", FROM_CLIENT, ids=lambda m: type(m).__name__)
def test_what_clients_say(message: BaseModel) -> None:
    line = device.encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert device.decode(line) == message


@pytest.mark.parametrize("message", TO_CLIENT, ids=lambda m: type(m).__name__)
def test_what_clients_hear(message: BaseModel) -> None:
    assert device.decode(device.encode(message), device.TO_CLIENT) == message
    with pytest.raises(Refused, match="malformed: line: "):
        device.decode(device.encode(message))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"device": "Rec 1"}, "event.device"), ({"device_kind": "toaster"}, "event.device_kind"),
        ({"boot": -1}, "event.boot"), ({"boot": 1 << 32}, "event.boot"),
        ({"event": 0}, "event.event"),
        ({"name": "reboot"}, "event.name"), ({"device_time_ms": 1 << 43}, "event.device_time_ms"),
        ({"detail": {"k" * 33: 1}}, "event.detail"), ({"detail": {"k": [1]}}, "event.detail.k"),
        ({"detail": {str(i): i for i in range(17)}}, "event.detail"),
        ({"detail": {"k": "x" * 257}}, "event.detail.k"), ({"more": 1}, "event.more"),
        ({"type": "events"}, "line"), ({"type": None}, "line"),
    ],
)  # fmt: skip
def test_fields_that_are_refused(changes: dict[str, Any], place: str) -> None:
    line = json.dumps(EVENT.model_dump() | changes).encode()
    with pytest.raises(Refused) as caught:
        device.decode(line)
    assert caught.value.reason is Reason.MALFORMED
    assert caught.value.detail.startswith(place)


@pytest.mark.parametrize("line", [b"", b"\n", b"{", b"[]", b"null", b"\xff", b"[" * 16_000])
def test_lines_that_are_none(line: bytes) -> None:
    with pytest.raises(Refused) as caught:
        device.decode(line)
    assert caught.value.reason is Reason.MALFORMED


def test_a_line_has_a_length() -> None:
    with pytest.raises(Refused, match="too_large: line of 16385 bytes; at most 16384"):
        device.decode(b" " * 16_385)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_cleanly(line: bytes) -> None:
    with pytest.raises(Refused):
        device.decode(line)
