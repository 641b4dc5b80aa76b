"""Driving mode by speed, standing, board and passenger (agent/core/driving.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.driving import STANDING_MS, UNKNOWN_MS, UNLOCK_MS, Driving, board_speed_mps
from protocol import device

KMH = 1 / 3.6


def driven() -> Driving:
    driving = Driving()
    driving.fix(40 * KMH, 0)
    assert driving.is_on(0)
    return driving


@pytest.mark.parametrize(("kmh", "is_on"), [(0, False), (7.9, False), (8.1, True), (120, True)])
def test_on_above_8_kmh(kmh: float, is_on: bool) -> None:
    driving = Driving()
    driving.fix(kmh * KMH, 0)
    assert driving.is_on(0) is is_on


def test_off_only_after_3_s_of_standing() -> None:
    driving = driven()
    driving.fix(5 * KMH, 1000)  # slow is not standing
    driving.fix(0.2, 2000)
    driving.fix(0.0, 2000 + STANDING_MS - 1)
    assert driving.is_on(2000 + STANDING_MS - 1)
    driving.fix(1.0, 5100)  # it crept on: standing begins anew
    driving.fix(0.0, 5200)
    driving.fix(0.0, 5200 + STANDING_MS - 1)
    assert driving.is_on(5200 + STANDING_MS - 1)
    driving.fix(0.0, 5200 + STANDING_MS)
    assert not driving.is_on(5200 + STANDING_MS)


def test_without_speed_a_tunnel_is_no_halt_and_a_dead_receiver_no_prison() -> None:
    driving = driven()
    driving.fix(None, 60_000)
    assert driving.is_on(60_000)
    assert driving.is_on(UNKNOWN_MS)
    assert not driving.is_on(UNKNOWN_MS + 1)


def test_the_boards_speed_counts_while_it_is_fresh() -> None:
    driving = Driving()
    driving.board(50 * KMH, 0)
    driving.fix(0.0, 1000)
    driving.fix(0.0, 4900)
    assert driving.is_on(4900)
    driving.fix(0.0, 5001)  # the board is silent
    driving.fix(0.0, 5001 + STANDING_MS)
    assert not driving.is_on(5001 + STANDING_MS)


def test_a_passenger_unlocks_and_it_ends_with_the_drive() -> None:
    driving = driven()
    assert not driving.unlock(1, 7, 100)  # nobody beside the driver
    assert driving.is_locked(7, 100)
    assert driving.unlock(2, 7, 100)
    assert not driving.is_locked(7, 100)
    assert driving.is_locked(8, 100)  # another shift
    driving.fix(40 * KMH, UNLOCK_MS)
    assert driving.is_locked(7, 100 + UNLOCK_MS)
    assert driving.unlock(2, 7, 100 + UNLOCK_MS)
    driving.fix(0.0, 101 + UNLOCK_MS)
    driving.fix(0.0, 101 + UNLOCK_MS + STANDING_MS)
    driving.fix(40 * KMH, 10_000 + UNLOCK_MS)
    assert driving.is_locked(7, 10_000 + UNLOCK_MS)


def test_there_is_nothing_to_unlock_where_it_stands() -> None:
    assert not Driving().unlock(2, 7, 0)
    assert not Driving().is_locked(7, 0)


@given(st.lists(st.tuples(st.floats(0, 60), st.integers(1, 5000)), max_size=60))
def test_never_off_within_3_s_of_driving(steps: list[tuple[float, int]]) -> None:
    driving, now_ms, moved_ms = Driving(), 0, None
    for speed_mps, wait_ms in steps:
        now_ms += wait_ms
        driving.fix(speed_mps, now_ms)
        if speed_mps > 8 * KMH:
            moved_ms = now_ms
        if moved_ms is not None and now_ms - moved_ms < STANDING_MS:
            assert driving.is_on(now_ms)


@pytest.mark.parametrize(
    ("name", "detail", "speed"),
    [
        ("input", {"input": "speed", "kmh": 36}, 10.0),
        ("input", {"input": "speed", "kmh": -1}, None),
        ("input", {"input": "speed", "kmh": "36"}, None),
        ("input", {"input": "siren", "kmh": 36}, None),
        ("mark", {"input": "speed", "kmh": 36}, None),
    ],
)
def test_a_boards_speed_is_read_strictly(
    name: str, detail: dict[str, object], speed: float | None
) -> None:
    event = device.Event.model_validate(
        {"device": "b", "device_kind": "board", "boot": 1, "event": 1, "name": name,
         "detail": detail}
    )  # fmt: skip
    assert board_speed_mps(event) == speed
