"""Managers' JSON: GeoJSON, ISO times, SI units; nothing unknown passes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol import managers
from protocol.instant import iso
from protocol.managers import (
    Alert,
    IncidentPlace,
    IncidentPlan,
    IncidentState,
    IncidentTimes,
    IncidentUnit,
    PointGeometry,
    Statistics,
    UnitFeature,
    UnitProperties,
)
from protocol.order import OrderState
from protocol.refusal import Reason, Refused
from protocol.words import Freshness, UnitKind
from tests.protocol.samples import NOW_MS

NOW = iso(NOW_MS)
UNIT = UnitFeature(
    id="621",
    geometry=PointGeometry(coordinates=(117.647, 24.513)),
    properties=UnitProperties(
        unit="621", kind=UnitKind.CAR, status="available", freshness=Freshness.LIVE,
        position_time=NOW, received_time=NOW, next_s=10, accuracy_m=3.5, sog_mps=12.3,
        cog_deg=91.7, fix="3d", flags=("parked",), terminal="car-7", logon=41,
    ),
)  # fmt: skip
INCIDENT = IncidentState(
    id="i-3-5", number="5", kind="burglary", priority=2, state="assigned",
    place=IncidentPlace(lat=24.514, lon=117.648, text="South gate"),
    plan=IncidentPlan(units=1, officers=2),
    units=(IncidentUnit(unit="621", order="o-3-18", state=OrderState.CONFIRMED, eta_s=24),),
    times=IncidentTimes(reported=NOW, assigned=NOW), revision=2,
)  # fmt: skip
ALERT = Alert(
    alert="sos-621-1", kind="sos", raised=NOW, unit="621", text="SOS", text_zh="民警紧急求助"
)
STATISTICS = Statistics(
    time=NOW, open_incidents=1, units_by_status={"available": 9},
    orders_by_state={OrderState.CLEARED: 4}, refused={Reason.BAD_SEAL: 1}, positions=960,
)  # fmt: skip
SHOWN: list[Any] = [UNIT, INCIDENT, ALERT, STATISTICS]


@pytest.mark.parametrize("shown", SHOWN, ids=lambda m: type(m).__name__)
def test_both_ways(shown: UnitFeature) -> None:
    assert managers.decode(type(shown), managers.encode(shown)) == shown


def test_a_unit_is_geojson() -> None:
    found = json.loads(managers.encode(UNIT))
    assert found["type"] == "Feature"
    assert found["geometry"] == {"type": "Point", "coordinates": [117.647, 24.513]}
    nowhere = UNIT.model_copy(update={"geometry": None})
    assert json.loads(managers.encode(nowhere))["geometry"] is None


def test_words_are_words() -> None:
    found = json.loads(managers.encode(STATISTICS))
    assert found["orders_by_state"] == {"cleared": 4}
    assert found["refused"] == {"bad_seal": 1}


def changed(shown: UnitFeature, changes: dict[str, Any]) -> bytes:
    """`shown` as JSON with values at dotted places replaced."""
    found = json.loads(managers.encode(shown))
    for place, value in changes.items():
        *way, leaf = place.split(".")
        inner = found
        for step in way:
            inner = inner[step]
        inner[leaf] = value
    return json.dumps(found).encode()


@pytest.mark.parametrize(
    ("shown", "changes", "place"),
    [
        (UNIT, {"geometry.coordinates": [117.6, 91]}, "geometry.coordinates.1"),
        (UNIT, {"geometry.coordinates": [117.6]}, "geometry.coordinates.1"),
        (UNIT, {"properties.status": "asleep"}, "properties.status"),
        (UNIT, {"properties.freshness": "fresh"}, "properties.freshness"),
        (UNIT, {"properties.flags": ["sideways"]}, "properties.flags.0"),
        (UNIT, {"properties.cog_deg": 360}, "properties.cog_deg"),
        (UNIT, {"properties.sog_mps": -1}, "properties.sog_mps"),
        (UNIT, {"properties.position_time": "2026-11-24 15:00"}, "properties.position_time"),
        (UNIT, {"properties.next_s": 31}, "properties.next_s"),
        (UNIT, {"properties.secret": 1}, "properties.secret"),
        (INCIDENT, {"priority": 5}, "priority"),
        (INCIDENT, {"state": "open"}, "state"),
        (INCIDENT, {"place.lat": float("nan")}, "place.lat"),
        (INCIDENT, {"times.reported": None}, "times.reported"),
        (ALERT, {"alert": "A b"}, "alert"),
        (ALERT, {"kind": "a/b"}, "kind"),
        (STATISTICS, {"units_by_status": {"asleep": 1}}, "units_by_status.asleep"),
        (STATISTICS, {"refused": {"declined": 1}}, "refused.declined"),
        (STATISTICS, {"positions": -1}, "positions"),
    ],
)
def test_fields_that_are_refused(shown: UnitFeature, changes: dict[str, Any], place: str) -> None:
    with pytest.raises(Refused) as caught:
        managers.decode(type(shown), changed(shown, changes))
    assert caught.value.detail.startswith(place)
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"\xff", b"[" * 5000])
def test_what_is_no_state(payload: bytes) -> None:
    for shown in SHOWN:
        with pytest.raises(Refused):
            managers.decode(type(shown), payload)
