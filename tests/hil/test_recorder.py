"""The recorder: repeats until kept, real files, commands once, over restarts and bad lines."""

import asyncio
import contextlib
import hashlib
import io
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import ANY

import pytest

from hil.control import Control
from hil.device_state import DeviceState
from hil.life import InputError
from hil.port import DevicePort
from hil.pty_port import PtyLine
from hil.recorder import Recorder, RecorderOptions
from tests.hil.helpers import Emulator, Reader, run, until

Message = dict[str, object]


@dataclass
class Bench:
    recorder: Recorder
    reader: Reader
    media: Path

    async def message(self) -> Message:
        """The next line of the recorder."""
        parsed = json.loads(await self.reader.line())
        assert isinstance(parsed, dict)
        return parsed

    def say(self, **message: object) -> None:
        """One line to the recorder."""
        self.reader.write(json.dumps({"device": "body-1", **message}).encode() + b"\n")

    def keep(self, event: Message) -> None:
        """Answers `kept`."""
        self.say(type="kept", boot=event["boot"], event=event["event"])


@contextlib.asynccontextmanager
async def recorder_on_port(
    tmp_path: Path, repeat_s: float = 0.05, clock_offset_ms: int = 0
) -> AsyncIterator[Bench]:
    how = RecorderOptions(
        device="body-1", media=tmp_path / "media", file_bytes=100_000,
        clock_offset_ms=clock_offset_ms, repeat_s=repeat_s, repeat_max_s=repeat_s * 8,
    )  # fmt: skip
    async with DevicePort(PtyLine()) as port:
        tell = Control(io.StringIO()).tell
        state = DeviceState(tmp_path / "state.json")
        recorder = Recorder(how, state, port.write, tell, random.Random(1))

        async def listen() -> None:
            while True:
                recorder.receive(await port.read())

        tasks = [asyncio.create_task(recorder.repeat()), asyncio.create_task(listen())]
        with Reader(port.line.path) as reader:
            await port.wait_reader(0)
            yield Bench(recorder, reader, how.media)
        for task in tasks:
            task.cancel()


def test_waits_double_up_to_the_longest(tmp_path: Path) -> None:
    sent: list[bytes] = []

    def write(data: bytes) -> int:
        sent.append(data)
        return len(data)

    how = RecorderOptions(device="body-1", media=tmp_path)  # 2 s, doubling to 30 s
    tell = Control(io.StringIO()).tell
    recorder = Recorder(how, DeviceState(None), write, tell, random.Random(1))
    assert recorder.send_due(time.monotonic()) is None
    recorder.record_on()
    now_s = time.monotonic()
    waits = []
    for _ in range(7):
        wait_s = recorder.send_due(now_s)
        assert wait_s is not None
        waits.append(wait_s)
        assert recorder.send_due(now_s + wait_s * 0.99) == pytest.approx(wait_s * 0.01, abs=1e-3)
        now_s += wait_s
    assert waits == pytest.approx([2, 4, 8, 16, 30, 30, 30], abs=1e-3)
    assert len(sent) == 7
    assert len(set(sent)) == 1


def test_an_event_is_repeated_unchanged_until_kept(tmp_path: Path) -> None:
    async def work() -> None:
        async with recorder_on_port(tmp_path) as bench:
            bench.recorder.record_on()
            first = await bench.message()
            assert first["name"] == "recording_on"
            assert [await bench.message() for _ in range(3)] == [first] * 3
            bench.keep(first)
            bench.recorder.mark()
            while (await bench.message())["name"] != "mark":
                pass  # what was under way
            assert (await bench.message())["name"] == "mark"

    run(work())


def test_a_recording_closes_a_real_file_with_its_hash(tmp_path: Path) -> None:
    async def work() -> None:
        async with recorder_on_port(tmp_path, 5, clock_offset_ms=-3_600_000) as bench:
            for act in (bench.recorder.record_on, bench.recorder.mark, bench.recorder.record_off):
                act()
            events = [await bench.message() for _ in range(4)]
            assert [(e["boot"], e["event"], e["name"]) for e in events] == [
                (1, 1, "recording_on"), (1, 2, "mark"),
                (1, 3, "recording_off"), (1, 4, "file_closed"),
            ]  # fmt: skip
            assert {e["type"] for e in events} == {"event"}
            assert {e["device_kind"] for e in events} == {"recorder"}
            hour_ago_ms = time.clock_gettime(time.CLOCK_REALTIME) * 1000 - 3_600_000
            stamp = events[0]["device_time_ms"]
            assert isinstance(stamp, int)
            assert abs(stamp - hour_ago_ms) < 10_000
            detail = events[3]["detail"]
            assert isinstance(detail, dict)
            content = (bench.media / detail["file"]).read_bytes()
            assert detail["sha256"] == hashlib.sha256(content).hexdigest()
            assert detail["bytes"] == len(content) == 100_000
            assert detail["started_ms"] <= stamp <= detail["ended_ms"]

    run(work())


