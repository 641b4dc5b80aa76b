"""`outrider hil proxy`: the command line of the TCP fault proxy."""

import argparse
from typing import Final

from hil.control import Command, CommandError, Control, flag, number, text
from hil.life import InputError, add_control_options, run_control, run_to_end
from hil.tcp_proxy import LOOPBACK, TcpProxy

SECONDS_MAX: Final = 3600.0
BYTES_MAX: Final = 1e12

EPILOG = """example:
  outrider hil proxy --target 127.0.0.1:8883
control (stdin), one JSON object a line; up, down: true or false, both true where left out:
  {"do":"cut"} {"do":"heal"} {"do":"refuse"} {"do":"half_open","told":"target"}
  {"do":"black_hole","up":true,"down":false} {"do":"stall"} {"do":"delay","seconds":0.3}
  {"do":"rate_limit","bytes_per_s":125000} {"do":"dribble","bytes":1,"gap_s":0.01}
  {"do":"flip_bit","byte":100,"bit":3,"up":true} {"do":"count"}
events (stdout): ready count refused"""


def parser() -> argparse.ArgumentParser:
    """The options of `outrider hil proxy`."""
    options = argparse.ArgumentParser(
        prog="outrider hil proxy",
        description="A TCP proxy on loopback that injects network faults.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument(
        "--target", type=_target, required=True, metavar="HOST:PORT", help="where to forward to"
    )
    options.add_argument(
        "--listen", type=int, default=0, metavar="PORT", help="default: a free one"
    )
    add_control_options(options)
    return options


def _target(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{value!r}: give HOST:PORT")
    return host or LOOPBACK, int(port)


def main(argv: list[str]) -> int:
    """Runs the proxy until a signal; returns the exit code."""
    return run_to_end(_run(parser().parse_args(argv)))


async def _run(options: argparse.Namespace) -> None:
    control = Control()
    host, port = options.target
    try:
        async with TcpProxy(port, host, options.listen) as proxy:
            register(control, proxy)
            control.tell("ready", port=proxy.port)
            await run_control(control, options)
    except OSError as cause:
        raise InputError(f"port {options.listen}: {cause}; give another --listen") from cause


def register(control: Control, proxy: TcpProxy) -> None:
    """Every fault of the proxy as a command."""

    def ways(command: Command) -> dict[str, bool]:
        return {"up": flag(command, "up", True), "down": flag(command, "down", True)}

    def half_open(command: Command) -> None:
        told = text({"told": "target", **command}, "told")
        if told not in {"client", "target"}:
            raise CommandError(f"told is {told!r}", "give client or target")
        proxy.half_open("client" if told == "client" else "target")

    def flip_bit(command: Command) -> None:
        byte, bit = number(command, "byte", 0, BYTES_MAX), number(command, "bit", 0, 7, 0)
        proxy.flip_bit(int(byte), int(bit), up=flag(command, "up", True))

    def dribble(command: Command) -> None:
        piece_bytes = int(number(command, "bytes", 1, 65536, 1))
        gap_s = number(command, "gap_s", 0, SECONDS_MAX, 0.01)
        proxy.dribble(piece_bytes, gap_s, **ways(command))

    def count(command: Command) -> None:
        del command
        control.tell(
            "count",
            connections=proxy.connections,
            accepted=proxy.accepted,
            bytes_up=proxy.up.bytes_passed,
            bytes_down=proxy.down.bytes_passed,
        )

    control.on("cut", lambda _: proxy.cut())
    control.on("heal", lambda _: proxy.heal())
    control.on("refuse", lambda _: proxy.refuse())
    control.on("half_open", half_open)
    control.on("black_hole", lambda command: proxy.black_hole(**ways(command)))
    control.on("stall", lambda command: proxy.stall(**ways(command)))
    control.on(
        "delay",
        lambda command: proxy.delay(number(command, "seconds", 0, SECONDS_MAX), **ways(command)),
    )
    control.on(
        "rate_limit",
        lambda command: proxy.rate_limit(
            number(command, "bytes_per_s", 1, BYTES_MAX), **ways(command)
        ),
    )
    control.on("dribble", dribble)
    control.on("flip_bit", flip_bit)
    control.on("count", count)
