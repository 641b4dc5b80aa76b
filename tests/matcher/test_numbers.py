"""Incident numbers: by the fleet's day, never twice, for every way to open one."""

from __future__ import annotations

from datetime import UTC, datetime

from protocol import entry as entries
from protocol.codebook_shipped import shipped
from protocol.words import Status
from tests.matcher.books import UNITS, report
from tests.matcher.fleet import FleetUnderTest


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_numbers_begin_anew_at_the_fleets_midnight_and_none_comes_twice() -> None:
    fleet = FleetUnderTest(UNITS, now_ms=at("2026-11-24T15:59:58"))  # 23:59:58 in China
    agency = shipped().agency
    first, second = fleet.report(priority=4), fleet.report(priority=4)
    fleet.wait(3)
    third = fleet.report(priority=4)
    fleet.now_ms -= 60_000  # the clock was set back over midnight
    fourth = fleet.report(priority=4)
    opened = [first, second, third, fourth]
    assert [i.number for i in opened] == ["24-001", "24-002", "25-001", "25-002"]
    assert [i.long_number for i in opened] == [
        f"{agency}2026112400001", f"{agency}2026112400002",
        f"{agency}2026112500001", f"{agency}2026112500002",
    ]  # fmt: skip


def test_a_call_entered_later_does_not_turn_the_day_back() -> None:
    now_ms = at("2026-11-24T16:30:00")
    fleet = FleetUnderTest(UNITS, now_ms=now_ms)
    late = report(fleet, "visit", by_radio=True, at_ms=now_ms - 3_600_000)
    after = report(fleet, "visit")
    numbers = [fleet.board.incidents[str(r.incident)].number for r in (late, after)]
    assert numbers == ["25-001", "25-002"]


def test_every_way_to_open_an_incident_numbers_it() -> None:
    here = entries.Here(245_130_000, 1_176_470_000, 50, 500)
    fleet = FleetUnderTest(UNITS, places={"b": here, "c": here})
    fleet.report(priority=4)
    fleet.entry("b", entries.StatusChange(int(Status.BUSY), "traffic_stop"))
    fleet.entry("c", entries.StatusChange(int(Status.EMERGENCY), None))
    found = [(i.kind, i.number[-3:], i.long_number[-5:]) for i in fleet.board.incidents.values()]
    assert found == [
        ("theft", "001", "00001"), ("traffic_stop", "002", "00002"), ("sos", "003", "00003"),
    ]  # fmt: skip
