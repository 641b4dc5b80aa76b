"""A recorder's session: whose events are taken, what is refused, commands and their results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.core.command_desk import REPEAT_MS, SENDINGS_MAX, WAITING_MAX
from firmware_bridge.core.presence import GRACE_MS
from firmware_bridge.core.recorder_session import RecorderSession
from firmware_bridge.core.session import Notice
from protocol.device import LINE_BYTES_MAX, Command, CommandResult, Event

NOW = 1_000_000
FILE = {"file": "a.mp4", "sha256": "ab" * 32, "bytes": 9, "started_ms": 1, "ended_ms": 2}


def line(**changes: Any) -> bytes:
    fields = {
        "type": "event",
        "device": "body-1",
        "device_kind": "recorder",
        "boot": 3,
        "event": 17,
        "name": "mark",
        "device_time_ms": 1_790_000_000_000,
        "detail": {},
    } | changes
    return json.dumps(fields).encode() + b"\n"


def opened() -> RecorderSession:
    session = RecorderSession("body-1", NOW)
    session.opened(NOW)
    assert [type(output) for output in session.outputs()] == [Notice]
    return session


def heard(session: RecorderSession, data: bytes) -> list[Event]:
    session.received(data, NOW)
    return [output for output in session.outputs() if isinstance(output, Event)]


def written(session: RecorderSession, now_ms: int = NOW) -> list[dict[str, Any]]:
    return [json.loads(one) for one in session.to_write(now_ms).splitlines()]


@pytest.mark.parametrize("name", ["recording_on", "recording_off", "mark", "sos"])
def test_a_recorders_event_is_taken_as_it_is(name: str) -> None:
    (event,) = heard(opened(), line(name=name))
    assert (event.name, event.boot, event.event) == (name, 3, 17)
    assert event.device_time_ms == 1_790_000_000_000


def test_kept_is_told_when_the_agent_has_kept_it_and_not_before() -> None:
    session = opened()
    (event,) = heard(session, line())
    session.taken(event)
    assert written(session) == []
    session.settled(event, None, NOW)
    assert written(session) == [{"type": "kept", "device": "body-1", "boot": 3, "event": 17}]
    assert session.wake_ms() > NOW


def test_closed_file_carries_its_digest() -> None:
    (event,) = heard(opened(), line(name="file_closed", detail=FILE))
    assert event.detail == FILE


@pytest.mark.parametrize(
    "changes",
    [
        {"device": "body-2"},
        {"device_kind": "board"},
        {"name": "present"},
        {"name": "ignition"},
        {"name": "image_state"},
        {"name": "file_closed"},
        {"name": "file_closed", "detail": FILE | {"sha256": "AB" * 32}},
        {"name": "file_closed", "detail": FILE | {"bytes": -1}},
        {"name": "file_closed", "detail": FILE | {"bytes": True}},
        {"name": "file_closed", "detail": {"sha256": "ab" * 32}},
        {"event": 0},
        {"boot": -1},
        {"more": 1},
        {"detail": {"a": [1]}},
        {"type": "logon", "unit": "621", "crew": []},
        {"type": "status"},
        {"type": "nonsense"},
    ],
)
def test_what_a_recorder_must_not_say_is_refused_and_named(changes: dict[str, Any]) -> None:
    session = opened()
    assert heard(session, line(**changes)) == []
    (refusal,) = written(session)
    assert refusal["type"] == "refused"
    assert (refusal["device"], refusal["boot"]) == ("body-1", changes.get("boot", 3))
    assert refusal["reason"]
    assert refusal["remedy"]
    assert sum(session.counts.values()) == 1


@pytest.mark.parametrize("data", [b"nonsense\n", b"\xff\xfe\n", b"[]\n", b"[" * 9000 + b"\n"])
def test_what_is_no_event_is_counted_and_not_answered(data: bytes) -> None:
    session = opened()
    assert heard(session, data) == []
    assert written(session) == []
    assert session.counts == {"line_malformed": 1}


def test_a_line_without_end_takes_no_memory_and_the_next_is_read() -> None:
    session = opened()
    for _ in range(100):
        assert heard(session, b"x" * LINE_BYTES_MAX) == []
    assert session.counts == {"line_too_large": 1}
    assert len(heard(session, b"\n" + line())) == 1


def test_a_line_in_pieces() -> None:
    session = opened()
    for byte in line()[:-1]:
        assert heard(session, bytes([byte])) == []
    assert len(heard(session, b"\n")) == 1


def test_half_a_line_is_not_continued_after_a_hang_up() -> None:
    session = opened()
    heard(session, line()[:20])
    session.lost("hung up", NOW)
    session.opened(NOW)
    assert len(heard(session, line())) == 1


def test_command_is_repeated_until_its_result() -> None:
    session = opened()
    session.command(Command(device="body-1", id=5, name="record_on"), NOW)
    expected = {
        "type": "command",
        "device": "body-1",
        "id": 5,
        "name": "record_on",
        "detail": {},
    }
    assert written(session) == [expected]
    assert written(session) == []
    assert session.wake_ms() == NOW + REPEAT_MS
    assert written(session, NOW + REPEAT_MS) == [expected]
    said = {"type": "command_result", "device": "body-1", "id": 5, "ok": True, "detail": {}}
    session.received(json.dumps(said).encode() + b"\n", NOW)
    assert session.outputs() == [CommandResult(device="body-1", id=5, ok=True)]
    session.received(json.dumps(said).encode() + b"\n", NOW)
    assert session.outputs() == []
    assert session.counts == {"result_not_asked": 1}
    assert written(session, NOW + 10 * REPEAT_MS) == []


def test_command_without_answer_is_given_up() -> None:
    session = opened()
    session.command(Command(device="body-1", id=5, name="mark"), NOW)
    for sending in range(SENDINGS_MAX):
        assert len(written(session, NOW + sending * REPEAT_MS)) == 1
    assert written(session, NOW + SENDINGS_MAX * REPEAT_MS) == []
    (result,) = session.outputs()
    assert isinstance(result, CommandResult)
    assert (result.ok, result.detail) == (False, {"reason": "no answer"})


def test_command_while_unplugged_or_too_many_is_answered_at_once() -> None:
    session = RecorderSession("body-1", NOW)
    session.command(Command(device="body-1", id=1, name="mark"), NOW)
    (result,) = session.outputs()
    assert isinstance(result, CommandResult)
    assert not result.ok
    session.opened(NOW)
    session.outputs()
    for number in range(WAITING_MAX + 1):
        session.command(Command(device="body-1", id=number, name="mark"), NOW)
    (result,) = session.outputs()
    assert isinstance(result, CommandResult)
    assert (result.id, result.ok) == (WAITING_MAX, False)


def test_absent_after_a_grace_and_present_when_plugged_in() -> None:
    session = RecorderSession("body-1", NOW)
    session.lost("No such file or directory", NOW)
    assert session.outputs() == []
    assert session.wake_ms() == NOW + GRACE_MS
    session.to_write(NOW + GRACE_MS)
    (notice,) = session.outputs()
    assert isinstance(notice, Notice)
    assert notice.name == "absent"
    session.opened(NOW + GRACE_MS)
    session.lost("hung up", NOW + 10 * GRACE_MS)
    session.opened(NOW + 10 * GRACE_MS + 100)
    names = [output.name for output in session.outputs() if isinstance(output, Notice)]
    assert names == ["present"]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_hostile_bytes_never_raise(chunks: list[bytes]) -> None:
    session = opened()
    for chunk in chunks:
        session.received(chunk, NOW)
        session.to_write(NOW)
    session.received(b"\n", NOW)
    session.outputs()
    assert len(heard(session, line())) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["type", "device", "boot", "event", "name", "detail"]),
                       json_values))  # fmt: skip
def test_any_object_is_an_event_or_refused(changes: dict[str, Any]) -> None:
    session = opened()
    events = heard(session, line(**changes))
    assert len(events) + sum(session.counts.values()) == 1
