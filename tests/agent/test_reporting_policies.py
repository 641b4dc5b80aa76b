"""When a position is due: prediction error, promise, urgent orders, changes of state."""

from __future__ import annotations

from agent.core.fix import Fix, FixKind
from agent.core.motion import Motion
from agent.core.reporting import DistanceAngle, Predict, Reporter, Sample
from protocol.predict import STEADY, motion_of

LAT, LON = 24.513, 117.647
DEGREE_M = 111_319.5


def driving(at_s: float, north_m: float, speed_mps: float = 10.0, course_deg: float = 0) -> Sample:
    at_ms = round(at_s * 1000)
    return Sample(at_ms, LAT + north_m / DEGREE_M, LON, at_ms, speed_mps, course_deg)


def test_steady_driving_is_silent_until_the_promise_ends() -> None:
    reporter = Reporter(Predict(15.0, 30))
    reporter.sent(driving(0, 0), "state")
    due = [s for s in range(1, 31) if reporter.due(driving(s, 10 * s), "state", s * 1000)]
    assert due == [29, 30]


def test_braking_is_told_when_the_prediction_is_off_by_more_than_the_bound() -> None:
    reporter = Reporter(Predict(15.0, 30))
    reporter.sent(driving(0, 0), "state")
    stands_at_m = 5.0
    due = [s for s in range(1, 9) if reporter.due(driving(s, stands_at_m, 0), "state", s * 1000)]
    assert due[0] == 3  # predicted 30 m on, 25 m off; 15 m at 2 s are not more than the bound


def test_an_urgent_order_has_each_second_told_under_a_short_promise() -> None:
    reporter = Reporter(Predict(15.0, 30))
    reporter.sent(driving(0, 0), "state", reporter.next_s(urgent=True))
    assert reporter.next_s(urgent=True) == 3
    assert not reporter.due(driving(0.2, 2), "state", 200, urgent=True)
    assert reporter.due(driving(1, 10), "state", 1000, urgent=True)
    assert not reporter.due(driving(1, 10), "state", 1000)
    assert reporter.due(None, "state", 2000)  # no new fix: the short promise is kept all the same


def test_a_change_of_state_and_a_new_connection_are_told_at_once() -> None:
    reporter = Reporter(Predict(15.0, 30))
    reporter.sent(driving(0, 0), ("available", True, 0))
    assert not reporter.due(driving(1, 10), ("available", True, 0), 1000)
    assert reporter.due(driving(1, 10), ("available", True, 1), 1000)
    reporter.connected()
    assert reporter.due(driving(1, 10), ("available", True, 0), 1000)


def test_distance_and_angle_sends_after_either() -> None:
    policy = DistanceAngle(50.0, 30.0)
    last = driving(0, 0)
    assert not policy.worth_sending(last, driving(4, 40))
    assert policy.worth_sending(last, driving(6, 60))
    assert policy.worth_sending(last, driving(2, 20, course_deg=31))
    assert not policy.worth_sending(last, driving(2, 2, speed_mps=1.0, course_deg=90))


def fix(at_ms: int, speed_mps: float, course_deg: float) -> Fix:
    return Fix(
        epoch_ms=at_ms, time_of_day_ms=at_ms, lat_deg=LAT, lon_deg=LON, alt_m=None,
        sog_mps=speed_mps, cog_deg=course_deg, kind=FixKind.FIX_3D, satellites=9, hdop=1.0,
    )  # fmt: skip


def test_motion_is_seen_over_one_second_at_any_rate() -> None:
    slow, fast = Motion(), Motion()
    assert slow.feed(fix(0, 10.0, 355.0)) == STEADY
    accel_mps2, turn_deg_s = motion_of(slow.feed(fix(1000, 8.0, 5.0)))
    assert accel_mps2 < -2.0
    assert turn_deg_s > 0  # over north, not all the way round
    codes = [fast.feed(fix(100 * i, 10.0 - 0.2 * i, 0.0)) for i in range(21)]
    assert codes[4] == STEADY
    assert motion_of(codes[20])[0] == motion_of(codes[12])[0] < -2.0


def test_motion_begins_anew_after_a_gap() -> None:
    motion = Motion()
    motion.feed(fix(0, 10.0, 0.0))
    assert motion.feed(fix(5000, 2.0, 90.0)) == STEADY
