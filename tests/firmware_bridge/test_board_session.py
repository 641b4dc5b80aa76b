"""A board's session: greeting, image state, polling, and every way an answer can be wrong."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.core.board_session import IMAGE_MS, SILENT_AFTER, TIMEOUT_MS_MAX
from firmware_bridge.core.presence import GRACE_MS
from firmware_bridge.core.smp_line import LineDecoder
from hil.board import Board, Body
from hil.board import Refused as BoardRefuses
from hil.smp_codec import READ, Frame, read_frame, to_lines, write_frame
from hil.tiny_cbor import encode
from protocol.device import Command
from tests.firmware_bridge.wire import Wire

ECHO, IMAGE, INPUTS = 0, 1, 64


def numbers(wire: Wire) -> set[tuple[str, int, int]]:
    return {(event.name, event.boot, event.event) for event in wire.events}


def refuses(body: Body) -> Body:
    raise BoardRefuses(8)


def answer(request: Frame, body: Body, **changes: int) -> bytes:
    """An answer to `request` with other header fields."""
    fields = {
        "operation": request.operation + 1,
        "version": request.version,
        "group": request.group,
        "sequence": request.sequence,
        "command": request.command,
    } | changes
    return b"".join(to_lines(write_frame(Frame(payload=encode(body), **fields))))


def test_greets_reads_the_image_state_and_polls() -> None:
    wire = Wire()
    wire.run(1000)
    assert [one.group for one in wire.requests[:3]] == [ECHO, IMAGE, INPUTS]
    assert wire.requests[0].body() == {"d": "outrider"}
    assert 24 <= len(wire.asked(INPUTS)) <= 26  # each 40 ms
    assert len(wire.asked(ECHO)) == len(wire.asked(IMAGE)) == 1
    assert wire.names() == ["present", "image_state"]
    detail = wire.notices[1].detail
    assert detail["device"] == "board-1"
    assert (detail["slot0_version"], detail["slot0_flags"]) == (
        "1.4.0",
        "active confirmed bootable",
    )
    assert len(str(detail["slot0_hash"])) == 64
    assert not wire.session.counts


def test_image_state_is_read_each_hour_and_told_when_it_changed() -> None:
    wire = Wire(poll_ms=1000)
    wire.run(IMAGE_MS + 2000)
    assert len(wire.asked(IMAGE)) == 2
    assert wire.names() == ["present", "image_state"]
    wire.board.slots[1]["version"] = "1.5.0"
    wire.run(IMAGE_MS)
    assert wire.names() == ["present", "image_state", "image_state"]


def test_inputs_become_events_of_the_boards_own_boot_and_number() -> None:
    wire = Wire(Board(boot=7))
    wire.board.inputs["door"] = False
    for name, is_on in (("ignition", True), ("sos", True), ("sos", False), ("door", True)):
        wire.board.set_input(name, is_on)
    wire.run(200)
    assert [(event.name, event.event) for event in wire.events[:4]] == [
        ("sos", 2), ("ignition", 1), ("input", 3), ("input", 4),
    ]  # fmt: skip
    sos, ignition, released, door = wire.events[:4]
    assert {event.boot for event in wire.events} == {7}
    assert sos.detail["source"] == "button"
    assert ignition.detail["on"] is True
    assert (released.detail["input"], released.detail["on"]) == ("sos", False)
    assert (door.detail["input"], door.detail["on"]) == ("door", True)
    for event in wire.events:
        assert event.device_time_ms is None
        assert type(event.detail["ms_ago"]) is int


def test_only_kept_events_are_passed_by() -> None:
    wire = Wire()
    for level in (True, False, True):
        wire.board.set_input("ignition", level)
    wire.run(500)
    assert wire.asked(INPUTS)[-1].body() == {"after": 0}
    assert len(numbers(wire)) == 3
    for event in wire.events[1:3]:  # out of turn
        wire.session.settled(event, None, wire.now_ms)
    wire.run(100)
    assert wire.asked(INPUTS)[-1].body() == {"after": 0}
    wire.session.settled(wire.events[0], None, wire.now_ms)
    wire.events.clear()
    wire.run(200)
    assert wire.asked(INPUTS)[-1].body() == {"after": 3}
    assert not wire.events


def test_a_new_boot_begins_at_its_first_event() -> None:
    wire = Wire()
    wire.board.set_input("ignition", True)
    wire.run(100)
    wire.keep()
    wire.run(100)
    wire.board.reboot(2)
    wire.board.set_input("sos", True)
    wire.run(200)
    assert ("sos", 2, 1) in numbers(wire)
    assert len(wire.asked(IMAGE)) == 2  # another image may run


def test_events_that_the_board_has_forgotten_are_counted() -> None:
    wire = Wire()
    wire.run(100)
    for number in range(100):
        wire.board.set_input("ignition", number % 2 == 0)
    wire.run(100)
    assert wire.session.counts == {"events_lost": 36}
    assert len(numbers(wire)) == 64
    wire.keep()
    wire.run(100)
    assert wire.asked(INPUTS)[-1].body() == {"after": 100}


def test_what_an_earlier_bridge_saw_is_not_called_lost() -> None:
    board = Board()
    for number in range(100):
        board.set_input("ignition", number % 2 == 0)
    wire = Wire(board)
    wire.run(200)
    assert not wire.session.counts
    assert len(numbers(wire)) == 64


def test_a_lost_answer_is_asked_again_with_another_sequence_number() -> None:
    wire = Wire()
    wire.run(100)
    wire.board.set_input("sos", True)
    wire.spoil = lambda _: b""
    before = len(wire.requests)
    wire.step()
    wire.run(100)
    assert len(wire.requests) <= before + 1  # one request under way
    wire.spoil = lambda console: console
    wire.run(800)
    sequences = [one.sequence for one in wire.requests]
    assert sequences == [(n + 1) % 256 for n in range(len(sequences))]
    assert ("sos", 1, 1) in numbers(wire)


def test_late_and_doubled_answers_do_nothing() -> None:
    wire = Wire()
    held: list[bytes] = []
    wire.run(100)
    wire.spoil = lambda console: held.append(console) or b""  # type: ignore[func-returns-value]
    wire.board.set_input("sos", True)
    wire.run(50)
    wire.spoil = lambda console: console + console
    wire.run(600)
    wire.say(held[0])  # of a request that was given up
    assert wire.session.counts["answer_not_asked"] > 2
    assert numbers(wire) == {("sos", 1, 1)}


@pytest.mark.parametrize(
    "changes",
    [{"sequence": 200}, {"group": 65}, {"operation": 3}, {"operation": 0}, {"command": 1}],
)
def test_an_answer_to_another_question_is_refused(changes: dict[str, int]) -> None:
    wire = Wire()
    wire.run(100)
    wire.spoil = lambda _: b""
    while wire.session.wake_ms() <= wire.now_ms or wire.requests[-1].group != INPUTS:
        wire.step()
    wire.step(40)
    wire.step()
    lie: Body = {"boot": 1, "inputs": {}, "events": [[1, "sos", 1, 0]]}
    wire.say(answer(wire.requests[-1], lie, **changes))
    assert wire.session.counts["answer_not_asked"] == 1
    assert not wire.events
    wire.say(answer(wire.requests[-1], lie))
    assert numbers(wire) == {("sos", 1, 1)}


@pytest.mark.parametrize(
    "events",
    [
        [[2, "sos", 1, 0], [1, "sos", 1, 0]],
        [[1, "sos", 1, 0], [1, "sos", 1, 0]],
        [[0, "sos", 1, 0]],
        [[1, "sos", 1, 0]] * 65,
        "events",
        [["sos"]],
    ],
)
def test_a_board_that_lies_is_asked_less_often(events: object) -> None:
    wire = Wire()
    lie: Body = {"boot": 1, "inputs": {}, "events": events}  # type: ignore[dict-item]
    wire.board.commands[INPUTS, READ, 0] = lambda _: lie
    wire.run(60_000)
    assert not wire.events
    assert 3 <= len(wire.asked(INPUTS)) <= 10
    assert wire.session.counts["answer_malformed"] == len(wire.asked(INPUTS))
    assert wire.session.inputs.after == 0


def test_a_board_without_inputs_is_left_in_peace_and_stays_present() -> None:
    wire = Wire()
    wire.board.commands[INPUTS, READ, 0] = refuses
    wire.run(600_000)
    assert len(wire.asked(INPUTS)) < 20
    assert wire.session.counts["board_error_8"] == len(wire.asked(INPUTS))
    assert wire.names()[0] == "present"


def test_a_board_without_image_state_is_polled_all_the_same() -> None:
    wire = Wire()
    wire.board.commands[IMAGE, READ, 0] = refuses
    wire.run(1000)
    assert len(wire.asked(INPUTS)) >= 23
    wire = Wire()
    wire.spoil = lambda console: b"" if wire.requests[-1].group == IMAGE else console
    wire.run(2000)
    assert len(wire.asked(INPUTS)) >= 23
    assert len(wire.asked(IMAGE)) == 1


def test_absent_and_present_again() -> None:
    wire = Wire()
    wire.run(100)
    wire.spoil = lambda _: b""
    began_ms = wire.now_ms
    while "absent" not in wire.names():
        wire.step(10)
        assert wire.now_ms < began_ms + GRACE_MS + 100
    assert wire.notices[-1].detail == {"device": "board-1", "reason": "no answer"}
    wire.run(60_000)
    assert wire.names().count("absent") == 1
    assert 60_000 / TIMEOUT_MS_MAX <= len(wire.requests) < 60
    wire.spoil = lambda console: console
    wire.run(TIMEOUT_MS_MAX + 100)
    assert wire.names()[-1] == "present"
    assert wire.requests[-1].group == INPUTS


def test_a_silent_board_is_greeted_anew() -> None:
    wire = Wire()
    wire.run(100)
    wire.spoil = lambda _: b""
    wire.run(30_000)
    assert [one.group for one in wire.requests[-3:]] == [ECHO] * 3
    assert wire.session.counts["unanswered"] > SILENT_AFTER


def test_port_lost_for_a_moment_is_not_told() -> None:
    wire = Wire()
    wire.run(100)
    wire.session.lost("hung up", wire.now_ms)
    wire.run(GRACE_MS // 2)
    assert wire.session.to_write(wire.now_ms) == b""
    wire.session.opened(wire.now_ms)
    wire.run(500)
    assert wire.names().count("present") == 1
    assert "absent" not in wire.names()
    wire.session.lost("hung up", wire.now_ms)
    wire.run(GRACE_MS + 10)
    assert wire.notices[-1].detail["reason"] == "hung up"


def test_a_command_for_a_board_is_answered_with_no() -> None:
    wire = Wire()
    wire.session.command(Command(device="board-1", id=4, name="buzzer"), wire.now_ms)
    wire.step()
    assert [(one.id, one.ok) for one in wire.results] == [(4, False)]


def test_every_published_way_of_flipping_a_bit_costs_a_repeat_only() -> None:
    chance = random.Random(4)
    wire = Wire()

    def flip(console: bytes) -> bytes:
        at = chance.randrange(len(console))
        spoilt = bytes([console[at] ^ 1 << chance.randrange(8)])
        return console[:at] + spoilt + console[at + 1 :]

    wire.run(100)
    wire.spoil = flip
    for level in (True, False, True):
        wire.board.set_input("sos", level)
    wire.run(20_000)
    assert not wire.events
    wire.spoil = lambda console: console
    wire.run(TIMEOUT_MS_MAX + 500)
    assert numbers(wire) == {("sos", 1, 1), ("input", 1, 2), ("sos", 1, 3)}


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_no_event_is_lost_whatever_the_line_does(data: st.DataObject) -> None:
    """Answers vanish, are doubled, spoilt or late; the agent keeps in any order."""
    wire = Wire()
    held: list[bytes] = []

    def mistreat(console: bytes) -> bytes:
        match data.draw(st.integers(0, 5)):
            case 0:
                return b""
            case 1:
                return console + console
            case 2:
                return console[:5] + b"?" + console[6:]
            case 3:
                held.append(console)
                return b""
            case 4 if held:
                return held.pop(0) + console
            case _:
                return console

    wire.spoil = mistreat
    level = False
    for _ in range(data.draw(st.integers(1, 12))):
        level = not level
        wire.board.set_input("ignition", level)
        for _ in range(data.draw(st.integers(1, 4))):
            wire.step(data.draw(st.sampled_from([1, 40, 300, 1000])))
        kept_now = data.draw(st.integers(0, 3))
        if kept_now < len(wire.events):
            kept = wire.events[kept_now]
            wire.session.settled(kept, None, wire.now_ms)
    wire.spoil = lambda console: console
    wire.run(TIMEOUT_MS_MAX + 500)
    made = wire.board.answer(
        Frame(operation=READ, version=1, group=64, sequence=0, command=0,
              payload=encode({"after": 0}))
    )  # fmt: skip
    assert made is not None
    events = made.body()["events"]
    assert isinstance(events, list)
    assert {number for _, _, number in numbers(wire)} == {event[0] for event in events}
    wire.keep()
    wire.run(200)
    assert wire.session.inputs.after == len(events)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_hostile_bytes_change_nothing(chunks: list[bytes]) -> None:
    wire = Wire()
    wire.run(100)
    for chunk in chunks:
        wire.say(chunk)
        wire.step(10)
    assert not wire.events
    wire.say(b"\n")
    wire.board.set_input("sos", True)
    wire.run(TIMEOUT_MS_MAX + 500)
    assert numbers(wire) == {("sos", 1, 1)}


def test_what_is_written_is_smp() -> None:
    wire = Wire()
    console = wire.session.to_write(wire.now_ms)
    (frame,) = LineDecoder().feed(console)
    assert read_frame(frame).group == ECHO
    assert wire.session.to_write(wire.now_ms) == b""  # one under way
