"""Figures equal what one counts by hand from the script, over random days; nothing is doubled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.core import figures as core
from matcher.core.figures_spread import Spread, step_of
from matcher.statistics import Rendering
from tests.matcher.told_days import (
    DAY_MS,
    EXCLUDED,
    LATER_MS,
    OFFSET_MIN,
    START_MS,
    UNITS,
    UNREAL,
    Sent,
    Told,
    by_hand,
    counted,
    events_of,
    new,
    said,
)

DELAY = st.integers(0, 900_000)
SENT = st.builds(
    Sent, st.sampled_from(UNITS), DELAY, st.none() | DELAY, st.none() | DELAY, st.integers(1, 3)
)
END = st.tuples(
    DELAY, st.sampled_from(["cleared", "cancelled"]),
    st.sampled_from([None, "handled", "false_alarm", *EXCLUDED, *UNREAL]),
)  # fmt: skip
TOLD = st.builds(
    Told, st.integers(START_MS, START_MS + DAY_MS), st.integers(0, 4),
    st.sampled_from(["0", "1", "2"]), st.lists(SENT, max_size=3).map(tuple), st.none() | END,
    st.sampled_from(["theft", "theft", "exercise"]), st.booleans(),
)  # fmt: skip
DAYS = st.lists(TOLD, max_size=12)


@settings(max_examples=200, deadline=None)
@given(DAYS, st.integers(0, 2 * DAY_MS))
def test_every_group_is_what_one_counts_by_hand(incidents: list[Told], later: int) -> None:
    events = events_of(incidents)
    now_ms = max(START_MS + DAY_MS + later, events[-1].at_ms)
    found = counted(new(), events, now_ms)
    assert said(found.fleet) == by_hand(incidents, now_ms)
    for axis, key_of in (
        (found.by_priority, lambda t: str(t.priority)),
        (found.by_district, lambda t: t.district),
        (found.by_hour, lambda t: f"{(t.at + OFFSET_MIN * 60_000) // 3_600_000 % 24:02d}"),
    ):
        assert sorted(axis) == sorted({key_of(told) for told in incidents})
        for key, one in axis.items():
            assert said(one) == by_hand([t for t in incidents if key_of(t) == key], now_ms)


@settings(max_examples=100, deadline=None)
@given(DAYS, st.integers(0, DAY_MS), st.integers(0, DAY_MS))
def test_a_period_holds_what_was_reported_in_it(
    incidents: list[Told], since: int, length: int
) -> None:
    since_ms, until_ms = START_MS + since, START_MS + since + length
    found = counted(new(since_ms=since_ms, until_ms=until_ms), events_of(incidents), LATER_MS)
    inside = [told for told in incidents if since_ms <= told.at < until_ms]
    assert said(found.fleet) == by_hand(inside, LATER_MS)


@settings(max_examples=100, deadline=None)
@given(DAYS, st.integers(0, 30))
def test_what_is_forgotten_was_never_there(incidents: list[Told], hours: int) -> None:
    """A sliding day: after each step the same as counted anew from there."""
    since_ms = START_MS + hours * 3_600_000 + 17
    figures = new(keep=True)
    counted(figures, events_of(incidents), LATER_MS)
    figures.forget_before(since_ms)
    found = Rendering(figures, OFFSET_MIN).period(figures.since_ms, LATER_MS, LATER_MS)
    inside = [told for told in incidents if told.at >= figures.since_ms]
    assert figures.since_ms == START_MS + hours * 3_600_000
    assert said(found.fleet) == by_hand(inside, LATER_MS)
    assert sum(one.incidents for one in found.by_hour.values()) == len(inside)


@pytest.mark.parametrize("keep", [False, True])
@settings(max_examples=60, deadline=None)
@given(incidents=DAYS)
def test_what_is_let_go_stays_counted(keep: bool, incidents: list[Told]) -> None:
    """With room for two closed incidents only; those that are opened again are not in it."""
    incidents = [replace(told, reopened=False) for told in incidents]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(core, "CLOSED_KEPT", 2)
        figures = new(keep=keep)
        found = counted(figures, events_of(incidents), LATER_MS)
    assert said(found.fleet) == by_hand(incidents, LATER_MS)
    assert len(figures._closed) <= 2
    open_or_kept = {*figures._open, *figures._closed}
    assert set(figures._counted) == open_or_kept
    assert {case.incident for case in figures._case_of.values()} <= open_or_kept
    if not keep:
        listed = {one.incident for one in figures.excluded()}
        assert len(listed) == sum(found.fleet.excluded.values())


@settings(max_examples=60, deadline=None)
@given(DAYS)
def test_renderings_that_are_kept_are_those_made_anew(incidents: list[Told]) -> None:
    figures = new()
    rendering = Rendering(figures, OFFSET_MIN)
    for event in events_of(incidents):
        figures.take(event)
        kept = rendering.period(0, event.at_ms, event.at_ms)
        assert kept == Rendering(figures, OFFSET_MIN).period(0, event.at_ms, event.at_ms)


# --- steps of time -------------------------------------------------------------------------------


@given(st.integers(-5, 200_000_000))
def test_a_step_is_the_durations_lower_edge(duration_ms: int) -> None:
    step = step_of(duration_ms)
    assert step <= max(0, duration_ms)
    assert step_of(step) == step
    if duration_ms < 3_600_000:
        assert max(0, duration_ms) - step < 100
    elif duration_ms < 86_400_000:
        assert duration_ms - step < 60_000


@given(st.lists(st.integers(0, 500_000), max_size=30), st.lists(st.integers(0, 500_000)))
def test_taking_away_is_never_having_added(kept: list[int], gone: list[int]) -> None:
    both, only = Spread(), Spread()
    for value in kept:
        only.add(value)
    for value in [*kept, *gone]:
        both.add(value)
    for value in gone:
        both.add(value, -1)
    assert (both.n, both._counts) == (only.n, only._counts)
    assert both.percentile_ms(90) == only.percentile_ms(90)
