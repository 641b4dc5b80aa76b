"""`outrider hil board`: the emulated vehicle board's console and command line.

The console carries SMP lines and, with `--chatter`, log text between them, as firmware prints it.
"""

import argparse
import asyncio
import random
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

from hil.board import INPUTS, Board
from hil.control import Command, CommandError, Control, flag, text
from hil.device_state import DeviceState
from hil.faults import PORT_KINDS, FaultSchedule, FaultyOutput, run_faults
from hil.life import add_life_options, first_to_end, run_control, run_to_end
from hil.port import DevicePort
from hil.pty_port import add_port_options, port_from
from hil.smp_codec import ConsoleReader, SmpError, read_frame, to_lines, write_frame

BOOT_S: Final = 0.5
BANNER: Final = "boot: *** firmware ready ***"
KINDS: Final = PORT_KINDS | {"flip"}
LOG_TEXTS: Final = (
    "io: inputs sampled",
    "can: bus idle",
    "power: 12.4 V",
    "net: link quality 61 %",
)

EPILOG = """example:
  outrider hil board --link /tmp/board --chatter
control (stdin): {"do":"input","name":"ignition","on":true}   name: ignition, sos
  {"do":"reset"}   {"do":"fault","kind":"stall","seconds":5}
faults: gap garbage hangup stall, flip (one bit of each answer)
events (stdout): ready reset fault fault_end refused"""


def parser() -> argparse.ArgumentParser:
    """The options of `outrider hil board`."""
    options = argparse.ArgumentParser(
        prog="outrider hil board",
        description="An emulated vehicle board: SMP over a serial console.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--chatter", action="store_true", help="log text between the frames")
    options.add_argument("--state", type=Path, help="file that keeps the boot counter")
    options.add_argument("--clock-offset-ms", type=int, default=0, help="the board's clock")
    add_port_options(options)
    add_life_options(options)
    return options


def main(argv: list[str]) -> int:
    """Runs the board until a signal; returns the exit code."""
    return run_to_end(_run(parser().parse_args(argv)))


class Console:
    """The board's serial console."""

    def __init__(
        self,
        port: DevicePort,
        board: Board,
        faults: FaultSchedule,
        chance: random.Random,
        *,
        chatter: bool = False,
    ) -> None:
        self.board = board
        self.output = FaultyOutput(port, faults, chance)
        self.reset = asyncio.Event()
        self._port, self._faults, self._chance, self._chatter = port, faults, chance, chatter
        self._reader = ConsoleReader()
        self._started_s = time.monotonic()
        self._is_booting = False

    async def run(self) -> None:
        """Answers requests for ever."""
        self._log(BANNER)
        while True:
            chunk = await self._port.read()
            if self._is_booting:
                continue
            for frame in self._reader.feed(chunk):
                self._answer(frame)
            if self.board.reset_asked:
                self.reset.set()

    async def run_resets(self, state: DeviceState, control: Control) -> None:
        """At each reset: half a second deaf and silent, then a new boot."""
        while True:
            await self.reset.wait()
            await self._port.flushed()
            self._is_booting = True
            await asyncio.sleep(BOOT_S)
            self.board.reboot(state.next_boot())
            self._reader = ConsoleReader()
            self._started_s = time.monotonic()
            self._is_booting = False
            self.reset.clear()
            self._log(BANNER)
            control.tell("reset", boot=self.board.boot)

    async def chat(self) -> None:
        """Prints a log line now and then."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.05, 0.4))
            self._log(self._chance.choice(LOG_TEXTS))

    def _answer(self, data: bytes) -> None:
        try:
            answer = self.board.answer(read_frame(data))
        except SmpError:
            return  # firmware drops it too
        if answer is None:
            return
        lines = to_lines(write_frame(answer))
        if self._faults.on("flip"):
            lines = [self._flipped(line) for line in lines]
        for line in lines:
            if self._chance.random() < 0.3:
                self._log(self._chance.choice(LOG_TEXTS))
            self.output.write(line)

    def _flipped(self, line: bytes) -> bytes:
        at = self._chance.randrange(2, len(line) - 1)
        bit = 1 << self._chance.randrange(8)
        return line[:at] + bytes([line[at] ^ bit]) + line[at + 1 :]

    def _log(self, what: str) -> None:
        if not self._chatter or self._is_booting:
            return
        up = timedelta(seconds=time.monotonic() - self._started_s)
        minutes, seconds = divmod(up.seconds, 60)
        stamp = f"[00:{minutes % 60:02}:{seconds:02}.{up.microseconds // 1000:03},000]"
        self.output.write(f"{stamp} <inf> {what}\r\n".encode())


async def _run(options: argparse.Namespace) -> None:
    control = Control()
    faults = FaultSchedule(KINDS, options.fault)
    state = DeviceState(options.state)
    board = Board(state.next_boot(), timedelta(milliseconds=options.clock_offset_ms))
    async with port_from(options) as port:
        chance = random.Random(options.seed)
        console = Console(port, board, faults, chance, chatter=options.chatter)
        _register(control, console, faults)
        control.tell("ready", port=port.line.path)
        await first_to_end(
            console.run(),
            console.chat(),
            run_faults(port, faults, console.output, control),
            console.run_resets(state, control),
            run_control(control, options),
        )


def _register(control: Control, console: Console, faults: FaultSchedule) -> None:
    def set_input(command: Command) -> None:
        name = text(command, "name")
        if name not in INPUTS:
            raise CommandError(f"no input {name!r}", f"give one of {', '.join(INPUTS)}")
        console.board.set_input(name, flag(command, "on"))

    def reset(command: Command) -> None:
        del command
        console.reset.set()

    control.on("input", set_input)
    control.on("reset", reset)
    control.on("fault", faults.take)
