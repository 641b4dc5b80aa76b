"""When the newest position is worth sending, and for how long it is promised to hold; pure.

`Policy` is the interface. `Predict` is the terminal's own: it reports when the truth leaves what
the centre extrapolates (protocol/predict.py); `DistanceAngle` and `Interval` are what trackers do.
Whatever a policy says, a position goes out at once after a connect and on a change of status,
each second while an urgent order is held, and before the promise (`next_s`) of the one before it
ends, with or without a fix. Called by the terminal and by `outrider report replay`.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from protocol.geodesy import distance_m
from protocol.position import NEXT_S_MAX
from protocol.predict import STEADY, Reported, predict

EARLY_MS: Final = 250  # a fix that comes a little early is not put off by a whole second
URGENT_NEXT_S: Final = 3
TURN_SPEED_MPS: Final = 2.0  # slower, a receiver's course means nothing
_DUE_BEFORE_MS: Final = 1000  # a promise is kept a second early: the message has to travel


@dataclass(frozen=True, slots=True)
class Sample:
    """A fix as a policy sees it; None where there is no position."""

    uptime_ms: int
    lat_deg: float | None
    lon_deg: float | None
    epoch_ms: int | None = None
    speed_mps: float | None = None
    course_deg: float | None = None
    motion: int = STEADY

    def reported(self) -> Reported | None:
        """What the centre knows once this is sent, as exact as the wire."""
        if self.lat_deg is None or self.lon_deg is None:
            return None
        course = None if self.course_deg is None else round(self.course_deg, 1)
        speed = round(self.speed_mps or 0.0, 2)
        return Reported(self.lat_deg, self.lon_deg, speed, course, self.motion)


def between_s(last: Sample, fix: Sample) -> float:
    """Time between two fixes: by the receiver's clock where both are dated."""
    if last.epoch_ms is not None and fix.epoch_ms is not None:
        return (fix.epoch_ms - last.epoch_ms) / 1000
    return (fix.uptime_ms - last.uptime_ms) / 1000


class Policy(Protocol):
    """When a new fix is worth a message, and what a watcher makes of the last one."""

    @property
    def next_s(self) -> int:
        """The promise that a position carries, 1..30 s."""
        ...

    def worth_sending(self, last: Sample, fix: Sample) -> bool: ...

    def error_m(self, last: Sample, fix: Sample) -> float:
        """How far a watcher of the last report is from the truth; inf where it knows nothing."""
        ...


def _held_error_m(last: Sample, fix: Sample) -> float:
    """The watcher holds the last fix."""
    if last.lat_deg is None or last.lon_deg is None or fix.lat_deg is None or fix.lon_deg is None:
        return float("inf")
    return distance_m(last.lat_deg, last.lon_deg, fix.lat_deg, fix.lon_deg)


def _promise(next_s: int) -> int:
    return max(1, min(NEXT_S_MAX, next_s))


@dataclass(frozen=True, slots=True)
class Predict:
    """When the prediction is off by more than `bound_m`."""

    bound_m: float = 15.0
    promise_s: int = NEXT_S_MAX

    @property
    def next_s(self) -> int:
        return _promise(self.promise_s)

    def worth_sending(self, last: Sample, fix: Sample) -> bool:
        if fix.lat_deg is None:
            return False  # the lease says it in time
        return self.error_m(last, fix) > self.bound_m

    def error_m(self, last: Sample, fix: Sample) -> float:
        seen = last.reported()
        if seen is None or fix.lat_deg is None or fix.lon_deg is None:
            return float("inf")
        return distance_m(*predict(seen, between_s(last, fix)), fix.lat_deg, fix.lon_deg)


@dataclass(frozen=True, slots=True)
class DistanceAngle:
    """After `distance_m`, or a turn of more than `turn_deg` above walking speed."""

    distance_m: float
    turn_deg: float = 30.0
    promise_s: int = NEXT_S_MAX

    @property
    def next_s(self) -> int:
        return _promise(self.promise_s)

    def worth_sending(self, last: Sample, fix: Sample) -> bool:
        if fix.lat_deg is None:
            return False
        return self.error_m(last, fix) >= self.distance_m or self._has_turned(last, fix)

    def _has_turned(self, last: Sample, fix: Sample) -> bool:
        if fix.course_deg is None or last.course_deg is None:
            return False
        turned_deg = abs((fix.course_deg - last.course_deg + 180) % 360 - 180)
        return (fix.speed_mps or 0.0) > TURN_SPEED_MPS and turned_deg > self.turn_deg

    def error_m(self, last: Sample, fix: Sample) -> float:
        return _held_error_m(last, fix)


@dataclass(frozen=True, slots=True)
class Interval:
    """Every `interval_s`, sooner after `distance_m`."""

    interval_s: float
    distance_m: float
    promise_s: int

    @property
    def next_s(self) -> int:
        return _promise(self.promise_s)

    def worth_sending(self, last: Sample, fix: Sample) -> bool:
        if fix.uptime_ms - last.uptime_ms >= self.interval_s * 1000 - EARLY_MS:
            return True
        if fix.lat_deg is None:
            return False
        return self.error_m(last, fix) >= self.distance_m

    def error_m(self, last: Sample, fix: Sample) -> float:
        return _held_error_m(last, fix)


class Reporter:
    """Remembers what was sent; `last` None: nothing on this connection yet."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.last: Sample | None = None
        self._state: object = None
        self._next_s = policy.next_s

    def connected(self) -> None:
        self.last = None

    def next_s(self, *, urgent: bool = False) -> int:
        """The promise for the position that is sent now."""
        return min(URGENT_NEXT_S, self.policy.next_s) if urgent else self.policy.next_s

    def due(
        self, newest: Sample | None, state: object, uptime_ms: int, *, urgent: bool = False
    ) -> bool:
        """Whether to send now; `newest` is the newest fix, None before the first.

        `state` is what must be told at once when it changes: status, trust, flags. `urgent`: an
        order of priority 1 is held, so each second's fix goes out.
        """
        last = self.last
        if last is None or state != self._state or uptime_ms >= self.lease_end_ms():
            return True
        if newest is None or newest.uptime_ms <= last.uptime_ms:
            return False
        if urgent and newest.uptime_ms - last.uptime_ms >= 1000 - EARLY_MS:
            return True
        return self.policy.worth_sending(last, newest)

    def lease_end_ms(self) -> int:
        """When the promise of the last position would be broken, one second earlier."""
        if self.last is None:
            return 0
        return self.last.uptime_ms + max(500, self._next_s * 1000 - _DUE_BEFORE_MS)

    def sent(self, sample: Sample, state: object, next_s: int | None = None) -> None:
        self.last, self._state = sample, state
        self._next_s = self.policy.next_s if next_s is None else next_s
