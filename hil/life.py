"""An emulator's life: starts its tasks, ends on a signal or when one of them ends it.

Called by each device's `main`. A fault of the input gives one line on stderr and exit code 1.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Final

from hil.control import CommandError, Control, load_script
from hil.faults import parse_plan
from hil.port import PortError


class InputError(Exception):
    """What was given cannot be used; the message names place, value and remedy."""


_INPUT_FAULTS: Final = (InputError, CommandError, PortError)


def add_life_options(parser: argparse.ArgumentParser) -> None:
    """The options that every emulated device shares."""
    parser.add_argument(
        "--fault",
        type=parse_plan,
        action="append",
        default=[],
        metavar="KIND@START_S+SECONDS",
        help="a fault at a time; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=1, help="of all chance in here (default 1)")
    add_control_options(parser)


def add_control_options(parser: argparse.ArgumentParser) -> None:
    """Where commands come from."""
    group = parser.add_argument_group("control")
    group.add_argument("--script", type=Path, help="commands with at_s, one JSON object a line")
    group.add_argument(
        "--end-at-eof", action="store_true", help="end when stdin ends (the parent died)"
    )


def run_to_end(life: Coroutine[object, object, None]) -> int:
    """Runs until it returns, SIGTERM or SIGINT; returns the exit code."""
    try:
        asyncio.run(_until_signal(life))
    except* _INPUT_FAULTS as faults:
        first = faults.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        sys.stderr.write(f"outrider hil: {first}\n")
        return_code = 1
    except* BrokenPipeError:
        return_code = 0  # nobody listens to our events any more
    else:
        return_code = 0
    return return_code


async def _until_signal(life: Coroutine[object, object, None]) -> None:
    task = asyncio.ensure_future(life)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


async def first_to_end(*lives: Coroutine[object, object, None]) -> None:
    """Runs all until the first returns (then the others are cancelled) or one fails."""
    ended = asyncio.Event()

    async def watched(life: Coroutine[object, object, None]) -> None:
        await life
        ended.set()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watched(life)) for life in lives]
        group.create_task(_cancel_after(ended, tasks))


async def _cancel_after(ended: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    await ended.wait()
    for task in tasks:
        task.cancel()


async def run_control(control: Control, options: argparse.Namespace) -> None:
    """Takes commands from stdin and from `--script`; returns only for `--end-at-eof`."""
    script = load_script(options.script) if options.script else []
    stdin = control.run_stdin(end_at_eof=options.end_at_eof)
    await first_to_end(stdin, control.run_script(script))
