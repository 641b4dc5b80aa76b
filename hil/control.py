"""How an emulator is told what to do, and tells what happens.

In: one JSON object a line on stdin, `{"do": "fault", "kind": "gap", "seconds": 5}`, or the same
objects with `"at_s"` (seconds from start) in a script file. Out: one JSON object a line on
stdout, `{"event": "ready", ...}`. A command that cannot be done is answered
`{"event": "refused", "reason": ..., "remedy": ...}` and nothing else changes.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TextIO

Command = Mapping[str, object]

LINE_BYTES_MAX: Final = 1024 * 1024  # a long route is one line
SCRIPT_COMMANDS_MAX: Final = 100_000
STDIN: Final = 0


class CommandError(Exception):
    """A command that cannot be done: what was wrong, what to give instead."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


def number(
    command: Command, name: str, low: float, high: float, default: float | None = None
) -> float:
    """`command[name]` as a number within low..high; raises `CommandError`."""
    value = command.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise CommandError(f"{name} is {value!r}", f"give a number from {low} to {high}")
    return float(value)


def text(command: Command, name: str) -> str:
    """`command[name]` as a string; raises `CommandError`."""
    value = command.get(name)
    if not isinstance(value, str):
        raise CommandError(f"{name} is {value!r}", "give a string")
    return value


def flag(command: Command, name: str, default: bool | None = None) -> bool:
    """`command[name]` as true or false; raises `CommandError`."""
    value = command.get(name, default)
    if not isinstance(value, bool):
        raise CommandError(f"{name} is {value!r}", "give true or false")
    return value


def parse_command(line: str | bytes) -> Command:
    """One JSON object; raises `CommandError`."""
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError) as cause:
        raise CommandError(f"not JSON: {cause}", 'give {"do": ...} on one line') from cause
    if not isinstance(parsed, dict):
        raise CommandError("not a JSON object", 'give {"do": ...} on one line')
    return parsed


class Control:
    """Takes commands from stdin and from a script, tells events on stdout."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._verbs: dict[str, Callable[[Command], None]] = {}
        self.refused = 0

    def on(self, verb: str, handle: Callable[[Command], None]) -> None:
        """`handle` does what `{"do": verb}` asks for; it may raise `CommandError`."""
        self._verbs[verb] = handle

    def tell(self, event: str, **fields: object) -> None:
        """Writes one event line. A closed stdout is the parent's end, so ours too."""
        self._out.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
        self._out.flush()

    def take(self, line: str | bytes) -> None:
        """Does one command line, or tells why not."""
        if not line.strip():
            return
        try:
            command = parse_command(line)
            self._handler(command)(command)
        except CommandError as fault:
            self.refused += 1
            self.tell("refused", reason=fault.reason, remedy=fault.remedy)

    def _handler(self, command: Command) -> Callable[[Command], None]:
        verb = text(command, "do")
        if verb not in self._verbs:
            known = ", ".join(sorted(self._verbs))
            raise CommandError(f"cannot do {verb!r}", f"give one of {known}")
        return self._verbs[verb]

    async def run_stdin(self, fd: int = STDIN, *, end_at_eof: bool = False) -> None:
        """Takes lines until the end of input; then waits for ever, or returns if `end_at_eof`."""
        partial = b""
        while data := await _read_ready(fd):
            *lines, partial = (partial + data).split(b"\n")
            for line in lines:
                self.take(line)
            if len(partial) > LINE_BYTES_MAX:
                partial = b""
                self.refused += 1
                self.tell("refused", reason="line too long", remedy="give at most 1 MiB a line")
        self.take(partial)
        if not end_at_eof:
            await asyncio.Event().wait()

    async def run_script(self, script: list[tuple[float, str]]) -> None:
        """Does each line of the script at its time, counted from now."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        for at_s, line in script:
            await asyncio.sleep(max(0.0, started_s + at_s - loop.time()))
            self.take(line)
        await asyncio.Event().wait()


def load_script(path: Path) -> list[tuple[float, str]]:
    """Reads a script, one command with `at_s` a line; raises `CommandError` naming the line."""
    script: list[tuple[float, str]] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[:SCRIPT_COMMANDS_MAX]
    except (OSError, UnicodeDecodeError) as cause:
        raise CommandError(f"{path}: {cause}", "give a readable --script") from cause
    for place, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            at_s = number(parse_command(line), "at_s", 0, 1e9)
        except CommandError as fault:
            raise CommandError(f"{path} line {place}: {fault.reason}", fault.remedy) from fault
        script.append((at_s, line))
    return sorted(script, key=lambda entry: entry[0])


async def _read_ready(fd: int) -> bytes:
    """Reads what is there, waiting on the loop; files and /dev/null are read at once."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(fd, lambda: None if ready.done() else ready.set_result(None))
    except PermissionError:  # the selector takes no regular files
        return os.read(fd, LINE_BYTES_MAX)
    try:
        await ready
    finally:
        loop.remove_reader(fd)
    return os.read(fd, 65536)
