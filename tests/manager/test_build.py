"""What options become: the protocol's own models, or a refusal that names the field."""

from __future__ import annotations

from typing import Any

import pytest

from manager import build
from protocol.refusal import Refused
from protocol.request import VERBS, Report, check_times, decode_request, encode

NOW_MS = 1_790_000_000_000
PLACE = {"lat": 24.5, "lon": 117.6}
FIELDS: dict[str, dict[str, Any]] = {
    "report": build.report({"kind": "theft", "priority": 1, **PLACE}),
    "cancel": {"incident": "17"},
    "assign": {"incident": "17", "unit": "car-07"},
    "release": {"incident": "17", "unit": "car-07"},
    "hold": {"unit": "car-07", "on": "off"},
    "status": {"unit": "car-07", "status": "busy"},
    "acknowledge": {"alert": "sos-1"},
    "add": {"incident": "17", "units": 1},
    "reassign": {"incident": "17", "unit": "car-07"},
    "close": {"incident": "17", "disposition": "handled"},
    "reopen": {"incident": "17"},
    "answer": {"order": "o-1-2", "answer": "clear", "disposition": "handled"},
    "mode": {"priority": 3, "mode": "auto"},
    "update": {"incident": "17", "notes": "red door"},
    "merge": {"incident": "18", "into": "17"},
    "unmerge": {"incident": "18"},
    "message": {"incident": "17", "text": "gate 3"},
    "logon": {"unit": "car-07", "crew": ["4711"], "terminals": ["t-7"]},
    "logoff": {"unit": "car-07"},
    "note": {"place": {"lat": 24.5, "lon": 117.6}, "text": "biting dog"},
    "sos-test": {"terminal": "car-7"},
    "exercise": {"unit": "car-07", "on": "on"},
    "visibility": {"unit": "car-07", "visibility": "restricted", "group": "drugs"},
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_can_be_built_and_is_in_time(verb: str) -> None:
    made = build.build(verb, FIELDS[verb], "0123456789abcdef", NOW_MS, 30)
    assert decode_request(encode(made)) == made
    check_times(made, NOW_MS)


def test_a_report_keeps_what_was_said_and_the_protocols_defaults() -> None:
    options = {
        "kind": "fight", "priority": 2, **PLACE, "text": "by the bridge", "datum": None,
        "units": 2, "officers": None, "hazards": ["knife"], "notes": None,
    }  # fmt: skip
    made = build.build("report", build.report(options), "0123456789abcdef", NOW_MS, 30)
    assert isinstance(made, Report)
    assert (made.place.text, made.place.datum) == ("by the bridge", "wgs84")
    assert made.plan is not None
    assert (made.plan.units, made.plan.officers) == (2, None)
    assert (made.hazards, made.notes) == (("knife",), "")


@pytest.mark.parametrize(
    ("verb", "fields", "names"),
    [
        ("report", build.report({"kind": "theft", "priority": 5, **PLACE}), "priority"),
        (
            "report",
            build.report({"kind": "theft", "priority": 1, "lat": 95, "lon": 0}),
            "place.lat",
        ),
        ("report", build.report({"priority": 1, **PLACE}), "kind"),
        ("assign", {"incident": "17"}, "unit"),
        ("assign", {"incident": "Inc 1", "unit": "car-07"}, "incident"),
        ("hold", {"unit": "car-07", "on": "maybe"}, "on"),
        ("assign", {"incident": "17", "unit": "car-07", "lat": 1}, "lat"),
        ("promote", {}, "verb"),
    ],
)
def test_a_wrong_field_is_named(verb: str, fields: dict[str, Any], names: str) -> None:
    with pytest.raises(Refused) as caught:
        build.build(verb, fields, "0123456789abcdef", NOW_MS, 30)
    assert caught.value.detail.startswith(names)


@pytest.mark.parametrize("life_s", [0, -1, 61])
def test_a_request_lives_a_minute_at_most(life_s: int) -> None:
    with pytest.raises(Refused, match="1 to 60"):
        build.build("cancel", FIELDS["cancel"], "0123456789abcdef", NOW_MS, life_s)
