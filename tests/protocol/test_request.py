"""Managers' requests: every verb, its roles, its times, and JSON that means harm."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import request
from protocol.refusal import Reason, Refused
from protocol.request import AHEAD_MS_MAX, LIFE_MS_MAX, ROLES_OF_VERB, VERBS
from tests.protocol.samples import NOW_MS, REPLY, REPORT

COMMON = {"request_id": "r-00000001", "issued_ms": NOW_MS, "expires_ms": NOW_MS + 30_000}
BODIES: dict[str, dict[str, Any]] = {
    "report": {"kind": "burglary", "priority": 2, "place": {"lat": 24.5, "lon": 117.6}},
    "cancel": {"incident": "i-1"},
    "assign": {"incident": "i-1", "unit": "621"},
    "hold": {"unit": "621", "on": True},
    "status": {"unit": "621", "status": "available"},
    "acknowledge": {"alert": "sos-621-1"},
    "release": {"incident": "i-1", "unit": "621"},
    "add": {"incident": "i-1", "units": 2},
    "reassign": {"incident": "i-1", "unit": "621"},
    "close": {"incident": "i-1", "disposition": "handled"},
    "reopen": {"incident": "i-1"},
    "answer": {"order": "o-1-1", "answer": "accept"},
    "mode": {"priority": 2, "mode": "auto_veto", "veto_s": 15},
    "update": {"incident": "i-1", "hazards": ["knife"]},
    "merge": {"incident": "i-2", "into": "i-1"},
    "unmerge": {"incident": "i-2"},
    "message": {"unit": "621", "text": "注意安全"},
    "logon": {"unit": "621", "crew": ["4711"]},
    "logoff": {"unit": "621"},
    "note": {"remove": "p-1-1"},
    "sos-test": {"terminal": "car-7", "minutes": 5},
    "exercise": {"unit": "621", "on": True},
    "visibility": {"unit": "621", "visibility": "covert", "group": "drugs"},
}


def as_json(verb: str, changes: dict[str, Any] | None = None) -> bytes:
    return json.dumps({"verb": verb} | COMMON | BODIES[verb] | (changes or {})).encode()


def fault(payload: bytes) -> str:
    with pytest.raises(Refused) as caught:
        request.decode_request(payload)
    assert caught.value.reason is Reason.MALFORMED
    return caught.value.detail


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_both_ways(verb: str) -> None:
    decoded = request.decode_request(as_json(verb))
    assert getattr(decoded, "verb") == verb  # noqa: B009
    assert request.decode_request(request.encode(decoded)) == decoded
    assert set(BODIES) == set(VERBS) == set(ROLES_OF_VERB)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"request_id": "short"}, "report.request_id"),
        ({"request_id": "r-0000000'"}, "report.request_id"),
        ({"issued_ms": -1}, "report.issued_ms"), ({"issued_ms": None}, "report.issued_ms"),
        ({"priority": 0}, "report.priority"), ({"priority": 5}, "report.priority"),
        ({"kind": "<b>"}, "report.kind"), ({"notes": "n" * 1001}, "report.notes"),
        ({"place": {"lat": 90.1, "lon": 0}}, "report.place.lat"),
        ({"place": {"lat": float("nan"), "lon": 0}}, "report.place.lat"),
        ({"place": {"lat": 0, "lon": float("inf")}}, "report.place.lon"),
        ({"place": {"lat": 0, "lon": 0, "datum": "mars"}}, "report.place.datum"),
        ({"hazards": ["x"] * 17}, "report.hazards"), ({"channel": "pigeon"}, "report.channel"),
        ({"extra": 1}, "report.extra"), ({"verb": "explode"}, "request"),
        ({"verb": None}, "request"),
    ],
)  # fmt: skip
def test_fields_that_are_refused(changes: dict[str, Any], place: str) -> None:
    assert fault(as_json("report", changes)).startswith(f"{place}: ")


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 4000, b'{"a":' * 4000, b"9" * 4000]
)
def test_what_is_no_request(payload: bytes) -> None:
    assert fault(payload)
    assert request.request_id_of(payload) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_cleanly(data: bytes) -> None:
    assert fault(data)
    request.request_id_of(data)
    with pytest.raises(Refused, match="malformed: reply: "):
        request.decode_reply(data)


def test_the_id_of_a_request_that_is_wrong_otherwise() -> None:
    assert request.request_id_of(as_json("report", {"priority": 9})) == "r-00000001"
    for payload in (b"{}", b'{"request_id": 5}', b'{"request_id": "' + b"x" * 41 + b'"}'):
        assert request.request_id_of(payload) is None


ROLES = ("intake", "dispatcher", "supervisor", "officer", "technician")
_SUPERVISORS = ("mode", "exercise", "sos-test", "visibility")
ALLOWED = {(verb, role) for verb in VERBS for role in ("dispatcher", "supervisor")}
ALLOWED |= {("report", "intake")}
ALLOWED -= {(verb, "dispatcher") for verb in _SUPERVISORS}
ALLOWED |= {("sos-test", "technician")}


@pytest.mark.parametrize(("verb", "role"), list(product(VERBS, ROLES)))
def test_roles(verb: str, role: str) -> None:
    assert (role in ROLES_OF_VERB[verb]) == ((verb, role) in ALLOWED)


@pytest.mark.parametrize(
    ("issued", "expires", "reason"),
    [
        (0, LIFE_MS_MAX, None), (0, 1, None), (-LIFE_MS_MAX + 1, 1, None),
        (AHEAD_MS_MAX, AHEAD_MS_MAX + 1, None),
        (0, LIFE_MS_MAX + 1, Reason.OUT_OF_RANGE), (0, 0, Reason.EXPIRED),
        (-10, -1, Reason.EXPIRED), (AHEAD_MS_MAX + 1, AHEAD_MS_MAX + 2, Reason.NOT_YET_VALID),
        (5, 3, None), (5, -3, Reason.EXPIRED),
    ],
)  # fmt: skip
def test_times(issued: int, expires: int, reason: Reason | None) -> None:
    changes = {"issued_ms": NOW_MS + issued, "expires_ms": NOW_MS + expires}
    decoded = REPORT.model_copy(update=changes)
    if reason is None:
        request.check_times(decoded, NOW_MS)
        return
    with pytest.raises(Refused) as caught:
        request.check_times(decoded, NOW_MS)
    assert caught.value.reason is reason


def test_reply_both_ways() -> None:
    assert request.decode_reply(request.encode(REPLY)) == REPLY
    assert b"null" not in request.encode(REPLY)


def test_digest_is_of_the_bytes() -> None:
    payload = as_json("hold")
    assert request.digest(payload) != request.digest(payload + b" ")
    assert len(request.digest(payload)) == 32
