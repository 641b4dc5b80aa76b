"""What a day writes: projected before a day has passed, then of the last 24 hours."""

from __future__ import annotations

from agent.core.wear import DAY_HOURS, HOUR_MS, LEAST_MS, Wear, Written


def test_projected_from_the_first_minute_on() -> None:
    wear = Wear(5_000)
    wear.note(5_000 + LEAST_MS - 1, Written(10, 20))
    assert wear.per_day() is None
    wear.note(5_000 + HOUR_MS // 2, Written(1_000, 4_096))
    assert wear.per_day() == Written(48_000, 48 * 4_096)


def test_a_day_later_only_the_last_day_counts() -> None:
    wear, given = Wear(0), 0
    for hour in range(1, 3 * DAY_HOURS + 1):
        given += 1_000_000 if hour <= DAY_HOURS else 10
        wear.note(hour * HOUR_MS, Written(given, 2 * given))
    assert wear.per_day() == Written(240, 480)
