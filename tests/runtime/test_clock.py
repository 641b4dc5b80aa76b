"""The system's clocks and the one that tests move."""

import time

import pytest

from runtime import clock as clock_module
from runtime.clock import ManualClock, SystemClock, system_clock_synchronized


def test_system_clock_follows_boot_time_and_utc() -> None:
    clock = SystemClock()
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert before_ns <= clock.monotonic_ns() <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert abs(clock.monotonic_ms() - before_ns // 1_000_000) < 1000
    assert abs(clock.utc_ms() - time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000) < 1000


def test_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(utc_ms=1_000, monotonic_ms=50)
    assert (clock.utc_ms(), clock.monotonic_ms()) == (1_000, 50)
    clock.advance(1.5)
    clock.advance(0.5)
    assert (clock.utc_ms(), clock.monotonic_ms(), clock.monotonic_ns()) == (1_002, 52, 52_000_000)


def test_manual_clock_steps_utc_apart_from_monotonic() -> None:
    clock = ManualClock(utc_ms=1_000)
    clock.set_utc(-5)
    clock.set_monotonic(7)
    assert (clock.utc_ms(), clock.monotonic_ms()) == (2, 7)


def test_manual_clock_refuses_to_go_back() -> None:
    clock = ManualClock(monotonic_ms=10)
    with pytest.raises(ValueError, match="negative"):
        clock.set_monotonic(9)


@pytest.mark.parametrize(("state", "expected"), [(0, True), (1, True), (5, False)])
def test_kernel_state_decides_synchronisation(
    monkeypatch: pytest.MonkeyPatch, state: int, expected: bool
) -> None:
    monkeypatch.setattr(clock_module, "_adjtimex_state", lambda: state)
    assert system_clock_synchronized() is expected


def test_real_kernel_answers() -> None:
    assert clock_module._adjtimex_state() in range(-1, 6)
