"""Words, flags, instants and repeats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import repeats
from protocol.instant import iso
from protocol.refusal import Reason, Refused
from protocol.repeats import Repeat
from protocol.words import (
    FIX_FLAGS,
    FixKind,
    Status,
    TimeTrust,
    bits_to_flags,
    flags_to_bits,
)
from tests.protocol.dispatchable import DISPATCHABLE_TO_PRIORITY


@pytest.mark.parametrize("status", Status)
def test_a_status_is_a_word_and_has_a_rule(status: Status) -> None:
    assert Status.from_word(status.word) is status
    assert status in DISPATCHABLE_TO_PRIORITY


def test_numbers_on_the_wire_stay() -> None:
    assert [(s.word, int(s)) for s in Status] == [
        ("off_duty", 0), ("available", 1), ("dispatched", 2), ("en_route", 3), ("staging", 4),
        ("on_scene", 5), ("transporting", 6), ("at_facility", 7), ("busy", 8),
        ("out_of_service", 9), ("emergency", 10),
    ]  # fmt: skip
    assert [int(trust) for trust in TimeTrust] == [0, 1, 2, 3]
    assert [int(kind) for kind in FixKind] == [0, 1, 2]
    assert FIX_FLAGS.index("parked") == 0
    assert FIX_FLAGS.index("suspect") == 1


@given(st.sets(st.sampled_from(FIX_FLAGS)))
def test_flags_there_and_back(flags: set[str]) -> None:
    ordered = tuple(flag for flag in FIX_FLAGS if flag in flags)
    assert bits_to_flags(flags_to_bits(ordered)) == ordered


def test_bits_that_no_word_has_yet_are_passed_over() -> None:
    assert bits_to_flags(0x8001) == ("parked",)


def test_an_unknown_flag_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        flags_to_bits(("sideways",))


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"), (999, "1970-01-01T00:00:00.999Z"),
        (1_709_164_800_001, "2024-02-29T00:00:00.001Z"), (1 << 43, "2248-09-26T15:10:22.208Z"),
    ],
)  # fmt: skip
def test_instants(time_ms: int, text: str) -> None:
    assert iso(time_ms) == text


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_repeats_double_up_to_a_cap(attempt: int, draw: float) -> None:
    steady, spread = Repeat(1_000, 10_000, False), Repeat(1_000, 10_000, True)
    full_ms = min(10_000, 1_000 * 2 ** min(attempt, 20))
    assert steady.delay_ms(attempt, draw) == full_ms
    assert 1 <= spread.delay_ms(attempt, draw) <= full_ms


def test_repeats_of_the_contract() -> None:
    assert [repeats.DISPATCH.delay_ms(n, 0.5) for n in range(5)] == [1000, 2000, 4000, 8000, 10_000]
    for repeat in (repeats.BIRTH, repeats.BATCH):
        assert (repeat.first_ms, repeat.cap_ms, repeat.full_jitter) == (2_000, 30_000, True)
    assert repeats.BIRTH.delay_ms(2, 0.5) == 4_000


def test_a_refusal_says_reason_and_place() -> None:
    refused = Refused(Reason.EXPIRED, "order o-1: 3 s ago")
    assert (str(refused), refused.reason, refused.detail) == (
        "expired: order o-1: 3 s ago", "expired", "order o-1: 3 s ago"
    )  # fmt: skip
