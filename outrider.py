"""The `outrider` command: finds the part that owns a subcommand and hands it the arguments.

A table and nothing else: each part owns its options, its `--help` and its error lines, so a command
line framework here would only stand in front of theirs (typer costs every daemon 70 ms of start and
7 MB). No part is imported before its subcommand is called.

Exit codes: what the part returns (0 success, 1 negative verdict or bad input, 2 wrong usage, 78 a
daemon's configuration fault); 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSION: Final = "0.1.0"
WRONG_USAGE: Final = 2
FAILED: Final = 1
INTERRUPTED: Final = 130


class Command(NamedTuple):
    """One subcommand: the words that name it, the module whose `main` takes it, one line of help.

    A daemon's `main(config: Path)` gets the file; any other `main(argv: list[str])` gets the
    arguments after the first `words_consumed` words, untouched.
    """

    words: tuple[str, ...]
    module: str
    arguments: str
    help: str
    words_consumed: int = 1
    daemon: bool = False


def _daemon(name: str, module: str, text: str) -> Command:
    return Command((name, "run"), module, "--config FILE", text, words_consumed=2, daemon=True)


def _crew(verb: str, arguments: str, text: str) -> Command:
    return Command(("agent", verb), "agent.crew_command", arguments, text)


def _matcher(verb: str, arguments: str, text: str) -> Command:
    return Command(("matcher", verb), "matcher.command", arguments, text)


def _part(name: str, module: str, arguments: str, text: str) -> Command:
    return Command((name,), module, arguments, text)


def _single(name: str, verb: str, module: str, arguments: str, text: str) -> Command:
    return Command((name, verb), module, arguments, text, words_consumed=2)


COMMANDS: Final[tuple[Command, ...]] = (
    _daemon("agent", "agent.app", "the terminal's daemon"),
    _crew("logon", "--unit U --crew N,N", "bind unit and crew for a shift"),
    _crew("logoff", "", "end the shift"),
    _crew("set", "STATUS [--reason CODE]", "the unit's status"),
    _crew("answer", "ORDER WORD", "accept, decline, en-route, on-scene, clear"),
    _crew("reply", "MESSAGE [CODE]", "a message is read, or answered"),
    _crew("status", "", "what the terminal knows"),
    _daemon("bridge", "firmware_bridge.app", "the daemon beside firmware that others wrote"),
    _single("device", "send", "firmware_bridge.device_command", "KIND …", "a device event by hand"),
    _daemon("matcher", "matcher.app", "the centre's daemon"),
    _matcher("replay", "--config FILE", "the state's hash from the journal"),
    _matcher("verify", "--config FILE", "the journal's chain and invariants"),
    _matcher("explain", "ORDER --config FILE", "why this unit was sent"),
    _matcher("board", "--config FILE [--html FILE]", "the board as text or a page"),
    _matcher("statistics", "--config FILE [--by GROUP]", "the figures of a period"),
    _matcher("audit", "--reason TEXT --config FILE", "an incident's, unit's, person's story"),
    _single(
        "matcher",
        "lists",
        "matcher.broker.check_command",
        "--folder DIR --root PEM",
        "may the broker read its lists",
    ),
    _part("request", "manager.request", "VERB … --config FILE", "a manager's sealed request"),
    Command(
        ("report", "replay"),
        "agent.report_replay",
        "FILE …",
        "what a reporting policy sends for a recorded drive, and how wrong its watcher is",
        words_consumed=2,
    ),
    Command(
        ("authority", "provision"),
        "authority.provision",
        "MEMBERS …",
        "a throw-away authority with many members: for demos and tests",
        words_consumed=2,
    ),
    _part("authority", "authority.command", "ACT …", "invite, approve, rotate, revoke, list"),
    _part("enrol", "authority.enrol_command", "request|install …", "a device's own side of that"),
    _single("gnss", "decode", "agent.gnss_decode", "FILE|-", "receiver bytes to epochs"),
    _single("cose", "verify", "protocol.cose_command", "--key KEY FILE", "anyone's COSE_Sign1"),
    _single("message", "open", "protocol.message_command", "--key PUB.pem FILE", "one envelope"),
    _part("doctor", "doctor.command", "[--config FILE]", "what is wrong here, and the remedy"),
    _single(
        "evidence",
        "export",
        "matcher.evidence.command",
        "--order ID|--from T --to T --out FILE",
        "an order or a time as sealed evidence",
    ),
    _single("evidence", "verify", "protocol.evidence_command", "FILE", "is an export unaltered"),
    _part("codebook", "protocol.codebook_command", "check|show|print …", "codes and plans"),
    _part("hil", "hil.command", "gnss|board|recorder …", "an emulated device"),
    _part("demo", "demo.command", "[--seconds N] [--json]", "the whole system, for real"),
)

EXAMPLE: Final = "example: outrider matcher explain o-1-17 --config /etc/outrider/matcher.toml"
HELP_WORDS: Final = frozenset({"--help", "-h", "help"})
REQUIREMENTS_OF: Final = {
    "agent": "agent",
    "firmware_bridge": "bridge",
    "demo": "demo",
    "hil": "demo",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; `argv` is without the program's name, by default the process's own."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code


def _dispatch(arguments: list[str]) -> int:
    if not arguments:
        return _usage_fault("which command? They are:\n" + _listing(COMMANDS))
    if arguments[0] in HELP_WORDS:
        return _say(_listing(COMMANDS))
    if arguments[0] == "--version":
        return _say(f"outrider {VERSION}")
    group = [command for command in COMMANDS if command.words[0] == arguments[0]]
    for command in group:
        if tuple(arguments[: len(command.words)]) == command.words:
            return _run(command, arguments[command.words_consumed :])
    if group and HELP_WORDS & set(arguments[1:2]):
        return _say(_listing(group))
    return _usage_fault(_unknown(arguments, group))


def _run(command: Command, arguments: list[str]) -> int:
    if command.daemon:
        return _run_daemon(command, arguments)
    part_main: Callable[[list[str]], int] | None = _import_main(command)
    return FAILED if part_main is None else part_main(arguments)


def _run_daemon(command: Command, arguments: list[str]) -> int:
    usage = f"usage: outrider {' '.join(command.words)} --config FILE"
    if HELP_WORDS & set(arguments):
        name = command.words[0]
        example = f"example: outrider {name} run --config /etc/outrider/{name}.toml"
        return _say(f"{usage}\n\n{command.help}\n\n{example}")
    match arguments:
        case ["--config", file]:
            config = Path(file)
        case [option] if option.startswith("--config=") and option != "--config=":
            config = Path(option.removeprefix("--config="))
        case _:
            return _usage_fault(f"{usage} (got: {' '.join(arguments) or 'nothing'})")
    daemon_main: Callable[[Path], int] | None = _import_main(command)
    return FAILED if daemon_main is None else daemon_main(config)


def _import_main(command: Command) -> Any:
    """The part's `main`; None, with the reason said, where this environment has not got it."""
    try:
        return import_module(command.module).main
    except ModuleNotFoundError as fault:
        part = command.module.partition(".")[0]
        requirements = REQUIREMENTS_OF.get(part, "centre")
        remedy = f"install requirements/{requirements}.txt, or use the computer that has this part"
        print(f"outrider {command.words[0]}: {fault}: {remedy}", file=sys.stderr)
        return None


def _listing(commands: Sequence[Command]) -> str:
    rows = [(f"{' '.join(c.words)} {c.arguments}".rstrip(), c.help) for c in commands]
    width = max(len(row[0]) for row in rows)
    lines = [f"  {left:<{width}}  {right}" for left, right in rows]
    head = "usage: outrider COMMAND …   (each has its own --help)"
    return "\n".join([head, "", *lines, "", EXAMPLE])


def _unknown(arguments: list[str], group: Sequence[Command]) -> str:
    from difflib import get_close_matches  # only where something was mistyped

    place = 1 if group else 0
    known = [command.words[place] for command in group or COMMANDS if len(command.words) > place]
    typed = arguments[place] if len(arguments) > place else ""
    close = get_close_matches(typed, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(dict.fromkeys(known))}"
    said = (
        f"no command {' '.join(arguments[: place + 1])!r}"
        if typed
        else f"a word is missing after {arguments[0]!r}"
    )
    return f"{said}; {hint}"


def _say(text: str) -> int:
    print(text)
    return 0


def _usage_fault(text: str) -> int:
    print(f"outrider: {text}", file=sys.stderr)
    return WRONG_USAGE


if __name__ == "__main__":
    sys.exit(main())
