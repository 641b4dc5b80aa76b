"""`outrider hil gnss`: the command line of the GNSS receiver emulator."""

import argparse
import asyncio
import json
import random
from pathlib import Path
from typing import Final

from hil.control import Control, parse_command
from hil.faults import FaultSchedule, run_faults
from hil.gnss import (
    Noise,
    Receiver,
    ReplayOptions,
    RouteDriver,
    RouteOptions,
    replay,
)
from hil.gnss_faults import GNSS_KINDS
from hil.gnss_log import Anchor, read_log
from hil.life import InputError, add_life_options, first_to_end, run_control, run_to_end
from hil.nmea import CONSTELLATIONS, MAKERS
from hil.pty_port import add_port_options, port_from

FOREVER_S: Final = 1e9

EPILOG: Final = """examples:
  outrider hil gnss drive.nmea --link /tmp/gnss --restamp-first
  outrider hil gnss --link /tmp/gnss --at 24.513,117.647 --fault gap@30+10
  echo '{"do":"route","points":[[24.513,117.647],[24.516,117.647]],"speed_mps":14}' |
    outrider hil gnss --link /tmp/gnss --verbose
  outrider hil gnss --link /tmp/gnss --at 24.513,117.647 --baud-real 38400
  outrider hil gnss --link /tmp/gnss --at 24.513,117.647 --hz 10 --baud 115200 \\
    --sentences RMC,GGA,GNS,VTG,GLL,ZDA,GSA,GSV --constellations GP,GL,GA,GB,GQ

control (stdin): {"do":"route","points":[[lat,lon],...],"speed_mps":14,"accel_mps2":2.5}
  {"do":"stop"}   {"do":"fault","kind":"gap","seconds":5}
faults: cut checksum jump nofix gap garbage hangup stall
events (stdout): ready position arrived stopped end fault fault_end refused"""


