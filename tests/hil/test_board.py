"""The board over a real pseudo-terminal, asked through an independent SMP library."""

import asyncio
import contextlib
import io
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import cbor2
import pytest
from smp import header, image_management, os_management
from smp.exceptions import SMPDecodeError
from smp.packet import decode as reference_decode
from smp.packet import encode as reference_encode

from hil.board import EVENTS_HELD, Board
from hil.board_command import KINDS, Console
from hil.control import Control
from hil.device_state import DeviceState
from hil.faults import FaultSchedule
from hil.port import DevicePort
from hil.pty_port import PtyLine
from tests.hil.helpers import Emulator, Reader, run, until
from tests.hil.test_smp_codec import MESSAGES, lines_of, needs_messages


@dataclass
class Asker:
    """Sends frames to the board and waits for its answers."""

    reader: Reader
    board: Board = field(default_factory=Board)
    faults: FaultSchedule = field(default_factory=lambda: FaultSchedule(KINDS, []))

    async def ask(self, frame: bytes) -> bytes:
        """One request's answer as frame bytes."""
        return await self.ask_lines(list(reference_encode(frame, 127)))

    async def ask_lines(self, lines: list[bytes]) -> bytes:
        for line in lines:
            self.reader.write(line)
        decoder = reference_decode()
        next(decoder)
        while True:
            line = await self.reader.line(5) + b"\n"
            if line[:2] not in {b"\x06\x09", b"\x04\x14"}:
                continue  # console text
            try:
                decoder.send(line)
            except StopIteration as whole:
                answer: bytes = whole.value
                return answer

    async def ask_inputs(self, after: int) -> dict[str, object]:
        body = cbor2.dumps({"after": after})
        head = header.Header(
            op=header.OP.READ, version=header.Version.V2, flags=header.Flag(0),
            length=len(body), group_id=64, sequence=9, command_id=0,
        )  # fmt: skip
        answer = cbor2.loads((await self.ask(head.BYTES + body))[8:])
        assert isinstance(answer, dict)
        return answer


@contextlib.asynccontextmanager
async def board_on_port(*, chatter: bool = False) -> AsyncIterator[Asker]:
    async with DevicePort(PtyLine()) as port:
        faults = FaultSchedule(KINDS, [])
        board = Board()
        console = Console(port, board, faults, random.Random(1), chatter=chatter)
        state = DeviceState(None)
        state.next_boot()
        tasks = [
            asyncio.create_task(console.run()),
            asyncio.create_task(console.chat()),
            asyncio.create_task(console.run_resets(state, Control(io.StringIO()))),
        ]
        with Reader(port.line.path) as reader:
            await port.wait_reader(0)
            yield Asker(reader, board, faults)
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("chatter", [False, True])
def test_the_reference_library_understands_every_answer(chatter: bool) -> None:
    async def work() -> None:
        async with board_on_port(chatter=chatter) as asker:
            said = "x" * 400  # several lines
            echo = os_management.EchoWriteResponse.loads(
                await asker.ask(os_management.EchoWriteRequest(d=said).BYTES)
            )
            assert echo.r == said
            sizes = os_management.MCUMgrParametersReadResponse.loads(
                await asker.ask(os_management.MCUMgrParametersReadRequest().BYTES)
            )
            assert (sizes.buf_size, sizes.buf_count) == (2048, 4)
            request = image_management.ImageStatesReadRequest()
            states = image_management.ImageStatesReadResponse.loads(await asker.ask(request.BYTES))
            assert states.header.sequence == request.header.sequence
            first, second = states.images
            assert (first.slot, first.version, first.active, first.confirmed) == (
                0, "1.4.0", True, True,
            )  # fmt: skip
            assert (second.slot, second.active, second.pending) == (1, False, False)
            assert first.hash is not None
            assert len(first.hash) == 32
            assert first.hash != second.hash

    run(work())


def test_its_clock_is_read_and_set() -> None:
    async def read(asker: Asker) -> str:
        answer = await asker.ask(os_management.DateTimeReadRequest().BYTES)
        return os_management.DateTimeReadResponse.loads(answer).datetime

    async def work() -> None:
        async with board_on_port() as asker:
            setting = os_management.DateTimeWriteRequest(datetime="2031-02-03T04:05:06")
            os_management.DateTimeWriteResponse.loads(await asker.ask(setting.BYTES))
            assert (await read(asker)).startswith("2031-02-03T04:05:0")
            wrong = os_management.DateTimeWriteRequest(datetime="tomorrow")
            refused = os_management.OSManagementErrorV2.loads(await asker.ask(wrong.BYTES))
            assert (refused.err.group, refused.err.rc) == (0, 2)
            assert (await read(asker)).startswith("2031-02-03T04:05:0")

    run(work())


