"""The centre's time: never back, no mistaken step, right again once the clock was put right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.centre_clock import CentreClock
from matcher.core.steady_time import FLOOR_MS_MAX, STEP_MS, SteadyTime, begin_ms
from runtime.clock import ManualClock

NOW_MS = 1_795_000_000_000
HOUR_MS = 3_600_000
YEARS_MS = 20 * 365 * 86_400_000
_STEPS = st.one_of(
    st.integers(-YEARS_MS, YEARS_MS), st.sampled_from([-HOUR_MS, HOUR_MS, -999, 999, 0])
)
_LIFE = st.lists(st.tuples(st.integers(0, 5_000), _STEPS, st.booleans()), max_size=40)


@settings(max_examples=200, deadline=None)
@given(_LIFE)
def test_time_never_runs_back_and_never_stands(
    life: list[tuple[int, int, bool]],
) -> None:
    time, uptime_ms, last_ms = SteadyTime(NOW_MS, 0), 0, NOW_MS
    for passed_ms, shift_ms, synced in life:
        uptime_ms += passed_ms
        now_ms = time.now_ms(uptime_ms, NOW_MS + uptime_ms + shift_ms, is_synchronized=synced)
        assert now_ms - last_ms >= passed_ms // 2 - 1, "at least half as fast: deadlines come"
        if not synced:
            assert now_ms - last_ms <= passed_ms + STEP_MS + 1, "and no step is taken"
        last_ms = now_ms


@pytest.mark.parametrize("step_ms", [-YEARS_MS, -HOUR_MS, HOUR_MS, YEARS_MS])
def test_a_step_by_hand_is_told_and_not_followed(step_ms: int) -> None:
    clock = ManualClock(NOW_MS)
    centre = CentreClock(clock, 0, lambda: False)
    assert centre.now_ms() == NOW_MS
    clock.set_utc(NOW_MS + step_ms)
    for _ in range(20):
        clock.advance(500)
        centre.now_ms()
    assert centre.now_ms() == NOW_MS + 10_000
    clock.set_utc(NOW_MS + 10_000)
    assert centre.now_ms() == NOW_MS + 10_000


def test_a_clock_that_was_put_right_is_followed() -> None:
    clock, synced = ManualClock(NOW_MS), [False]
    centre = CentreClock(clock, 0, lambda: synced[0])
    clock.set_utc(NOW_MS + HOUR_MS)
    assert centre.now_ms() == NOW_MS
    synced[0] = True
    clock.advance(1_000)
    assert centre.now_ms() == NOW_MS + HOUR_MS + 1_000, "ahead at once"
    clock.set_utc(NOW_MS + HOUR_MS - 20_000)
    for _ in range(60):
        clock.advance(1_000)
        centre.now_ms()
    assert centre.now_ms() == clock.utc_ms(), "back at half pace, in time"


def test_what_is_journaled_is_a_floor_unless_a_wrong_clock_stamped_it() -> None:
    assert begin_ms(NOW_MS, 0) == NOW_MS
    assert begin_ms(NOW_MS, NOW_MS - 5) == NOW_MS
    assert begin_ms(NOW_MS, NOW_MS + FLOOR_MS_MAX) == NOW_MS + FLOOR_MS_MAX
    assert begin_ms(NOW_MS, NOW_MS + FLOOR_MS_MAX + 1) == NOW_MS
    assert begin_ms(NOW_MS, NOW_MS + YEARS_MS) == NOW_MS
