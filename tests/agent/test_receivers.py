"""Two receivers: fail-over in time, return with patience, each epoch once, disagreement told."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fix import Fix, FixKind
from agent.core.receivers import DISAGREE_MS, RETURN_MS, Receivers, error_bound_m

BEGIN_MS = 1_800_000_000_000
FIX = Fix(
    epoch_ms=BEGIN_MS, time_of_day_ms=0, lat_deg=24.5, lon_deg=117.6, alt_m=1.0, sog_mps=0.0,
    cog_deg=None, kind=FixKind.FIX_3D, satellites=9, hdop=0.9,
)  # fmt: skip
NO_FIX = replace(FIX, kind=FixKind.NONE, lat_deg=None, lon_deg=None, sog_mps=None)


def at(ms: int, fix: Fix = FIX, north_m: float = 0.0) -> Fix:
    if fix.lat_deg is not None:
        fix = replace(fix, lat_deg=fix.lat_deg + north_m / 111_195)
    return replace(fix, epoch_ms=BEGIN_MS + ms)


def test_the_first_is_preferred_while_it_is_good() -> None:
    receivers = Receivers(2)
    for ms in range(0, 10_000, 1000):
        assert receivers.take(0, at(ms), ms + 50) is not None
        assert receivers.take(1, at(ms), ms + 60) is None
    assert (receivers.active, receivers.changes, receivers.doubles) == (0, 0, 0)


def test_the_preferred_one_may_be_the_second_to_speak_but_not_wait_for_ever() -> None:
    receivers = Receivers(2)
    assert receivers.take(1, at(0), 0) is None
    assert receivers.take(0, at(0), 500) is not None
    silent = Receivers(2)
    assert silent.take(1, at(0), 0) is None
    assert silent.take(1, at(2000), 2000) is not None


@pytest.mark.parametrize("phase_ms", [0, 250, 500, 900])
@pytest.mark.parametrize("bad", [None, NO_FIX, replace(FIX, flags=("jump",))])
def test_fail_over_within_3_s(phase_ms: int, bad: Fix | None) -> None:
    receivers, used = Receivers(2), []
    for ms in range(0, 20_000, 50):
        if ms % 1000 == 0 and (ms <= 5000 or bad is not None):
            fix = at(ms) if ms <= 5000 or bad is None else at(ms, bad)
            used.append((ms, receivers.take(0, fix, ms)))
        if ms % 1000 == phase_ms:
            used.append((ms, receivers.take(1, at(ms), ms)))
    good = [ms for ms, fix in used if fix is not None and fix.lat_deg and not fix.flags]
    gaps = [later - earlier for earlier, later in pairwise(good)]
    assert max(gaps) <= 3000
    assert receivers.changes == 1


def test_a_lost_port_hands_over_at_once() -> None:
    receivers = Receivers(2)
    receivers.take(0, at(0), 0)
    receivers.take(1, at(0), 100)
    assert receivers.lost(0) is False
    assert receivers.take(1, at(1000), 1100) is not None
    assert receivers.lost(1) is True, "none is left"


def test_return_only_after_patience_and_a_hiccup_begins_it_anew() -> None:
    receivers = Receivers(2)
    receivers.take(0, at(0), 0)
    back_ms = None
    for ms in range(1000, 90_000, 1000):
        receivers.take(1, at(ms), ms)
        is_up = 10_000 <= ms < 30_000 or ms >= 35_000
        if is_up and receivers.take(0, at(ms + 10), ms + 10) is not None and back_ms is None:
            back_ms = ms
    assert back_ms is not None
    assert 35_000 + RETURN_MS <= back_ms <= 35_000 + RETURN_MS + 1000
    assert receivers.changes == 2


def test_the_epoch_of_the_change_is_given_once() -> None:
    receivers = Receivers(2)
    receivers.take(0, at(5000), 5010)
    receivers.lost(0)
    assert receivers.take(1, at(5000), 5100) is None
    assert receivers.doubles == 1
    assert receivers.take(1, at(6000), 6100) is not None


def test_a_receiver_that_was_in_the_future_does_not_silence_the_other() -> None:
    receivers = Receivers(2)
    receivers.take(0, at(20 * 365 * 86_400_000), 0)
    receivers.lost(0)
    assert receivers.take(1, at(1000), 1000) is not None


def test_what_has_no_epoch_is_given_on() -> None:
    receivers = Receivers(2)
    assert receivers.take(0, replace(FIX, epoch_ms=None), 0) is not None
    assert receivers.take(0, replace(NO_FIX, epoch_ms=None), 1000) is not None


def test_disagreement_is_told_after_seconds_and_ends() -> None:
    receivers = Receivers(2)
    bound_m = 2 * error_bound_m(FIX)
    told = {}
    for ms in range(0, 40_000, 1000):
        apart_m = 300.0 if 10_000 <= ms < 25_000 else bound_m - 1
        receivers.take(0, at(ms), ms)
        receivers.take(1, at(ms, north_m=apart_m), ms + 30)
        told[ms] = receivers.disagreement_m(ms + 30)
    assert all(told[ms] is None for ms in range(0, 10_000 + DISAGREE_MS, 1000))
    assert told[16_000] == pytest.approx(300, abs=0.5), "found within 10 s"
    assert all(told[ms] is None for ms in range(25_000, 40_000, 1000))
    assert receivers.disagreement_m(60_000) is None


def test_two_that_drive_and_report_apart_in_time_agree() -> None:
    receivers = Receivers(2)
    for ms in range(0, 20_000, 1000):
        driving = replace(FIX, sog_mps=40.0, cog_deg=0.0)
        receivers.take(0, at(ms, driving, north_m=ms * 0.04), ms)
        receivers.take(1, at(ms + 700, driving, north_m=(ms + 700) * 0.04), ms + 700)
        assert receivers.disagreement_m(ms + 700) is None


def test_old_places_are_not_compared() -> None:
    receivers = Receivers(2)
    receivers.take(1, at(0, north_m=900), 0)
    for ms in range(0, 20_000, 1000):
        receivers.take(0, at(ms), ms)
        assert receivers.disagreement_m(ms) is None


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1), st.integers(0, 1500), st.sampled_from(["good", "none", "lost"])
        ),
        max_size=60,
    )
)
def test_no_epoch_is_given_twice_by_receivers_of_one_time(
    steps: list[tuple[int, int, str]],
) -> None:
    receivers, given_ms, now_ms, last = Receivers(2), [], 0, {0: -1, 1: -1}
    for which, step_ms, kind in steps:
        now_ms += step_ms
        if kind == "lost":
            receivers.lost(which)
            continue
        epoch_ms = now_ms // 1000 * 1000
        if epoch_ms == last[which]:
            continue  # a source gives an epoch once
        last[which] = epoch_ms
        fix = receivers.take(which, at(epoch_ms, FIX if kind == "good" else NO_FIX), now_ms)
        if fix is not None:
            given_ms.append(fix.epoch_ms)
    assert len(given_ms) == len(set(given_ms))
