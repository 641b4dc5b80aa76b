"""How often people are disturbed: alerts per unit and shift, alarms per dispatcher and hour."""

from __future__ import annotations

from matcher.core import events as ev
from matcher.statistics import Rendering, report
from tests.matcher.told_days import (
    LATER_MS,
    START_MS,
    counted,
    new,
)


def logged(at_ms: int, unit: str, on: bool = True, enrolment: bytes = b"") -> ev.Event:
    enrolment = enrolment or unit.encode()
    if on:
        return ev.LoggedOn(at_ms, enrolment, "t", ev.NO_ENTRY, 1, unit, ("4711",), None)
    return ev.LoggedOff(at_ms, enrolment, ev.NO_ENTRY, 1)


def alerted(at_ms: int, unit: str, kind: str = "alert") -> ev.OrderIssued:
    return ev.OrderIssued(at_ms, f"o-{at_ms}", "i-0", unit, kind, 0, 1, at_ms, 0, "rule", None)


def test_alerts_per_unit_and_shift() -> None:
    """Five alerts in one shift of `a`, none in the next; one in the shift of `b` that is on."""
    at = START_MS
    events = [
        alerted(at, "a"),  # before any shift: not counted
        logged(at, "a"), *(alerted(at + n, "a") for n in range(5)), alerted(at, "a", "assign"),
        logged(at + 9, "a", on=False), logged(at + 10, "a"), logged(at + 11, "a", on=False),
        logged(at, "b"), alerted(at, "b"),
    ]  # fmt: skip
    figures = new()
    found = counted(figures, events, LATER_MS).crew_alerts
    assert (found.aim, found.shifts, found.alerts, found.per_shift) == (4, 3, 6, 2.0)
    assert (found.most, found.over_aim) == (5, 1)
    units = report(figures, "zz", 0, START_MS, LATER_MS, LATER_MS).units
    assert [(u.unit, u.shifts, u.alerts, u.most, u.over_aim) for u in units] == [
        ("a", 2, 5, 5, 1), ("b", 1, 1, 1, 0),
    ]  # fmt: skip


def test_a_shift_ends_with_the_units_last_terminal() -> None:
    events = [
        logged(START_MS, "a", enrolment=b"1"), logged(START_MS, "a", enrolment=b"2"),
        logged(START_MS, "a", on=False, enrolment=b"1"), alerted(START_MS, "a"),
        ev.IdentitiesTaken(START_MS, 2, b"", ((b"3", "t"),)), alerted(START_MS, "a"),
    ]  # fmt: skip
    found = counted(new(), events, LATER_MS).crew_alerts
    assert (found.shifts, found.alerts) == (1, 1)


def test_a_terminal_that_logs_on_elsewhere_ends_its_first_shift() -> None:
    events = [
        logged(START_MS, "a", enrolment=b"1"), alerted(START_MS, "a"),
        logged(START_MS, "b", enrolment=b"1"), alerted(START_MS, "a"), alerted(START_MS, "b"),
    ]  # fmt: skip
    found = counted(new(), events, LATER_MS).crew_alerts
    assert (found.shifts, found.alerts, found.most) == (2, 2, 1)


def raised(at_ms: int, times: int) -> list[ev.Event]:
    return [
        ev.AlertRaised(at_ms, f"x-{at_ms}-{n}", "sos", None, None, None, "") for n in range(times)
    ]


def acknowledged(at_ms: int, *people: str) -> list[ev.Event]:
    return [ev.AlertAcknowledged(at_ms, "x", person) for person in people]


def test_alarms_per_dispatcher_and_hour() -> None:
    """20 alarms for three people, one of them twice; 4 that nobody saw; an hour of peace."""
    first, second, third = (START_MS + n * 3_600_000 for n in (1, 2, 3))
    events = [
        *raised(first, 20), *acknowledged(first, "Lin", "Wu", "Lin", "Xu"), *raised(second, 4),
        *acknowledged(third, "Lin"),
    ]  # fmt: skip
    found = counted(new(), events, LATER_MS).desk_alarms
    assert (found.aim, found.hours, found.alarms, found.per_dispatcher) == (6, 2, 24, 6.0)
    assert (found.most, found.over_aim, found.unacknowledged) == (6.7, 1, 1)


def test_shifts_and_hours_are_forgotten_too() -> None:
    late = START_MS + 5 * 3_600_000
    events = [
        logged(START_MS, "a"), alerted(START_MS, "a"), logged(START_MS + 1, "a", on=False),
        *raised(START_MS, 2), logged(late, "b"), alerted(late, "b"), *raised(late, 1),
    ]  # fmt: skip
    figures = new(keep=True)
    counted(figures, events, LATER_MS)
    figures.forget_before(late)
    found = Rendering(figures, 0).period(late, LATER_MS, LATER_MS)
    assert (found.crew_alerts.shifts, found.crew_alerts.alerts) == (1, 1)
    assert (found.desk_alarms.hours, found.desk_alarms.alarms) == (1, 1)
