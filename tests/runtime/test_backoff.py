"""Delays between attempts to connect."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from runtime.backoff import Backoff


class Drawn(random.Random):
    """Draws the top of each range, and remembers the ranges."""

    def __init__(self) -> None:
        super().__init__(0)
        self.ranges: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.ranges.append((a, b))
        return b


def test_the_ceiling_doubles_up_to_the_cap_and_every_draw_starts_at_nothing() -> None:
    rng = Drawn()
    backoff = Backoff(0.5, 4.0, 0.0, rng)
    assert [backoff.delay_s(0.0) for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert {low for low, _ in rng.ranges} == {0}


def test_a_short_connection_keeps_the_delays_and_a_long_one_ends_them() -> None:
    backoff = Backoff(1.0, 8.0, 0.0, Drawn())
    for now_s in (0.0, 1.0, 2.0):
        backoff.delay_s(now_s)
    backoff.started(10.0)
    backoff.connected(10.5)
    assert backoff.delay_s(12.0) == 8.0
    backoff.started(20.0)
    backoff.connected(20.5)
    assert backoff.delay_s(28.5) == 1.0
    assert backoff.failures == 1


def test_handshakes_keep_their_distance_whatever_is_drawn() -> None:
    backoff = Backoff(0.001, 1.0, 5.0, random.Random(1))
    backoff.started(100.0)
    backoff.connected(100.2)
    assert backoff.delay_s(101.0) == 4.0


def test_who_was_taken_over_waits_for_half_the_cap_at_least() -> None:
    rng = Drawn()
    backoff = Backoff(0.5, 30.0, 0.0, rng)
    assert backoff.delay_s(0.0, taken_over=True) == 30.0
    assert rng.ranges[-1] == (15.0, 30.0)


@given(
    seed=st.integers(0, 2**32),
    lives=st.lists(st.tuples(st.booleans(), st.floats(0, 60)), min_size=1, max_size=60),
)
def test_no_delay_is_negative_or_above_its_bounds(
    seed: int, lives: list[tuple[bool, float]]
) -> None:
    backoff, now_s = Backoff(0.25, 30.0, 5.0, random.Random(seed)), 0.0
    for is_good, lived_s in lives:
        started_s = now_s
        backoff.started(now_s)
        if is_good:
            backoff.connected(now_s)
        now_s += lived_s
        delay_s = backoff.delay_s(now_s)
        assert 0 <= delay_s <= 30.0
        now_s += delay_s
        assert now_s - started_s >= 5.0 - 1e-6


def test_a_thousand_terminals_do_not_come_back_together() -> None:
    first = [Backoff(0.5, 30.0, 0.0, random.Random(seed)).delay_s(0.0) for seed in range(1000)]
    fullest = max(
        sum(1 for delay_s in first if slot <= 20 * delay_s < slot + 1) for slot in range(10)
    )
    assert fullest < 150