def parser() -> argparse.ArgumentParser:
    """The options of `outrider hil gnss`."""
    options = argparse.ArgumentParser(
        prog="outrider hil gnss",
        description="An emulated GNSS receiver: replays FILE, or drives a route.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("file", nargs="?", type=Path, help="a log to replay")
    _add_replay_options(options)
    _add_route_options(options)
    options.add_argument("--jump-m", type=float, default=5000.0, help="how far a jump goes")
    add_port_options(options)
    options.add_argument(
        "--baud-real",
        type=_baud,
        metavar="N",
        help="speak at N: a reader at another speed gets what a UART would make of it",
    )
    add_life_options(options)
    return options


def _add_replay_options(options: argparse.ArgumentParser) -> None:
    group = options.add_argument_group("replay")
    group.add_argument(
        "--rate", type=_rate, default=1.0, metavar="X", help="speed; 0: as the reader takes it"
    )
    group.add_argument("--loop", action="store_true", help="begin again at the end")
    group.add_argument(
        "--restamp", action="store_true", help="shift all times: the last epoch is now"
    )
    group.add_argument(
        "--restamp-first", action="store_true", help="shift all times: the first epoch is now"
    )
    group.add_argument("--no-wait", action="store_true", help="begin before anyone reads")
    group.add_argument(
        "--hold-s", type=float, metavar="S", help="end S seconds after the log (default: stay)"
    )


def _add_route_options(options: argparse.ArgumentParser) -> None:
    group = options.add_argument_group("route")
    group.add_argument("--route", type=Path, help='{"points": [[lat, lon], ...], ...} or points')
    group.add_argument("--at", type=_place, metavar="LAT,LON", help="where the vehicle stands")
    group.add_argument("--hz", type=_hz, default=1.0, help="epochs a second, 0.1 to 10")
    group.add_argument("--talker", default="GN", choices=["GN", "GP", "GL", "GA", "GB"])
    group.add_argument(
        "--sentences", type=_types, default="RMC,GGA,GSA,VTG", help=f"of {','.join(MAKERS)}"
    )
    group.add_argument(
        "--constellations",
        type=_constellations,
        default=(),
        metavar="GP,GL,…",
        help=f"GSA and GSV for each of {','.join(CONSTELLATIONS)}",
    )
    group.add_argument("--noise-m", type=float, default=0.0, help="position error, one sigma")
    group.add_argument("--latency-ms", type=float, default=0.0, help="from epoch to first byte")
    group.add_argument("--verbose", action="store_true", help="tell the position once a second")


def _rate(value: str) -> float:
    rate = float(value)
    if not 0 <= rate <= 1000:
        raise argparse.ArgumentTypeError(f"{value}: give 0 to 1000")
    return rate


def _hz(value: str) -> float:
    hz = float(value)
    if not 0.1 <= hz <= 10:
        raise argparse.ArgumentTypeError(f"{value}: give 0.1 to 10")
    return hz


def _place(value: str) -> tuple[float, float]:
    lat, lon = (float(part) for part in value.split(","))
    if not (-89 <= lat <= 89 and -180 <= lon <= 180):
        raise argparse.ArgumentTypeError(f"{value}: give LAT,LON in degrees")
    return lat, lon


def _types(value: str) -> tuple[str, ...]:
    types = tuple(value.upper().split(","))
    if unknown := [name for name in types if name not in MAKERS]:
        raise argparse.ArgumentTypeError(f"no sentence {unknown[0]}: give of {','.join(MAKERS)}")
    return types


def _constellations(value: str) -> tuple[str, ...]:
    talkers = tuple(value.upper().split(","))
    if unknown := [name for name in talkers if name not in CONSTELLATIONS]:
        known = ",".join(CONSTELLATIONS)
        raise argparse.ArgumentTypeError(f"no constellation {unknown[0]}: give of {known}")
    return talkers


def _baud(value: str) -> int:
    baud = int(value)
    if not 1200 <= baud <= 921_600:
        raise argparse.ArgumentTypeError(f"{value}: give 1200 to 921600")
    return baud


def main(argv: list[str]) -> int:
    """Runs the receiver until a signal, or `--hold-s` after the log; returns the exit code."""
    options = parser().parse_args(argv)
    return run_to_end(_run(options))


async def _run(options: argparse.Namespace) -> None:
    control = Control()
    chance = random.Random(options.seed)
    faults = FaultSchedule(GNSS_KINDS, options.fault)
    control.on("fault", faults.take)
    lines = read_log(options.file) if options.file else []
    async with port_from(options, baud_real=options.baud_real) as port:
        receiver = Receiver(port, faults, chance, options.jump_m)
        work = (
            _replay(receiver, lines, options, control)
            if options.file
            else _driver(receiver, options, control).run()
        )
        control.tell("ready", port=port.line.path)
        await first_to_end(
            work,
            receiver.forget_input(),
            run_faults(port, faults, receiver.output, control),
            run_control(control, options),
        )


async def _replay(
    receiver: Receiver, lines: list[bytes], options: argparse.Namespace, control: Control
) -> None:
    anchor: Anchor | None = "last" if options.restamp else None
    how = ReplayOptions(
        rate=options.rate,
        loop=options.loop,
        restamp="first" if options.restamp_first else anchor,
        wait_reader=not options.no_wait,
    )
    await replay(receiver, lines, how, control)
    await asyncio.sleep(options.hold_s if options.hold_s is not None else FOREVER_S)


def _driver(receiver: Receiver, options: argparse.Namespace, control: Control) -> RouteDriver:
    how = RouteOptions(
        hz=options.hz,
        talker=options.talker,
        types=options.sentences,
        constellations=options.constellations,
        latency_s=options.latency_ms / 1000,
        verbose=options.verbose,
    )
    noise = Noise(options.noise_m, random.Random(options.seed))
    driver = RouteDriver(receiver, how, noise, control, options.at)
    if options.route:
        driver.take_route(parse_command(_route_text(options.route)))
    return driver


def _route_text(path: Path) -> str:
    """The route file as a command; a bare list is its points. Raises `InputError`."""
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise InputError(f"{path}: {cause}; give JSON with points") from cause
    return json.dumps({"points": parsed} if isinstance(parsed, list) else parsed)
