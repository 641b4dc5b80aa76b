"""Incident numbers: pattern, the fleet's midnight, and that none comes twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codebook_number import (
    NO_SERIAL,
    NUMBER_CHARACTERS_MAX,
    SERIAL_MAX,
    NumberPattern,
    Serial,
    local_day,
    next_serial,
)
from protocol.codebook_shipped import shipped

WHOLE_DATE = ("year", "month", "day")
LONG = NumberPattern.parse("{agency}{date:%Y%m%d}{serial:05d}", NUMBER_CHARACTERS_MAX, WHOLE_DATE)
RADIO = NumberPattern.parse("{date:%d}-{serial:03d}", 16)
DAYS = st.integers(0, 100_000)  # to the year 2243
SERIALS = st.integers(1, SERIAL_MAX)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{agency}{date:%Y%m%d}{serial:05d}", "3506002026112400017"),
        ("{agency}-{date:%y%j}-{serial}", "350600-26328-17"),
        ("JQ{date:%Y-%m-%d}-{serial:04d}", "JQ2026-11-24-0017"),
        ("{serial:03d}{date:%Y}{date:%m%d}X", "01720261124X"),
    ],
)
def test_patterns(pattern: str, text: str) -> None:
    made = NumberPattern.parse(pattern, NUMBER_CHARACTERS_MAX, WHOLE_DATE)
    day = local_day(ms("2026-11-24T12:00:00+08:00"), 480)
    assert made.text("350600", day, 17) == text


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("{agency}{date:%Y%m%d}", "has 0 serials – give exactly one"),
        ("{date:%Y%m%d}{serial}{serial}", "has 2 serials – give exactly one"),
        ("{date:%Y%d}{serial}", "does not say the month: numbers would repeat – give the whole"),
        ("{date:%Y%m}{serial}", "does not say the day: numbers would repeat – "),
        ("{serial}", "does not say the year: numbers would repeat – "),
        ("{date:%Y%m%d}{serial:05d", "has a brace without its other half – write {serial:05d}"),
        ("{date:%Y%m%d}}{serial}", "has a brace without its other half – "),
        ("{day}{serial}", "has {day}, which is no field – use {agency}, "),
        ("{serial:5d}", "has {serial:5d}, which is no field – "),
        ("{serial!r}", "has {serial!r}, which is no field – "),
        ("{agency.__class__}", "has {agency.__class__}, which is no field – "),
        ("{}{serial}", "has {}, which is no field – "),
        ("{date:%H}{serial}", "has %H in a date – use %Y, %y, %m, %d or %j"),
        ("{date:%Y%m%d}/{serial}", "has '/' in it – only letters, digits and - between fields"),
        ("警{date:%Y%m%d}{serial}", "has '警' in it – only letters"),
        ("{agency}{agency}{date:%Y%m%d}{serial}", "may grow to 39 characters – at most 31"),
    ],
)
def test_a_pattern_that_gives_no_numbers(pattern: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        NumberPattern.parse(pattern, NUMBER_CHARACTERS_MAX, WHOLE_DATE)
    assert str(caught.value).startswith(fault)


@pytest.mark.parametrize(
    ("time", "offset_min", "number"),
    [
        ("2026-11-24T15:59:59.999+00:00", 480, "24-007"),
        ("2026-11-24T16:00:00.000+00:00", 480, "25-007"),  # midnight in China, afternoon in UTC
        ("2026-11-24T23:59:59.999+00:00", 0, "24-007"),
        ("2026-11-25T00:00:00.000+00:00", 0, "25-007"),
        ("2026-11-25T03:29:59.999+00:00", -210, "24-007"),
        ("2026-11-25T03:30:00.000+00:00", -210, "25-007"),
        ("2026-12-31T16:00:00.000+00:00", 480, "01-007"),
        ("2028-02-28T16:00:00.000+00:00", 480, "29-007"),
    ],
)
def test_the_day_is_the_fleets(time: str, offset_min: int, number: str) -> None:
    assert RADIO.text("350600", local_day(ms(time), offset_min), 7) == number


@given(st.integers(0, 8_000_000_000_000), st.integers(-720, 840))
def test_the_date_is_that_of_a_clock_on_the_wall(time_ms: int, offset_min: int) -> None:
    wall = datetime.fromtimestamp(time_ms // 1000 + offset_min * 60, UTC)
    text = LONG.text("3506", local_day(time_ms, offset_min), 1)
    assert text == f"3506{wall.year:04d}{wall.month:02d}{wall.day:02d}00001"


@given(DAYS, SERIALS, DAYS, SERIALS)
def test_two_incidents_have_two_numbers(day: int, one: int, other_day: int, other: int) -> None:
    same = (day, one) == (other_day, other)
    for pattern in (LONG, shipped().number_pattern()):
        first, second = (pattern.text("35", *pair) for pair in [(day, one), (other_day, other)])
        assert (first == second) == same


@given(DAYS, st.integers(1, 200_000))
def test_a_serial_that_outgrows_its_width_stays_apart(day: int, serial: int) -> None:
    numbers = {LONG.text("350600", d, s) for d in (day, day + 1) for s in (serial, serial + 1)}
    assert len(numbers) == 4
    assert all(len(number) <= NUMBER_CHARACTERS_MAX for number in numbers)


def test_the_serial_begins_anew_each_day() -> None:
    given_out = [next_serial(NO_SERIAL, 20_781)]
    for day in (20_781, 20_782, 20_782, 20_790):
        given_out.append(next_serial(given_out[-1], day))
    assert given_out == [(20_781, 1), (20_781, 2), (20_782, 1), (20_782, 2), (20_790, 1)]


@given(st.lists(DAYS, max_size=60))
def test_none_comes_twice_even_where_the_clock_runs_back(days: list[int]) -> None:
    last, given_out = NO_SERIAL, []
    for day in days:
        last = next_serial(last, day)
        given_out.append(last)
    assert len(set(given_out)) == len(given_out)
    assert given_out == sorted(given_out)


def test_the_clock_set_back_over_midnight() -> None:
    assert next_serial(Serial(20_782, 4), 20_781) == (20_782, 5)


def test_shipped_patterns() -> None:
    book, day = shipped(), local_day(ms("2026-11-24T23:30:00+08:00"), 480)
    assert book.number_pattern().text(book.agency, day, 2) == "3506000000002026112400002"
    assert book.radio_pattern().text(book.agency, day, 2) == "24-002"
