"""What counts as attended, late or excluded, rule by rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from matcher.core import events as ev
from matcher.statistics import Rendering, report
from protocol.order import AnswerMeans
from tests.matcher.told_days import (
    LATER_MS,
    START_MS,
    Sent,
    Told,
    counted,
    events_of,
    new,
)


def one(sent: tuple[Sent, ...] = (), end: tuple[int, str, str | None] | None = None) -> Told:
    return Told(START_MS, 1, "0", sent, end)


def test_a_drone_and_a_bare_locator_attend_nobody() -> None:
    sent = tuple(Sent(unit, 0, 10, 20, 1) for unit in ("drone", "bare"))
    found = counted(new(), events_of([one(sent)]), LATER_MS)
    assert (found.fleet.attended, found.fleet.unattended) == (0, 1)


def test_a_crew_of_the_log_on_makes_a_bare_unit_attend() -> None:
    logon = ev.LoggedOn(START_MS, b"e", "t", ev.NO_ENTRY, 1, "bare", ("4711",), None)
    events = events_of([one((Sent("bare", 0, 10, 20, 1),))])
    found = counted(new(), [*events[:1], logon, *events[1:]], LATER_MS)
    assert found.fleet.attended == 1


def test_waiting_counts_as_late_from_ten_minutes_on() -> None:
    figures = new()
    events = events_of([one()])
    at_ten = counted(figures, events, START_MS + 600_000)
    assert (at_ten.fleet.open, at_ten.fleet.unattended, at_ten.fleet.within_10min) == (1, 0, None)
    later = Rendering(figures, 0).period(0, START_MS + 600_001, START_MS + 600_001)
    assert (later.fleet.open, later.fleet.unattended, later.fleet.within_10min) == (0, 1, 0.0)


@pytest.mark.parametrize(
    ("total_ms", "shares"),
    [(300_000, (1.0, 1.0)), (300_001, (0.0, 1.0)), (600_000, (0.0, 1.0)), (600_001, (0.0, 0.0))],
)
def test_five_and_ten_minutes_are_within(total_ms: int, shares: tuple[float, float]) -> None:
    found = counted(new(), events_of([one((Sent("a", 0, None, total_ms, 1),))]), LATER_MS)
    assert (found.fleet.within_5min, found.fleet.within_10min) == shares


def test_an_earlier_arrival_that_was_told_later_is_the_first() -> None:
    events = events_of([one((Sent("a", 0, 10, 60_000, 1), Sent("b", 0, 10, 90_000, 2)))])
    for at, event in enumerate(events):
        if isinstance(event, ev.OrderStepped) and event.order == "i-0-1" and event.step == "arrive":
            events[at] = replace(event, at_ms=START_MS + 30_000)
    found = counted(new(), events, LATER_MS)
    assert found.fleet.total.p50_s == 30
    assert found.fleet.arrivals.automatic.n == 1
    assert found.fleet.arrivals.touch.n == 0


def test_an_alert_that_is_taken_arrives_but_is_nobody_sent() -> None:
    events = events_of([one((Sent("a", 5_000, 10, 60_000, AnswerMeans.TOUCH),))])
    issued = next(event for event in events if isinstance(event, ev.OrderIssued))
    events[events.index(issued)] = replace(issued, kind="alert", slot=0)
    found = counted(new(), events, LATER_MS)
    assert (found.fleet.attended, found.fleet.process.n, found.fleet.total.n) == (1, 0, 1)


def test_excluded_incidents_are_listed_with_reason_and_wait() -> None:
    figures = new()
    end = (30_000 - 3, "cancelled", "caller_cancelled")
    counted(figures, events_of([one(end=end)]), LATER_MS)
    found = report(figures, "zz", 0, START_MS, LATER_MS, LATER_MS)
    (listed,) = found.excluded_incidents
    assert (listed.incident, listed.reason, listed.waited_s) == ("i-0", "caller_cancelled", 30)
    assert found.fleet.excluded == {"caller_cancelled": 1}
    assert found.fleet.within_5min is None


def test_events_of_later_releases_are_not_counted() -> None:
    class Later:
        at_ms = START_MS

    figures = new()
    figures.take(Later())  # type: ignore[arg-type]
    assert figures.cells == {}


def test_an_exercise_is_excluded_also_where_somebody_arrived() -> None:
    played = [
        replace(event, exercise=True) if isinstance(event, ev.IncidentOpened) else event
        for event in events_of([one((Sent("a", 0, 10, 60_000, 1),))])
    ]
    found = counted(new(), played, LATER_MS)
    assert found.fleet.excluded == {"exercise": 1}
    assert found.fleet.attended == 0