def test_commands_are_done_once_and_answered_each_time(tmp_path: Path) -> None:
    async def work() -> None:
        async with recorder_on_port(tmp_path, 30) as bench:
            for _ in range(2):
                bench.say(type="command", id=5, name="record_on", detail={})
            results = [await bench.message() for _ in range(3)]
            assert sorted(str(r["type"]) for r in results) == [
                "command_result", "command_result", "event",
            ]  # fmt: skip
            done = [r for r in results if r["type"] == "command_result"]
            assert done[0] == done[1] == {
                "type": "command_result", "device": "body-1", "id": 5, "ok": True,
                "detail": {"device_time_ms": ANY},
            }  # fmt: skip
            bench.say(type="command", id=6, name="record_on")
            result = await bench.message()
            assert result["ok"]
            assert result["detail"] == {"device_time_ms": ANY, "already": True}
            for number, name, ok in ((7, "buzzer", False), (8, 3, False)):
                bench.say(type="command", id=number, name=name)
                result = await bench.message()
                assert (result["id"], result["ok"]) == (number, ok)
                assert isinstance(result["detail"], dict)
                assert result["detail"]["reason"]

    run(work())


def test_refused_ends_the_repeats_and_foreign_or_bad_lines_do_not(tmp_path: Path) -> None:
    async def work() -> None:
        async with recorder_on_port(tmp_path) as bench:
            bench.recorder.record_on()
            event = await bench.message()
            bench.reader.write(b'{"type":"kept"\n\xff\xfe\n[]\n{"type":"kept","device":"body-2"}\n')
            bench.say(type="kept", boot=1, event=99)
            bench.say(type="kept", boot=1, event=[1])
            bench.say(type="dance")
            bench.say(type="command", id="x", name="mark")
            assert await bench.message() == event
            assert (bench.recorder.malformed, bench.recorder.foreign) == (5, 1)
            bench.say(type="refused", boot=1, event=1, reason="r", remedy="m")
            bench.recorder.mark()
            while (await bench.message())["name"] != "mark":
                pass
            assert (await bench.message())["name"] == "mark"

    run(work())


def test_what_was_not_kept_is_repeated_after_a_restart(tmp_path: Path) -> None:
    async def first() -> Message:
        async with recorder_on_port(tmp_path) as bench:
            bench.recorder.record_on()
            bench.keep(await bench.message())
            bench.recorder.mark()
            while (event := await bench.message())["name"] != "mark":
                pass
            return event

    async def second(unkept: Message) -> None:
        async with recorder_on_port(tmp_path) as bench:
            assert bench.recorder.boot == 2
            assert await bench.message() == unkept
            bench.keep(unkept)
            bench.recorder.record_on()
            while (event := await bench.message())["name"] != "recording_on":
                pass
            assert (event["boot"], event["event"]) == (2, 1)

    run(second(run(first())))


def test_a_reader_that_comes_late_gets_the_event_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with DevicePort(PtyLine()) as port:
            how = RecorderOptions(device="body-1", media=tmp_path, repeat_s=30)
            tell = Control(io.StringIO()).tell
            recorder = Recorder(how, DeviceState(None), port.write, tell, random.Random(1))
            repeating = asyncio.create_task(recorder.repeat())
            recorder.record_on()
            await until(lambda: port.bytes_dropped > 0)
            with Reader(port.line.path) as reader:
                assert json.loads(await reader.line(10))["name"] == "recording_on"
            repeating.cancel()

    run(work())


def test_a_damaged_state_file_is_named(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text('{"boot": "many"}')
    with pytest.raises(InputError, match=r"state\.json.*delete"):
        DeviceState(state)


def test_as_a_process_it_is_controlled_and_scripted(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('{"at_s":0,"do":"record_on"}\n{"at_s":0.05,"do":"record_off"}\n')
    arguments = ["--link", str(tmp_path / "body"), "--script", str(script), "--repeat-s", "0.2"]
    with Emulator("recorder", *arguments) as emulator:
        emulator.event("ready")
        assert [emulator.event("made")["name"] for _ in range(3)] == [
            "recording_on", "recording_off", "file_closed",
        ]  # fmt: skip
        emulator.tell(do="mark")
        assert emulator.event("refused")["reason"] == "not recording"
        with Reader(str(tmp_path / "body")) as reader:
            event = json.loads(run(reader.line()))
            assert event["name"] == "recording_on"
            kept = {"type": "kept", "device": "body-1", "boot": 1, "event": 1}
            reader.write(json.dumps(kept).encode() + b"\n")
            assert emulator.event("kept")["number"] == 1
        assert emulator.end() == 0
    assert not (tmp_path / "body").is_symlink()
