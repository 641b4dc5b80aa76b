"""When the newest position is worth sending, and for how long it is promised to hold; pure.

`Policy` is the interface; others are added beside `IntervalDistance`. Whatever a policy says, a
position goes out at once after a connect and on a change of status, and before the promise
(`next_s`) of the one before it ends, with or without a fix. Called by the terminal.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from protocol.geodesy import distance_m
from protocol.position import NEXT_S_MAX

EARLY_MS: Final = 250  # a fix that comes a little early is not put off by a whole second


@dataclass(frozen=True, slots=True)
class Sample:
    """A fix as the policy sees it; None where there is no position."""

    uptime_ms: int
    lat_deg: float | None
    lon_deg: float | None


class Policy(Protocol):
    """When a new fix is worth a message."""

    @property
    def next_s(self) -> int:
        """The promise that a position carries, 1..30 s."""
        ...

    def worth_sending(self, last: Sample, fix: Sample) -> bool: ...


@dataclass(frozen=True, slots=True)
class IntervalDistance:
    """Every `interval_s`, sooner after `distance_m`."""

    interval_s: float
    distance_m: float
    lease_s: int

    @property
    def next_s(self) -> int:
        return max(1, min(NEXT_S_MAX, self.lease_s))

    def worth_sending(self, last: Sample, fix: Sample) -> bool:
        if fix.uptime_ms - last.uptime_ms >= self.interval_s * 1000 - EARLY_MS:
            return True
        if last.lat_deg is None or last.lon_deg is None:
            return fix.lat_deg is not None
        if fix.lat_deg is None or fix.lon_deg is None:
            return False  # the lease says it in time
        moved_m = distance_m(last.lat_deg, last.lon_deg, fix.lat_deg, fix.lon_deg)
        return moved_m >= self.distance_m


class Reporter:
    """Remembers what was sent; `sent_status` None: nothing on this connection yet."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._last: Sample | None = None
        self._status: int | None = None

    def connected(self) -> None:
        self._last = None

    def due(self, newest: Sample | None, status: int, uptime_ms: int) -> bool:
        """Whether to send now; `newest` is the newest fix, None before the first."""
        last = self._last
        if last is None or status != self._status or uptime_ms >= self.lease_end_ms():
            return True
        is_new = newest is not None and newest.uptime_ms > last.uptime_ms
        return is_new and newest is not None and self.policy.worth_sending(last, newest)

    def lease_end_ms(self) -> int:
        """When the promise of the last position would be broken, one second earlier."""
        if self._last is None:
            return 0
        return self._last.uptime_ms + max(500, self.policy.next_s * 1000 - 1000)

    def sent(self, sample: Sample, status: int) -> None:
        self._last, self._status = sample, status
