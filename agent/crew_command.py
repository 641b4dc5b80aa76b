"""`outrider agent logon|logoff|set|answer|reply|status`: the crew's side from a shell.

One question over the device socket, one answer. Exit 0 done, 1 refused or nobody there, 2 wrong
usage. Called by the `outrider` command.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from agent.settings import AgentSettings
from protocol import device
from protocol.order import Answer
from protocol.refusal import Refused
from protocol.words import Status
from runtime import settings
from runtime.faults import OutriderFault
from runtime.local_client import request

DEFAULT_CONFIG: Final = Path("/etc/outrider/agent.toml")
TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 65_536
_EXAMPLE: Final = """examples:
  outrider agent logon --unit 621 --crew 4711,4712 --vehicle car-7
  outrider agent answer o-17 accept
  outrider agent answer o-17 clear --disposition report_taken
  outrider agent set busy --reason traffic_stop
  outrider agent status --json"""


def main(argv: list[str]) -> int:
    """Run one command; returns the exit code (2 from argparse's SystemExit is passed on)."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        message = _message(arguments)
        reply = _ask(_socket(arguments), message)
    except ValidationError as cause:
        first = cause.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        print(f"{place}: {first['msg']} ({first['input']!r:.40})", file=sys.stderr)  # noqa: T201
        return 2
    except (OutriderFault, Refused) as fault:
        print(str(fault), file=sys.stderr)  # noqa: T201
        return 1
    return _tell(reply, as_json=arguments.json)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, help="the agent's settings file")
    common.add_argument("--socket", type=Path, help="the device socket itself")
    common.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser = argparse.ArgumentParser(
        prog="outrider agent", description="The crew's side of the terminal.", epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    logon = verbs.add_parser("logon", parents=[common], help="bind unit and crew to this terminal")
    logon.add_argument("--unit", required=True, help="call sign, e.g. 621")
    logon.add_argument("--crew", required=True, help="numbers of the officers, e.g. 4711,4712")
    logon.add_argument("--vehicle")
    logon.add_argument("--driver")
    logon.add_argument("--recorder", action="append", default=[], metavar="NAME[=OFFICER]")

    logoff = verbs.add_parser("logoff", parents=[common], help="end the shift")
    logoff.add_argument("--reason")

    status = verbs.add_parser("set", parents=[common], help="set the unit's status")
    status.add_argument("status", choices=_words(), metavar="STATUS", help=", ".join(_words()))
    status.add_argument("--reason")

    answer = verbs.add_parser("answer", parents=[common], help="answer an order")
    answer.add_argument("order")
    answer.add_argument("answer", choices=[one.word for one in Answer])
    answer.add_argument("--reason")
    answer.add_argument("--disposition")

    reply = verbs.add_parser("reply", parents=[common], help="a message is read, or answered")
    reply.add_argument("message")
    reply.add_argument("code", nargs="?", default="read", help="a code of the codebook; else read")

    verbs.add_parser("status", parents=[common], help="show the terminal's state")
    return parser


def _words() -> list[str]:
    return [one.word for one in Status]


def _message(arguments: argparse.Namespace) -> BaseModel:
    """Raises ValidationError."""
    match arguments.verb:
        case "logon":
            recorders = [_recorder(text) for text in arguments.recorder]
            return device.Logon(
                unit=arguments.unit,
                crew=tuple(part.strip() for part in arguments.crew.split(",") if part.strip()),
                vehicle=arguments.vehicle,
                driver=arguments.driver,
                recorders=tuple(recorders),
            )
        case "logoff":
            return device.Logoff(reason=arguments.reason)
        case "set":
            return device.SetStatus(status=arguments.status, reason=arguments.reason)
        case "answer":
            return device.Answer(
                order=arguments.order,
                answer=arguments.answer,
                reason=arguments.reason,
                disposition=arguments.disposition,
            )
        case "reply":
            return device.Reply(message=arguments.message, code=arguments.code)
        case _:
            return device.Status()


def _recorder(text: str) -> tuple[str, str | None]:
    name, _, officer = text.partition("=")
    return name, officer or None


def _socket(arguments: argparse.Namespace) -> Path:
    """--socket, else the settings file's, else the default. Raises ConfigFault."""
    if arguments.socket is not None:
        return Path(arguments.socket)
    if arguments.config is not None or DEFAULT_CONFIG.exists():
        config = arguments.config or DEFAULT_CONFIG
        return settings.load(config, AgentSettings).devices.socket
    return AgentSettings.model_fields["devices"].get_default().socket  # type: ignore[no-any-return]


def _ask(socket: Path, message: BaseModel) -> Any:
    """Raises LinkLost, Refused."""
    line = device.encode(message).rstrip(b"\n")
    return device.decode(request(socket, line, TIMEOUT_S, ANSWER_BYTES_MAX), device.TO_CLIENT)


def _tell(reply: BaseModel, *, as_json: bool) -> int:
    if as_json:
        print(reply.model_dump_json())  # noqa: T201
        return 1 if isinstance(reply, device.Refusal) else 0
    match reply:
        case device.Refusal():
            print(f"{reply.reason} – {reply.remedy}", file=sys.stderr)  # noqa: T201
            return 1
        case device.Done():
            print(f"done: entry {reply.entry}")  # noqa: T201
        case device.State():
            print(_described(reply))  # noqa: T201
        case _:
            print(json.dumps(reply.model_dump()))  # noqa: T201
    return 0


def _described(state: device.State) -> str:
    link = f"link {state.link}" + (", welcomed" if state.welcomed else "")
    lines = [
        f"{state.terminal}: unit {state.unit or 'none'}, {state.status}",
        f"{link}; {state.waiting_entries} entries not yet at the centre",
        _fix_line(state.fix),
    ]
    for order in state.orders:
        place = order.get("place", {}).get("text", "")
        lines.append(
            f"order {order['order']}: {order['state']}, {_kind_of(order)}"
            f" priority {order['priority']} {place}".rstrip()
        )
    lines += [
        f"message {one['message']} from {one['issuer']}: {one['text']} ({one['state']})"
        for one in state.messages
    ]
    if "written_day_bytes" in state.store:
        day, rounded = (state.store[f"written_day_{name}bytes"] / 1e6 for name in ("", "rounded_"))
        lines.append(f"card: {day:.1f} MB written a day, {rounded:.1f} MB in whole pages")
    lines += [f"refused {reason}: {count}" for reason, count in state.refused.items()]
    return "\n".join(lines)


def _kind_of(order: dict[str, Any]) -> str:
    """The code, and what it is called where this terminal has a codebook."""
    called = [order[key] for key in ("incident_kind_zh", "incident_kind_en") if key in order]
    return " ".join([order["incident_kind"], *called])


def _fix_line(fix: dict[str, Any] | None) -> str:
    if fix is None or fix.get("lat") is None:
        return "no position"
    age_s = int(fix["age_ms"]) / 1000
    return f"{fix['lat']:.5f} {fix['lon']:.5f}, {fix['fix']}, {age_s:.1f} s old"
