"""Notes of a place: told as unverified, expire, and come by themselves only of repeated reports."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from matcher.core.places import apart_m, is_within
from protocol.dispatch import Order as OrderBody
from protocol.dispatch import Place
from tests.matcher.fleet import FleetUnderTest

UNITS = {"a": 10_000, "b": 20_000, "c": 30_000, "d": 40_000}
PLACE = {"lat": 24.513, "lon": 117.647}
ELSEWHERE = {"lat": 24.5135, "lon": 117.647}


def notes_of(fleet: FleetUnderTest, unit: str) -> str:
    return next(b.notes for b in fleet.bodies_for(unit) if isinstance(b, OrderBody))


def test_a_note_is_told_to_the_next_crew_as_unverified_with_source_and_date() -> None:
    fleet = FleetUnderTest(UNITS)
    fleet.request({"verb": "note", "place": PLACE, "text": "biting dog", "source": "post office"})
    fleet.report()
    assert notes_of(fleet, "a") == "未核实 unverified (post office, 2026-09-21): biting dog"


def test_it_is_of_that_place_only_and_only_until_it_expires() -> None:
    fleet = FleetUnderTest(UNITS)
    fleet.request({"verb": "note", "place": ELSEWHERE, "text": "steep stairs", "days": 1})
    fleet.request({"verb": "note", "place": PLACE, "text": "steep stairs", "days": 1})
    fleet.wait(86_401)
    fleet.report()
    assert notes_of(fleet, "a") == ""


def test_a_person_takes_it_back() -> None:
    fleet = FleetUnderTest(UNITS)
    made = fleet.request({"verb": "note", "place": PLACE, "text": "steep stairs"})
    assert fleet.request({"verb": "note", "remove": made.note}).outcome == "done"
    fleet.report()
    assert notes_of(fleet, "a") == ""
    assert fleet.request({"verb": "note", "remove": made.note}).reason == "unknown_note"


def reported_and_over(fleet: FleetUnderTest) -> None:
    fleet.request({"verb": "close", "incident": fleet.report().incident, "disposition": "handled"})
    fleet.wait(3600)


def test_the_third_report_of_a_place_becomes_a_note_for_the_next_crew_and_the_station() -> None:
    fleet = FleetUnderTest(UNITS)
    for _ in range(2):
        reported_and_over(fleet)
    assert "premise_repeated" not in fleet.alert_kinds()
    reported_and_over(fleet)
    assert "premise_repeated" in fleet.alert_kinds()
    fleet.deliver("a")
    fleet.report()
    assert "3 reports in 30 days: theft 3" in notes_of(fleet, "a")
    assert fleet.alert_kinds().count("premise_repeated") == 1
    (known,) = fleet.board.premises.values()
    assert known.text == "4 reports in 30 days: theft 4"  # the newest alone


def test_a_joined_report_counts_once() -> None:
    fleet = FleetUnderTest(UNITS)
    first, second = fleet.report(), fleet.report()
    fleet.request({"verb": "merge", "incident": second.incident, "into": first.incident})
    fleet.report()
    assert "premise_repeated" not in fleet.alert_kinds()


@given(st.integers(-30_000, 30_000), st.integers(-30_000, 30_000), st.sampled_from([30, 150, 300]))
def test_the_short_cut_over_latitudes_changes_no_answer(lat: int, lon: int, within_m: int) -> None:
    one = Place(245_130_000, 1_176_470_000, "wgs84", "caller", None, "")
    other = replace(one, lat_e7=one.lat_e7 + lat, lon_e7=one.lon_e7 + lon)
    assert is_within(one, other, within_m) == (apart_m(one, other) <= within_m)
