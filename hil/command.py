"""`outrider hil DEVICE …`: picks the emulator and hands it the rest of the command line.

Only the chosen emulator is imported, so that it starts fast and stays small.
Exit codes: 0 ended, 1 bad input or a port that cannot be opened, 2 wrong usage.
Called by the `outrider` command and by `python -m hil`.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, cast

DEVICES: Final[Mapping[str, tuple[str, str]]] = {
    "gnss": ("hil.gnss_command", "a GNSS receiver: replays a log or drives a route"),
    "board": ("hil.board_command", "a vehicle board: SMP over a serial console"),
    "recorder": ("hil.recorder_command", "an officer's recorder: newline JSON"),
    "proxy": ("hil.proxy_command", "a TCP proxy with faults"),
}

USAGE: Final = "\n".join(
    [
        "usage: outrider hil DEVICE [options]   (outrider hil DEVICE --help for more)",
        "",
        "Emulated devices on real ports. Control: one JSON object a line on stdin;",
        "events: one JSON object a line on stdout.",
        "",
        *(f"  {name:10}{purpose}" for name, (_, purpose) in DEVICES.items()),
        "",
        "example: outrider hil gnss --link /tmp/gnss --at 24.513,117.647",
        "",
    ]
)


def main(argv: list[str]) -> int:
    """Runs one emulator until it ends or is told to (SIGTERM, SIGINT); returns the exit code."""
    if not argv or argv[0] in {"-h", "--help"}:
        (sys.stdout if argv else sys.stderr).write(USAGE)
        return 0 if argv else 2
    if argv[0] not in DEVICES:
        known = ", ".join(DEVICES)
        sys.stderr.write(f"outrider hil: no device {argv[0]!r}; give one of {known}\n")
        return 2
    run = cast("Callable[[list[str]], int]", vars(import_module(DEVICES[argv[0]][0]))["main"])
    try:
        return run(argv[1:])
    except SystemExit as ended:  # argparse: 0 after --help, 2 after wrong usage
        return ended.code if isinstance(ended.code, int) else 2
