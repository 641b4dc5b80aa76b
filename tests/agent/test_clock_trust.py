"""What time it is: sources in their order, none believed alone that should not be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.clock_trust import (
    CONSISTENT_FIXES,
    GNSS_HOLDS_MS,
    ClockTrust,
    System,
    estimate,
    fix_trust,
    raise_floor,
    saw_fix,
    saw_welcome,
)
from protocol.words import TimeTrust

FLOOR = 1_790_000_000_000
NOW = 1_795_000_000_000
RTC = System(NOW - 5000, TimeTrust.RTC)
SYNCED = System(NOW, TimeTrust.NTP)


def fixes(state: ClockTrust, first_ms: int, count: int, step_ms: int = 1000) -> ClockTrust:
    """Fixes each second of uptime from 10 s, dated `step_ms` apart."""
    for i in range(count):
        state = saw_fix(state, first_ms + i * step_ms, 10_000 + i * 1000)
    return state


def test_gnss_is_believed_after_five_fixes_that_agree() -> None:
    four = fixes(ClockTrust(FLOOR), NOW, CONSISTENT_FIXES - 1)
    assert estimate(four, 13_000, RTC).trust is TimeTrust.RTC
    five = fixes(ClockTrust(FLOOR), NOW, CONSISTENT_FIXES)
    now = estimate(five, 14_000, RTC)
    assert (now.trust, now.utc_ms) == (TimeTrust.GNSS, NOW + 4000)
    assert fix_trust(five, NOW + 4000, now) is TimeTrust.GNSS
    assert fix_trust(five, NOW + 9000, now) is TimeTrust.NONE


def test_replay_at_another_speed_is_never_believed() -> None:
    state = fixes(ClockTrust(FLOOR), NOW, 20, step_ms=10_000)
    now = estimate(state, 30_000, RTC)
    assert now.trust is TimeTrust.RTC
    assert fix_trust(state, NOW + 200_000, now) is TimeTrust.NONE


def test_dates_before_the_floor_move_nothing() -> None:
    old = fixes(ClockTrust(FLOOR), FLOOR - 1024 * 7 * 86_400_000, 20)
    assert old.offsets_ms == ()
    assert estimate(old, 30_000, System(0, TimeTrust.RTC)).trust is TimeTrust.NONE
    assert estimate(old, 30_000, System(0, TimeTrust.RTC)).utc_ms == FLOOR


def test_gnss_that_contradicts_a_signed_time_is_not_believed() -> None:
    spoofed = fixes(ClockTrust(FLOOR), NOW + 3_600_000, 10)
    assert estimate(spoofed, 20_000, RTC).trust is TimeTrust.GNSS
    welcomed = saw_welcome(spoofed, NOW, 20_000)
    now = estimate(welcomed, 20_500, RTC)
    assert (now.trust, now.utc_ms) == (TimeTrust.NTP, NOW + 500)
    assert fix_trust(welcomed, NOW + 3_600_000, now) is TimeTrust.NONE


def test_first_fix_is_believed_where_a_signed_time_confirms_it() -> None:
    state = saw_welcome(ClockTrust(FLOOR), NOW, 1000)
    now = estimate(state, 2000, RTC)
    assert fix_trust(state, NOW + 700, now) is TimeTrust.NTP
    assert fix_trust(state, NOW - 1100, now) is TimeTrust.NONE
    assert fix_trust(state, None, now) is TimeTrust.NONE
    assert fix_trust(state, NOW, estimate(ClockTrust(FLOOR), 2000, RTC)) is TimeTrust.NONE


def test_welcome_holds_over_a_step_of_the_system_clock_and_raises_the_floor() -> None:
    state = saw_welcome(ClockTrust(FLOOR), NOW, 1000)
    assert state.floor_ms == NOW
    for system_ms in (0, NOW + 10**9):
        now = estimate(state, 61_000, System(system_ms, TimeTrust.RTC))
        assert (now.trust, now.utc_ms) == (TimeTrust.NTP, NOW + 60_000)


def test_synchronised_system_clock_is_ntp_unless_below_the_floor() -> None:
    assert estimate(ClockTrust(FLOOR), 1, SYNCED).trust is TimeTrust.NTP
    assert estimate(ClockTrust(NOW + 1), 1, SYNCED).trust is TimeTrust.NONE


def test_gnss_time_is_given_up_an_hour_after_the_last_fix() -> None:
    state = fixes(ClockTrust(FLOOR), NOW, 5)
    assert estimate(state, 14_000 + GNSS_HOLDS_MS, RTC).trust is TimeTrust.GNSS
    assert estimate(state, 14_001 + GNSS_HOLDS_MS, RTC).trust is TimeTrust.RTC


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("fix"), st.integers(0, 1 << 42)),
            st.tuples(st.just("welcome"), st.integers(0, 1 << 42)),
            st.tuples(st.just("floor"), st.integers(0, 1 << 42)),
        ),
        max_size=20,
    ),
    st.integers(0, 1 << 42),
    st.sampled_from(TimeTrust),
)
def test_estimate_is_never_below_the_floor(
    steps: list[tuple[str, int]], system_ms: int, trust: TimeTrust
) -> None:
    state, uptime_ms = ClockTrust(FLOOR), 0
    for kind, value in steps:
        uptime_ms += 1000
        if kind == "fix":
            state = saw_fix(state, value, uptime_ms)
        elif kind == "welcome":
            state = saw_welcome(state, value, uptime_ms)
        else:
            state = raise_floor(state, value)
        assert estimate(state, uptime_ms, System(system_ms, trust)).utc_ms >= state.floor_ms
