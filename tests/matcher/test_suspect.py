"""A suspect position never places a unit by itself; a person may still send it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from matcher.core import events as ev
from matcher.core.commands import Command, EntryCame, Estimates, ManagerRequest, Tick
from matcher.core.decide import decide, needs
from matcher.core.estimate import estimate
from matcher.core.positions import PositionBook, Verified
from protocol.words import FIX_FLAGS, flags_to_bits
from tests.matcher.fleet import START_MS, FleetUnderTest, enrolment_of
from tests.protocol.samples import POSITION

NEAR_E7, FAR_E7 = 245_130_000, 245_500_000


class PlacedFleet(FleetUnderTest):
    """Travel times come from positions, as in the daemon, not from a table."""

    def __init__(self, *units: str) -> None:
        self.book = PositionBook()
        super().__init__(dict.fromkeys(units, 0))

    def place(self, unit: str, lat_e7: int, *flags: str) -> None:
        position = replace(
            POSITION, sequence=POSITION.sequence + self.requests, time_ms=self.now_ms,
            lat_e7=lat_e7, lon_e7=1_176_470_000, speed_cm_s=0, flags=flags_to_bits(flags),
        )  # fmt: skip
        self.book.done({enrolment_of(unit): Verified(f"t-{unit}", position, b"", self.now_ms)})

    def do(self, command: Command) -> list[ev.Event]:
        if isinstance(command, ManagerRequest | EntryCame | Tick):
            wanted = needs(self.board, command)
            estimates = tuple(self._placed(*one) for one in wanted)
            command = replace(command, estimates=estimates)
        found = decide(self.board, command)
        self.commands.append(command)
        self.events += found
        return found

    def _placed(self, incident: str, lat: float, lon: float) -> Estimates:
        return estimate(self.board, self.book, self.now_ms, incident, lat, lon)


@pytest.fixture
def fleet() -> PlacedFleet:
    made = PlacedFleet("near", "far")
    made.place("far", FAR_E7)
    return made


def left_out(fleet: FleetUnderTest) -> dict[str, str]:
    decided = [one for one in fleet.events if isinstance(one, ev.Decided)]
    return {one.unit: one.reason for one in decided[-1].left_out}


def test_the_near_unit_is_sent_where_nothing_is_suspect(fleet: PlacedFleet) -> None:
    fleet.place("near", NEAR_E7, "parked")
    (order,) = fleet.orders(fleet.report())
    assert order.unit == "near"


def test_a_suspect_position_is_passed_over_and_the_reason_told(fleet: PlacedFleet) -> None:
    fleet.place("near", NEAR_E7, "suspect")
    (order,) = fleet.orders(fleet.report())
    assert order.unit == "far"
    assert left_out(fleet)["near"] == "position is suspect: suspect"


@pytest.mark.parametrize("flag", ["jump", "date_jump", "speed_implausible", "frozen"])
def test_so_is_one_that_an_older_terminal_only_flags(fleet: PlacedFleet, flag: str) -> None:
    fleet.place("near", NEAR_E7, flag)
    (order,) = fleet.orders(fleet.report())
    assert order.unit == "far"
    assert flag in left_out(fleet)["near"]


@pytest.mark.parametrize("flag", ["parked", "hdop_high", "rollover", "estimated"])
def test_what_is_noticed_only_does_not_hinder(fleet: PlacedFleet, flag: str) -> None:
    assert flag in FIX_FLAGS
    fleet.place("near", NEAR_E7, flag)
    (order,) = fleet.orders(fleet.report())
    assert order.unit == "near"


def test_where_all_are_suspect_nobody_is_sent_until_a_person_does(fleet: PlacedFleet) -> None:
    fleet.place("near", NEAR_E7, "suspect")
    fleet.place("far", FAR_E7, "suspect")
    incident = fleet.report()
    assert fleet.orders(incident) == []
    assert fleet.alert_kinds()
    reply = fleet.request({"verb": "assign", "incident": incident.incident, "unit": "near"})
    assert reply.order is not None
    (order,) = fleet.orders(incident)
    assert order.unit == "near"
    assert fleet.now_ms == START_MS
