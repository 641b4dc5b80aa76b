"""When faults are on, and what they do to the bytes at the rim."""

import argparse
import asyncio
import contextlib
import io
import json
import random
from collections.abc import AsyncIterator, Callable

import pytest

from hil.control import CommandError, Control
from hil.faults import PORT_KINDS, Fault, FaultSchedule, FaultyOutput, parse_plan, run_faults
from hil.port import DevicePort
from hil.pty_port import PtyLine
from tests.hil.helpers import Reader, run, until

LINE = b"$GPTXT,hello*00\r\n"
Write = Callable[[bytes], int]


def test_a_plan_is_read() -> None:
    assert parse_plan("gap@10+5") == Fault("gap", 10, 5)
    assert parse_plan("hang-up@0.5+1.5") == Fault("hangup", 0.5, 1.5)
    assert parse_plan("no_fix@3") == Fault("nofix", 3, 1)
    for wrong in ("gap", "gap@", "gap@-1", "@3", "gap@1+", "gap@1+2+3"):
        with pytest.raises(argparse.ArgumentTypeError, match="gap@10"):
            parse_plan(wrong)


def test_faults_are_on_in_their_time_only() -> None:
    now_s = 100.0
    faults = FaultSchedule(PORT_KINDS, [Fault("gap", 2, 3), Fault("stall", 4, 2)], lambda: now_s)
    seen = {}
    for second in range(8):
        now_s = 100.0 + second
        seen[second] = faults.on_now()
    assert seen == {
        0: set(), 1: set(), 2: {"gap"}, 3: {"gap"}, 4: {"gap", "stall"}, 5: {"stall"},
        6: set(), 7: set(),
    }  # fmt: skip
    faults.restart()
    assert not faults.on("gap")
    now_s += 2
    assert faults.on("gap")
    faults.begin("hang-up", 2)
    assert faults.on_now() == {"gap", "hangup"}
    faults.begin("gap", 0)
    assert faults.on_now() == {"hangup"}


def test_an_unknown_fault_or_duration_is_refused() -> None:
    with pytest.raises(CommandError, match="give one of gap, garbage, hangup, stall"):
        FaultSchedule(PORT_KINDS, [Fault("cut", 1, 1)])
    faults = FaultSchedule(PORT_KINDS, [])
    for wrong in ({"kind": "flood"}, {"kind": 3}, {"kind": "gap", "seconds": "long"}, {}):
        with pytest.raises(CommandError):
            faults.take(wrong)
    assert faults.on_now() == set()


@contextlib.asynccontextmanager
async def faulty_port(out: io.StringIO) -> AsyncIterator[tuple[Reader, FaultSchedule, Write]]:
    """A port with a reader, its faults, and what writes through them."""
    async with DevicePort(PtyLine()) as port:
        faults = FaultSchedule(PORT_KINDS, [])
        output = FaultyOutput(port, faults, random.Random(7))
        supervisor = asyncio.create_task(run_faults(port, faults, output, Control(out)))
        with Reader(port.line.path) as reader:
            await port.wait_reader(0)
            yield reader, faults, output.write
        await until(lambda: port.is_up)
        supervisor.cancel()


def test_garbage_adds_and_overwrites_bytes() -> None:
    async def work() -> None:
        async with faulty_port(io.StringIO()) as (reader, faults, write):
            faults.begin("garbage", 30)
            taken = write(LINE * 20)
            spoilt = await reader.until(lambda got: len(got) >= taken)
            assert len(spoilt) > len(LINE * 20)
            assert spoilt[-len(LINE * 20) :] != LINE * 20

    run(work())


def test_a_gap_loses_bytes_and_tells_its_begin_and_end() -> None:
    out = io.StringIO()

    async def work() -> None:
        async with faulty_port(out) as (reader, faults, write):
            faults.begin("gap", 0.1)
            assert write(b"never\n") == 0
            await until(lambda: "fault_end" in out.getvalue())
            write(b"again\n")
            assert await reader.line() == b"again"

    run(work())
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert told == [{"event": "fault", "kind": "gap"}, {"event": "fault_end", "kind": "gap"}]


def test_a_stall_freezes_in_the_middle_and_bursts_afterwards() -> None:
    out = io.StringIO()

    async def work() -> None:
        async with faulty_port(out) as (reader, faults, write):
            faults.begin("stall", 0.3)
            write(b"first half, second half\n")
            write(b"next\n")
            half = await reader.until(lambda got: len(got) >= 12)
            assert half == b"first half, "
            assert "fault_end" not in out.getvalue()
            assert await reader.line() == b"second half"
            assert await reader.line() == b"next"

    run(work())


def test_a_hang_up_ends_the_port_and_a_new_one_is_told() -> None:
    out = io.StringIO()

    async def work() -> None:
        async with faulty_port(out) as (reader, faults, _):
            faults.begin("hangup", 0.2)
            with pytest.raises(OSError, match=r"hung up|Input/output"):
                await reader.line()
            await until(lambda: '"event": "ready"' in out.getvalue())

    run(work())