@needs_messages
def test_shared_requests_get_an_answer_that_fits_and_others_none() -> None:
    supported = {(0, 0), (0, 4), (0, 5), (0, 6), (0, 8), (1, 0)}

    async def work() -> None:
        async with board_on_port(chatter=True) as asker:
            for message in MESSAGES:
                asked = header.Header.loads(bytes.fromhex(message["bytes"])[:8])
                if asked.op not in {header.OP.READ, header.OP.WRITE}:
                    for line in lines_of(message):
                        asker.reader.write(line)  # an answer: no request, never answered
                    continue
                answer = await asker.ask_lines(lines_of(message))
                answered = header.Header.loads(answer[:8])
                assert answered.op == asked.op + 1
                assert (answered.group_id, answered.command_id, answered.sequence) == (
                    asked.group_id, asked.command_id, asked.sequence,
                )  # fmt: skip
                is_supported = (asked.group_id, asked.command_id) in supported
                assert (cbor2.loads(answer[8:]) == {"rc": 8}) is not is_supported
                if (asked.group_id, asked.command_id) == (0, 5):
                    await until(lambda: asker.board.boot == 2)

    run(work())


def test_an_unknown_command_is_not_supported() -> None:
    async def work() -> None:
        async with board_on_port() as asker:
            erase = await asker.ask(image_management.ImageEraseRequest().BYTES)
            assert image_management.ImageManagementErrorV1.loads(erase).rc == 8

    run(work())


@pytest.mark.parametrize(
    "body", [b"", b"\x01", b"\xff", b"\xa1\x65after\x20", b"\xa1\x65after\xf5"]
)
def test_a_body_that_makes_no_sense_gets_an_error_or_the_default(body: bytes) -> None:
    head = bytes([0x08, 0, 0, len(body), 0, 64, 7, 0])

    async def work() -> None:
        async with board_on_port() as asker:
            answer = cbor2.loads((await asker.ask(head + body))[8:])
            assert (answer.get("rc") == 3) == bool(body)

    run(work())


def test_inputs_are_events_above_the_number_asked_for() -> None:
    async def work() -> None:
        async with board_on_port() as asker:
            assert await asker.ask_inputs(0) == {
                "boot": 1, "inputs": {"ignition": False, "sos": False}, "events": [],
            }  # fmt: skip
            asker.board.set_input("ignition", True)
            asker.board.set_input("ignition", True)  # no change, no event
            asker.board.set_input("sos", True)
            answer = await asker.ask_inputs(0)
            assert answer["inputs"] == {"ignition": True, "sos": True}
            events = answer["events"]
            assert isinstance(events, list)
            assert [event[:3] for event in events] == [[1, "ignition", 1], [2, "sos", 1]]
            assert all(0 <= event[3] < 5000 for event in events)
            later = await asker.ask_inputs(1)
            assert isinstance(later["events"], list)
            assert [event[0] for event in later["events"]] == [2]
            for turn in range(100):
                asker.board.set_input("sos", turn % 2 == 1)
            held = (await asker.ask_inputs(0))["events"]
            assert isinstance(held, list)
            assert len(held) == EVENTS_HELD
            assert held[-1][0] == 102

    run(work())


def test_a_reset_is_answered_then_a_new_boot_begins() -> None:
    async def work() -> None:
        async with board_on_port(chatter=True) as asker:
            asker.board.set_input("ignition", True)
            answer = await asker.ask(os_management.ResetWriteRequest().BYTES)
            os_management.ResetWriteResponse.loads(answer)
            await asker.reader.until(lambda got: b"firmware ready" in got)
            after = await asker.ask_inputs(0)
            assert (after["boot"], after["events"]) == (2, [])
            assert after["inputs"] == {"ignition": True, "sos": False}

    run(work())


def test_no_flipped_answer_is_taken_for_a_good_one() -> None:
    async def work() -> None:
        async with board_on_port() as asker:
            asker.faults.begin("flip", 30)
            request = os_management.EchoWriteRequest(d="hello").BYTES
            outcomes = set()
            for _ in range(20):
                for line in reference_encode(request, 127):
                    asker.reader.write(line)
                outcomes.add(outcome(await asker.reader.line() + b"\n"))
            assert "refused" in outcomes
            assert outcomes <= {"refused", "not finished"}

    run(work())


def outcome(line: bytes) -> str:
    decoder = reference_decode()
    next(decoder)
    try:
        decoder.send(line)
    except StopIteration:
        return "whole"
    except (SMPDecodeError, ValueError):
        return "refused"
    return "not finished"


def test_as_a_process_it_takes_inputs_and_counts_boots(tmp_path: Path) -> None:
    link, state = tmp_path / "board", tmp_path / "state.json"
    for boot in (1, 2):
        with Emulator("board", "--link", str(link), "--state", str(state)) as emulator:
            emulator.event("ready")
            emulator.tell(do="input", name="sos", on=True)
            emulator.tell(do="input", name="horn", on=True)
            assert "ignition, sos" in str(emulator.event("refused")["remedy"])
            with Reader(str(link)) as reader:
                answer = run(Asker(reader).ask_inputs(0))
            assert answer["boot"] == boot
            assert answer["inputs"] == {"ignition": False, "sos": True}
    assert json.loads(state.read_text())["boot"] == 2
