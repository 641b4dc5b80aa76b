"""When to try the next connection: full jitter, doubling, capped; pure, no clock, no I/O.

Invariant: two starts of a handshake are at least `interval_min_s` apart, whatever happened between
them; a fleet that lost its broker comes back spread out. `MqttLink` calls it.
"""

import random
from typing import Final

_DOUBLINGS_MAX: Final = 32  # beyond it any base is above any cap


class Backoff:
    """Delays before attempts; `now_s` is any clock that never goes back.

    A connection counts as good, and the delays begin anew, once it has lived for `cap_s`: a link
    that comes and goes at once keeps its delays.
    """

    def __init__(
        self, base_s: float, cap_s: float, interval_min_s: float, rng: random.Random
    ) -> None:
        self._base_s, self._cap_s = base_s, cap_s
        self._interval_min_s, self._rng = interval_min_s, rng
        self._failures, self._started_s, self._connected_s = 0, -float("inf"), float("inf")

    @property
    def failures(self) -> int:
        """Attempts since the last good connection."""
        return self._failures

    def started(self, now_s: float) -> None:
        """A handshake begins."""
        self._started_s, self._connected_s = now_s, float("inf")

    def connected(self, now_s: float) -> None:
        """The handshake led to a connection."""
        self._connected_s = now_s

    def delay_s(self, now_s: float, *, taken_over: bool = False) -> float:
        """How long to wait from `now_s` on, after a failed attempt or a lost connection.

        `taken_over`: another holds our identity; wait for long, so that the two do not throw each
        other out in turn.
        """
        if now_s - self._connected_s >= self._cap_s:
            self._failures = 0
        self._failures += 1
        ceiling_s = min(self._cap_s, self._base_s * 2 ** min(self._failures - 1, _DOUBLINGS_MAX))
        drawn_s = self._rng.uniform(0, ceiling_s)
        if taken_over:
            drawn_s = self._rng.uniform(self._cap_s / 2, self._cap_s)
        return max(drawn_s, self._started_s + self._interval_min_s - now_s)
