"""`outrider request VERB …`: one sealed request from a shell, or a look at the fleet's topics.

The reply on stdout, progress on stderr. Exit 0 done, 1 refused, no reply or bad input, 2 wrong
usage. Called by `outrider.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import secrets
import sys
from pathlib import Path
from typing import Any, Final

from manager import build
from manager.client import ManagerClient, fleet_topics
from manager.settings import ManagerSettings
from protocol.refusal import Refused
from protocol.request import Common, Reply
from runtime.clock import SystemClock
from runtime.faults import OutriderFault
from runtime.service import first_cause
from runtime.settings import load

EPILOG: Final = """\
examples:
  outrider request report --kind theft --priority 1 --lat 24.513 --lon 117.647 --config d07.toml
  outrider request assign i-1-17 621 --reason voice --config d07.toml
  outrider request watch --seconds 10 --config d07.toml
"""
_COMMON: Final = ("expected_revision", "reason")
_OWN: Final = {
    "cancel": ("incident",),
    "assign": ("incident", "unit"),
    "release": ("incident", "unit"),
    "add": ("incident",),
    "reassign": ("incident", "unit"),
    "close": ("incident", "disposition"),
    "reopen": ("incident",),
    "hold": ("subject", "on"),
    "status": ("unit", "status"),
    "answer": ("order", "answer"),
    "acknowledge": ("alert",),
    "mode": ("priority", "mode"),
}
_INCIDENT: Final = re.compile(r"i-\d+-\d+")
_OPTIONS: Final = {"add": ("units",), "answer": ("disposition",), "mode": ("veto_s",)}


def main(argv: list[str]) -> int:
    """Exit code."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load(arguments.config, ManagerSettings)
        return asyncio.run(_run(arguments, settings))
    except (Refused, OutriderFault) as cause:
        return _failed(cause)
    except ExceptionGroup as group:
        first = first_cause(group)
        if not isinstance(first, Refused | OutriderFault):
            raise
        return _failed(first)


async def _run(arguments: argparse.Namespace, settings: ManagerSettings) -> int:
    if arguments.verb == "watch":
        return await _watch(arguments.seconds, settings)
    asked = request_of(arguments, secrets.token_hex(8), SystemClock().utc_ms())
    async with ManagerClient(settings, on_trouble=_progress) as client:
        return _show(await client.request(asked), as_json=arguments.json)


def request_of(arguments: argparse.Namespace, request_id: str, now_ms: int) -> Common:
    """The request that the options mean; raises Refused(malformed, out_of_range)."""
    options: dict[str, Any] = vars(arguments)
    fields = {name: options[name] for name in _COMMON}
    if arguments.verb == "report":
        fields |= build.report(options)
    else:
        if "subject" in options:  # a unit, or an incident by its form of id
            what = "incident" if _INCIDENT.fullmatch(arguments.subject) else "unit"
            options[what] = arguments.subject
        names = (*_OWN[arguments.verb], *_OPTIONS.get(arguments.verb, ()), "unit", "incident")
        fields |= {n: options[n] for n in names if n in options and n != "subject"}
    return build.build(arguments.verb, fields, request_id, now_ms, arguments.expires_s)


async def _watch(seconds: float | None, settings: ManagerSettings) -> int:
    """Each message of the fleet's topics as one JSON line."""
    watch = fleet_topics(settings.fleet)
    try:
        async with (
            asyncio.timeout(seconds),
            ManagerClient(settings, watch=watch, on_trouble=_progress) as client,
        ):
            async for update in client.updates():
                text = update.payload.decode("utf-8", "backslashreplace")
                line = {"topic": update.topic, "retained": update.retained, "payload": text}
                sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
                sys.stdout.flush()
    except TimeoutError:
        return 0
    return 1


def _show(reply: Reply, *, as_json: bool) -> int:
    is_done = reply.outcome == "done"
    if as_json:
        sys.stdout.write(reply.model_dump_json(exclude_none=True) + "\n")
        return 0 if is_done else 1
    named = {"incident": reply.incident, "order": reply.order, "unit": reply.unit}
    words = [f"{name} {value}" for name, value in named.items() if value is not None]
    if is_done:
        sys.stdout.write(" ".join(["done", *words]) + "\n")
        return 0
    why = ": ".join(text for text in (reply.reason, reply.detail) if text) or "no reason given"
    sys.stderr.write(f"outrider request: refused: {why}\n")
    return 1


def _progress(text: str) -> None:
    sys.stderr.write(f"outrider request: {text}; trying again\n")


def _failed(cause: BaseException) -> int:
    sys.stderr.write(f"outrider request: {cause}\n")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "outrider request",
        description="A manager's sealed request.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", type=Path, required=True, help="the manager's settings file")
    common = argparse.ArgumentParser(add_help=False, parents=[config])
    common.add_argument("--json", action="store_true", help="the reply as one JSON object")
    common.add_argument("--expires-s", type=int, default=build.LIFE_S_DEFAULT, help="1 to 60")
    common.add_argument("--reason", help="a reason code, kept beside the decision")
    common.add_argument("--expected-revision", type=int, help="refuse if it has changed since")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_report(verbs.add_parser("report", parents=[common], help="a call for service"))
    for verb, words in _OWN.items():
        made = verbs.add_parser(verb, parents=[common], help=_HELP[verb])
        for word in words:
            if word == "on":
                made.add_argument("on", type=str.lower, choices=("on", "off"))
            else:
                made.add_argument(word)
        for option in _OPTIONS.get(verb, ()):
            made.add_argument(f"--{option.replace('_', '-')}")
    watch = verbs.add_parser("watch", parents=[config], help="print the fleet's topics")
    watch.add_argument("--seconds", type=float, help="then end; without it until Ctrl-C")
    return parser


_HELP: Final = {
    "cancel": "cancel an incident",
    "assign": "send a unit of your choice",
    "release": "stand a unit down from an incident",
    "add": "so many units more than the plan has",
    "reassign": "take a unit off its incident and send it to another",
    "close": "end an incident with its disposition",
    "reopen": "a closed incident goes on",
    "hold": "keep a unit out of automatic dispatch, or stop the rule at an incident",
    "answer": "what a crew said by radio about an order",
    "mode": "who sends at a priority: recommend, auto_veto, auto",
    "status": "enter a unit's status (by voice)",
    "acknowledge": "an alert has been seen",
}


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", required=True, help="code of the incident kind, as theft")
    parser.add_argument("--priority", type=int, required=True, help="1 urgent to 4")
    parser.add_argument("--lat", type=float, required=True, help="degrees, north positive")
    parser.add_argument("--lon", type=float, required=True, help="degrees, east positive")
    parser.add_argument("--datum", choices=("wgs84", "gcj02", "bd09"))
    parser.add_argument("--source", help="who says where: caller, map, desk")
    parser.add_argument("--accuracy-m", type=int)
    parser.add_argument("--text", help="the place in words")
    parser.add_argument("--hazard", dest="hazards", action="append", help="may be repeated")
    parser.add_argument("--units", type=int, help="least units")
    parser.add_argument("--officers", type=int, help="least officers")
    parser.add_argument("--notes")
    parser.add_argument("--channel", help="how it came in: phone, desk, taxi_button, …")
