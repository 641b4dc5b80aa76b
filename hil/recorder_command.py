"""`outrider hil recorder`: the command line of the emulated recorder."""

import argparse
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from hil.control import Command, CommandError, Control
from hil.device_state import DeviceState
from hil.faults import PORT_KINDS, FaultSchedule, FaultyOutput, run_faults
from hil.life import add_life_options, first_to_end, run_control, run_to_end
from hil.port import DevicePort
from hil.pty_port import add_port_options, port_from
from hil.recorder import Message, Recorder, RecorderOptions

EPILOG = """example:
  outrider hil recorder --link /tmp/body-1 --device body-1 --state /tmp/body-1.json
control (stdin): {"do":"record_on"} {"do":"mark"} {"do":"record_off"}
  {"do":"fault","kind":"hangup","seconds":5}
faults: gap garbage hangup stall
events (stdout): ready made kept refused fault fault_end"""


def parser() -> argparse.ArgumentParser:
    """The options of `outrider hil recorder`."""
    options = argparse.ArgumentParser(
        prog="outrider hil recorder",
        description="An emulated officer's recorder: newline JSON over a serial line.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--device", default="body-1", help="its name (default body-1)")
    options.add_argument("--state", type=Path, help="file: boot counter and events not yet kept")
    options.add_argument("--media", type=Path, help="folder of its files (default: a new one)")
    options.add_argument("--file-bytes", type=int, default=65_536, help="size of a recording")
    options.add_argument("--clock-offset-ms", type=int, default=0, help="how wrong its clock is")
    options.add_argument("--no-clock", action="store_true", help="device_time_ms is null")
    options.add_argument("--repeat-s", type=float, default=2.0, help="first wait for kept")
    options.add_argument("--repeat-max-s", type=float, default=30.0, help="longest wait for kept")
    add_port_options(options)
    add_life_options(options)
    return options


def main(argv: list[str]) -> int:
    """Runs the recorder until a signal; returns the exit code."""
    options = parser().parse_args(argv)
    if options.media:
        return run_to_end(_run(options, options.media))
    with tempfile.TemporaryDirectory(prefix="recorder-") as media:
        return run_to_end(_run(options, Path(media)))


async def _run(options: argparse.Namespace, media: Path) -> None:
    control = Control()
    faults = FaultSchedule(PORT_KINDS, options.fault)
    chance = random.Random(options.seed)
    async with port_from(options) as port:
        output = FaultyOutput(port, faults, chance)
        how = RecorderOptions(
            device=options.device,
            media=media,
            file_bytes=options.file_bytes,
            clock_offset_ms=options.clock_offset_ms,
            has_clock=not options.no_clock,
            repeat_s=options.repeat_s,
            repeat_max_s=options.repeat_max_s,
        )
        state = DeviceState(options.state)
        recorder = Recorder(how, state, output.write, control.tell, chance)
        _register(control, recorder, faults)
        control.tell("ready", port=port.line.path, boot=recorder.boot)
        await first_to_end(
            recorder.repeat(),
            _listen(port, recorder),
            run_faults(port, faults, output, control),
            run_control(control, options),
        )


async def _listen(port: DevicePort, recorder: Recorder) -> None:
    while True:
        recorder.receive(await port.read())


def _register(control: Control, recorder: Recorder, faults: FaultSchedule) -> None:
    def by_wearer(act: Callable[[], Message]) -> Callable[[Command], None]:
        def handle(command: Command) -> None:
            del command
            try:
                act()
            except ValueError as cause:
                raise CommandError(str(cause), "see record_on, record_off") from cause

        return handle

    control.on("record_on", by_wearer(recorder.record_on))
    control.on("record_off", by_wearer(recorder.record_off))
    control.on("mark", by_wearer(recorder.mark))
    control.on("fault", faults.take)
