"""`outrider device send KIND …`: a device event by hand, over the agent's device socket.

Waits until the agent has kept it. Exit 0 kept, 1 refused or nobody there, 2 wrong usage. Called
by the `outrider` command.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final, get_args

from pydantic import ValidationError

from firmware_bridge.settings import DEFAULT_SOCKET, SocketSettings
from protocol import device
from protocol.refusal import Reason, Refused
from runtime import settings
from runtime.clock import SystemClock
from runtime.faults import OutriderFault
from runtime.local_client import request

DEFAULT_CONFIG: Final = Path("/etc/outrider/bridge.toml")
KINDS: Final[tuple[str, ...]] = get_args(device.Event.model_fields["name"].annotation)
DEVICE_KINDS: Final[tuple[str, ...]] = get_args(device.Event.model_fields["device_kind"].annotation)
_OF_BOARDS: Final = frozenset({"ignition", "input", "image_state"})
_WORDS: Final = {"true": True, "false": False, "null": None}
_EXAMPLE: Final = """examples:
  outrider device send sos --device body-1 --event 1
  outrider device send ignition --device board-1 --detail on=true
  outrider device send mark --device body-1 --socket /run/outrider/devices.sock --json

With --event the same number again is the same event: it is kept once. Without, each call is a new
one."""


def main(argv: list[str]) -> int:
    """Send one event; returns the exit code."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        event = _event(arguments)
    except ValidationError as cause:
        first = cause.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return _fault(f"{place}: {first['msg']} ({first['input']!r:.40})", 2)
    try:
        reply = _ask(_socket(arguments), event, arguments.timeout)
    except (OutriderFault, Refused) as fault:
        return _fault(str(fault), 1)
    return _tell(event, reply, as_json=arguments.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="outrider device send", description="A device event by hand.",
        epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--device", default="by-hand", help="its name (default by-hand)")
    parser.add_argument("--device-kind", choices=DEVICE_KINDS, help="default: recorder, or board")
    parser.add_argument("--event", type=int, help="its number; the same again is the same event")
    parser.add_argument("--boot", type=int, help="default 0 with --event, else this second")
    parser.add_argument("--time-ms", type=int, help="the device's own clock, UTC (default none)")
    parser.add_argument("--detail", type=_detail, action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--config", type=Path, help="the bridge's settings, or the agent's")
    parser.add_argument("--socket", type=Path, help="the device socket itself")
    parser.add_argument("--timeout", type=_seconds, default=10.0, help="seconds to wait for kept")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


def _detail(text: str) -> tuple[str, device.Scalar]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r:.40}: give KEY=VALUE")
    if value in _WORDS:
        return key, _WORDS[value]
    is_number = value.removeprefix("-").isascii() and value.removeprefix("-").isdigit()
    return key, int(value) if is_number and len(value) < 19 else value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError(f"{text!r:.40}: give 0 to 600 seconds")
    return value


def _event(arguments: argparse.Namespace) -> device.Event:
    """Raises ValidationError."""
    boot, number = arguments.boot, arguments.event
    if boot is None:
        boot = 0 if number is not None else SystemClock().utc_ms() // 1000
    kind = "board" if arguments.kind in _OF_BOARDS else "recorder"
    return device.Event.model_validate(
        {
            "device": arguments.device,
            "device_kind": arguments.device_kind or kind,
            "boot": boot,
            "event": 1 if number is None else number,
            "name": arguments.kind,
            "device_time_ms": arguments.time_ms,
            "detail": dict(arguments.detail),
        }
    )


def _socket(arguments: argparse.Namespace) -> Path:
    """--socket, else what a settings file says, else the default. Raises ConfigFault."""
    if arguments.socket is not None:
        return Path(arguments.socket)
    if arguments.config is not None or DEFAULT_CONFIG.exists():
        return settings.load(arguments.config or DEFAULT_CONFIG, SocketSettings).socket
    return DEFAULT_SOCKET


def _ask(socket: Path, event: device.Event, timeout_s: float) -> device.Kept | device.Refusal:
    """Raises LinkLost, Refused."""
    line = device.encode(event).rstrip(b"\n")
    reply = device.decode(request(socket, line, timeout_s), device.TO_CLIENT)
    if not isinstance(reply, device.Kept | device.Refusal):
        raise Refused(Reason.WRONG_KIND, f"the agent answered with {reply.type}")
    return reply


def _tell(event: device.Event, reply: device.Kept | device.Refusal, *, as_json: bool) -> int:
    is_kept = isinstance(reply, device.Kept)
    if as_json:
        print(reply.model_dump_json())  # noqa: T201
    elif isinstance(reply, device.Refusal):
        return _fault(f"{reply.reason} – {reply.remedy}", 1)
    else:
        said = {"device": event.device, "boot": event.boot, "event": event.event}
        print(f"kept: {event.name} {json.dumps(said)}")  # noqa: T201
    return 0 if is_kept else 1


def _fault(text: str, code: int) -> int:
    print(f"outrider device send: {text}", file=sys.stderr)  # noqa: T201
    return code
