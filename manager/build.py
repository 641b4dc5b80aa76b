"""Requests put together from given words, ids and times. Pure; raises Refused naming the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from protocol.instant import ms_of
from protocol.refusal import Reason, Refused
from protocol.request import LIFE_MS_MAX, REQUEST, VERBS, Common

LIFE_S_DEFAULT: Final = 30
_PLACE: Final = ("lat", "lon", "datum", "source", "accuracy_m", "text")
_PLAN: Final = ("units", "officers", "capabilities", "alert", "staging_m")
_REPORT: Final = ("kind", "priority", "hazards", "notes", "channel", "by_radio", "exercise")


def build(
    verb: str, fields: Mapping[str, Any], request_id: str, now_ms: int, life_s: int
) -> Common:
    """A request valid from `now_ms` for `life_s`; `fields` are the verb's own, None left out."""
    if verb not in VERBS:
        raise Refused(Reason.MALFORMED, f"verb {verb!r:.40}; one of {', '.join(VERBS)}")
    if not 1 <= life_s <= LIFE_MS_MAX // 1000:
        raise Refused(Reason.OUT_OF_RANGE, f"{life_s} s; a request lives 1 to 60 s")
    given = {name: value for name, value in fields.items() if value is not None}
    times = {"issued_ms": now_ms, "expires_ms": now_ms + life_s * 1000}
    try:
        made: Common = REQUEST.validate_python(
            {"verb": verb, "request_id": request_id, **times, **given}
        )
    except ValidationError as cause:
        first = cause.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or verb
        value = "" if first["type"] == "missing" else f" ({first['input']!r:.60})"
        raise Refused(Reason.MALFORMED, f"{place}: {first['msg']:.120}{value}") from cause
    return made


def report(options: Mapping[str, Any]) -> dict[str, Any]:
    """The nested fields of `report` from flat options; None is left to the protocol's defaults.

    Other options are passed over: a command line carries some of its own.
    """
    plan = _picked(options, *_PLAN)
    later = {"at_ms": at_ms(options.get("at"))} if options.get("at") else {}
    fields = _picked(options, *_REPORT) | {"place": _picked(options, *_PLACE)}
    return fields | later | ({"plan": plan} if plan else {})


def at_ms(text: str | None) -> int | None:
    """ISO 8601 to ms UTC; a time without a zone is UTC. Raises Refused."""
    if text is None:
        return None
    try:
        return ms_of(text)
    except (ValueError, OverflowError) as cause:
        detail = f"at: {text!r:.40}; wanted ISO 8601, as 2026-11-24T08:15:00Z"
        raise Refused(Reason.MALFORMED, detail) from cause


def place(options: Mapping[str, Any]) -> dict[str, Any]:
    """A place where one was given."""
    found = _picked(options, *_PLACE)
    return {"place": found} if "lat" in found else {}


def update(options: Mapping[str, Any]) -> dict[str, Any]:
    """What an `update` says of the incident; a place only where one was given."""
    fields = _picked(options, "kind", "priority", "hazards", "notes", "revision")
    found = _picked(options, *_PLACE)
    return fields | ({"place": found} if found else {})


def note(options: Mapping[str, Any]) -> dict[str, Any]:
    """A note of a place, or one to be taken back."""
    fields = _picked(options, "days", "remove", "source")
    if options.get("note") is not None:
        fields["text"] = options["note"]
    return fields | place(options)


def _picked(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if options.get(name) is not None}
