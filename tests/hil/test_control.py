"""Commands in, events out."""

import asyncio
import io
import json
import os
from pathlib import Path

import pytest

from hil.control import Command, CommandError, Control, flag, load_script, number, text
from tests.hil.helpers import run, until


def control() -> tuple[Control, io.StringIO, list[Command]]:
    out, done = io.StringIO(), list[Command]()
    made = Control(out)
    made.on("turn", done.append)
    return made, out, done


def told(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    "line", ["{", "[]", "3", '"do"', "{}", '{"do":3}', '{"do":"fly"}', b"\xff\xfe", "[" * 100_000]
)
def test_a_wrong_command_is_told_and_harms_nothing(line: str | bytes) -> None:
    made, out, done = control()
    made.take(line)
    made.take('{"do":"turn","n":1}')
    assert [event["event"] for event in told(out)] == ["refused"]
    assert set(told(out)[0]) == {"event", "reason", "remedy"}
    assert made.refused == 1
    assert len(done) == 1


def test_fields_are_checked() -> None:
    command: Command = {"a": 1, "b": "x", "c": True}
    assert number(command, "a", 0, 2) == 1.0
    assert number(command, "z", 0, 2, 1.5) == 1.5
    assert text(command, "b") == "x"
    assert flag(command, "c") is True
    for name, low in (("b", 0), ("c", 0), ("a", 2), ("z", 0)):
        with pytest.raises(CommandError, match=f"{name} is"):
            number(command, name, low, 3)
    with pytest.raises(CommandError, match="string"):
        text(command, "a")
    with pytest.raises(CommandError, match="true or false"):
        flag(command, "a")


def test_stdin_in_any_chunking_and_its_end() -> None:
    made, _, done = control()

    async def work() -> None:
        reading, writing = os.pipe()
        task = asyncio.create_task(made.run_stdin(reading, end_at_eof=True))
        for chunk in (b'{"do":"tu', b'rn"}\n\n{"do":"turn"}\n{"do":', b'"turn"}'):
            os.write(writing, chunk)
            await asyncio.sleep(0)
        os.close(writing)
        await task
        os.close(reading)

    run(work())
    assert len(done) == 3


def test_a_file_or_nothing_as_stdin(tmp_path: Path) -> None:
    made, _, done = control()
    commands = tmp_path / "commands"
    commands.write_text('{"do":"turn"}\n' * 5)

    async def work(path: str) -> None:
        fd = os.open(path, os.O_RDONLY)
        await made.run_stdin(fd, end_at_eof=True)
        os.close(fd)

    run(work(str(commands)))
    run(work(os.devnull))
    assert len(done) == 5


def test_a_script_runs_in_order_of_its_times(tmp_path: Path) -> None:
    made, _, done = control()
    script = tmp_path / "script"
    script.write_text(
        '# a comment\n{"at_s":0.06,"do":"turn","n":2}\n\n{"at_s":0.01,"do":"turn","n":1}\n'
    )

    async def work() -> float:
        started_s = asyncio.get_running_loop().time()
        task = asyncio.create_task(made.run_script(load_script(script)))
        await until(lambda: len(done) == 2)
        task.cancel()
        return asyncio.get_running_loop().time() - started_s

    assert run(work()) >= 0.06
    assert [command["n"] for command in done] == [1, 2]


def test_a_wrong_script_names_file_and_line(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('{"at_s":1,"do":"turn"}\n{"do":"turn"}\n')
    with pytest.raises(CommandError, match=r"script line 2: at_s is None"):
        load_script(script)
    with pytest.raises(CommandError, match="readable"):
        load_script(tmp_path / "none")
