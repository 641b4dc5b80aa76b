"""`./run bench [NAME …]`: each figure beside its budget and its peers, in one run.

0: every bench ran, whatever the verdicts; 1: a bench itself failed; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Final, TypeAlias

from bench import machine
from bench.figure import Figure, print_table, to_json
from bench.options import Options
from demo.processes import Gone
from runtime.faults import OutriderFault
from runtime.log import start as start_log

Bench: TypeAlias = Callable[[Options], Awaitable[list[Figure]]]

BENCHES: Final = {
    "open": ("bench.opening", "open + decode + validate a position, beside raw verifies"),
    "report": ("bench.report", "report leaves the requester → order synced at the terminal"),
    "position": ("bench.position_size", "bytes of a sealed position on the wire, beside others'"),
    "reporting": ("bench.reporting", "messages of prediction, beside distance-and-angle"),
    "track": ("bench.track_size", "bytes a fix of the sealed track"),
    "arrival": ("bench.arrival", "false arrivals by themselves per 100 drive-bys"),
    "agent": ("bench.agent_process", "memory and processor share of an agent, first position"),
    "gnss": ("bench.gnss", "a receiver at 10 Hz with all talkers: the agent's share of a core"),
    "recovery": ("bench.recovery", "agent, matcher, broker: killed and serving again"),
    "uplink": (
        "bench.uplink",
        "cuts and kills: positions lost and doubled, beside paho, a file queue",
    ),
    "backlog": ("bench.backlog", "bytes to the card; eight hours over 1 Mbit/s, live meanwhile"),
    "kills": ("bench.kills", "random kills in the whole system, and what must hold after them"),
}
_EXAMPLE: Final = "example: ./run bench open report --json"


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    if options.list:
        for name, (_, text) in BENCHES.items():
            print(f"{name:10} {text}")
        return 0
    unknown = [name for name in options.name if name not in BENCHES]
    if unknown:
        print(f"bench: no bench {unknown[0]!r}; one of: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    start_log("error")
    try:
        return asyncio.run(_run_all(options))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("./run bench", epilog=_EXAMPLE)
    parser.add_argument(
        "name", nargs="*", help=f"one or more of: {', '.join(BENCHES)} (default: all)"
    )
    parser.add_argument("--list", action="store_true", help="names and what they measure")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, shorter waits")
    parser.add_argument("--seed", type=int, default=1, help="of drawn moments and places")
    return parser


async def _run_all(options: argparse.Namespace) -> int:
    names = options.name or list(BENCHES)
    told = Options(options.quick, options.seed)
    figures: list[Figure] = []
    failed = False
    for name in names:
        module, text = BENCHES[name]
        told.say(f"{name}: {text}")
        run: Bench = import_module(module).run
        try:
            found = await run(told)
        except (Gone, OutriderFault, OSError, ValueError) as fault:
            print(f"bench: {name} failed: {fault}", file=sys.stderr)
            failed = True
            continue
        figures += found
        if not options.json:
            print_table(found, f"{name}: {text}")
    if options.json:
        print(to_json(figures, machine.describe()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
