"""The words of `outrider request VERB …`: each verb's arguments, and the request they mean."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, Final

from manager import build
from protocol.request import Common

EPILOG: Final = """\
examples:
  outrider request report --kind theft --priority 1 --lat 24.513 --lon 117.647 --config d07.toml
  outrider request assign i-1-17 621 --reason voice --config d07.toml
  outrider request update i-1-17 --hazard knife --revision safety --config d07.toml
  outrider request message i-1-17 "gate 3 is open" --config d07.toml
  outrider request watch --seconds 10 --config d07.toml
"""
_COMMON: Final = ("expected_revision", "reason")
_INCIDENT: Final = re.compile(r"i-\d+-\d+")
# verb -> its words in order, and what it does; `subject` is a unit, or an incident by its id's form
_WORDS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "update": (("incident",), "what is known better now; the first value is kept"),
    "cancel": (("incident",), "cancel an incident"),
    "close": (("incident", "disposition"), "end an incident with its disposition"),
    "reopen": (("incident",), "a closed incident goes on"),
    "assign": (("incident", "unit"), "send a unit of your choice"),
    "add": (("incident",), "so many units more than the plan has"),
    "reassign": (("incident", "unit"), "take a unit off its incident and send it to this one"),
    "release": (("incident", "unit"), "stand a unit down from an incident"),
    "merge": (("incident", "into"), "the first is a repeated report of the second"),
    "unmerge": (("incident",), "they were two: the joined one goes on"),
    "hold": (("subject", "on"), "keep a unit, or an incident, out of the rule; or let it back in"),
    "status": (("unit", "status"), "enter a unit's status (by voice)"),
    "answer": (("order", "answer"), "what a crew said by radio about an order"),
    "message": (("subject", "text"), "text to a unit, or to every unit of an incident"),
    "acknowledge": (("alert",), "an alert has been seen"),
    "mode": (("priority", "mode"), "who sends at a priority: recommend, auto_veto, auto"),
    "logon": (("unit",), "bind a crew to a unit's terminals, or by radio only"),
    "logoff": (("unit",), "end a unit's shift"),
    "sos-test": (("terminal",), "an SOS of this terminal is a test for the next minutes"),
    "exercise": (("unit", "on"), "put a unit into an exercise, or back to live incidents"),
    "visibility": (("unit", "visibility"), "who knows of a unit: open, restricted, covert"),
    "note": ((), "what crews should know of a place, unverified; or --remove NOTE"),
}
_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "add": ("units",),
    "answer": ("disposition", "at"),
    "mode": ("veto_s",),
    "logon": ("crew", "terminals", "vehicle", "driver"),
    "sos-test": ("minutes",),
    "visibility": ("group",),
}
_AT_HELP: Final = "when it was, ISO 8601: for what ran by voice and is entered later"
_RADIO_HELP: Final = "told by voice: no terminal shows it"
_LISTS: Final = frozenset({"crew", "terminals"})  # words joined by commas


def request_of(arguments: argparse.Namespace, request_id: str, now_ms: int) -> Common:
    """The request that the options mean; raises Refused(malformed, out_of_range)."""
    options: dict[str, Any] = dict(vars(arguments))
    fields = {name: options[name] for name in _COMMON}
    if arguments.verb == "report":
        fields |= build.report(options)
    else:
        fields |= _own(arguments.verb, options)
    return build.build(arguments.verb, fields, request_id, now_ms, arguments.expires_s)


def _own(verb: str, options: dict[str, Any]) -> dict[str, Any]:
    names = [*_WORDS[verb][0], *_OPTIONS.get(verb, ())]
    fields = {name: options[name] for name in names if name != "subject"}
    if "subject" in names:
        what = "incident" if _INCIDENT.fullmatch(options["subject"]) else "unit"
        fields[what] = options["subject"]
    if "by_radio" in options:
        fields["by_radio"] = options["by_radio"]
    if "at" in fields:
        fields["at_ms"] = build.at_ms(fields.pop("at"))
    for name in _LISTS.intersection(fields):
        fields[name] = fields[name] and tuple(fields[name].split(","))
    if verb == "update":
        return fields | build.update(options)
    if verb == "status":
        return fields | build.place(options)
    return fields | build.note(options) if verb == "note" else fields


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
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
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    report = verbs.add_parser("report", parents=[common], help="a call for service")
    _add_known(report, required=True)
    _add_plan(report)
    for verb, (words, text) in _WORDS.items():
        one = verbs.add_parser(verb, parents=[common], help=text)
        for word in words:
            choices = ("on", "off") if word == "on" else None
            one.add_argument(word, choices=choices, type=str.lower if choices else str)
        for option in _OPTIONS.get(verb, ()):
            help_text = _AT_HELP if option == "at" else None
            one.add_argument(f"--{option.replace('_', '-')}", help=help_text)
        if verb == "assign":
            one.add_argument("--by-radio", action="store_true", default=None, help=_RADIO_HELP)
        elif verb == "status":
            _add_place(one, required=False)
        if verb == "update":
            _add_known(one, required=False)
            one.add_argument("--revision", choices=("safety", "place", "note"))
        elif verb == "note":
            _add_place(one, required=False)
            one.add_argument("--note", help="what crews should know")
            one.add_argument("--days", type=int, help="then it is forgotten")
            one.add_argument("--remove", metavar="NOTE", help="take a note back")
    watch = verbs.add_parser("watch", parents=[config], help="print the fleet's topics")
    watch.add_argument("--seconds", type=float, help="then end; without it until Ctrl-C")
    return made


def _add_known(one: argparse.ArgumentParser, *, required: bool) -> None:
    one.add_argument("--kind", required=required, help="code of the incident kind, as theft")
    one.add_argument("--priority", type=int, help="1 urgent to 4; a report's else by its kind")
    _add_place(one, required=required)
    one.add_argument("--hazard", dest="hazards", action="append", help="may be repeated")
    one.add_argument("--notes")


def _add_place(one: argparse.ArgumentParser, *, required: bool) -> None:
    one.add_argument("--lat", type=float, required=required, help="degrees, north positive")
    one.add_argument("--lon", type=float, required=required, help="degrees, east positive")
    one.add_argument("--datum", choices=("wgs84", "gcj02", "bd09"))
    one.add_argument("--source", help="who says so: caller, map, desk")
    one.add_argument("--accuracy-m", type=int)
    one.add_argument("--text", help="the place in words")


def _add_plan(one: argparse.ArgumentParser) -> None:
    one.add_argument("--units", type=int, help="least units")
    one.add_argument("--officers", type=int, help="least officers")
    one.add_argument(
        "--capability",
        dest="capabilities",
        action="append",
        help="aboard one unit at least; twice: aboard two",
    )
    one.add_argument(
        "--alert", action="store_true", default=None, help="neighbours hear it and may take it"
    )
    one.add_argument("--staging-m", type=int, help="wait so far off and go in together")
    one.add_argument(
        "--exercise", action="store_true", default=None, help="played: only units in the exercise"
    )
    one.add_argument("--channel", help="how it came in: phone, desk, taxi_button, …")
    one.add_argument("--by-radio", action="store_true", default=None, help=_RADIO_HELP)
    one.add_argument("--at", help=_AT_HELP)
