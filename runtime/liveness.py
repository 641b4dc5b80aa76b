"""Whether the other end still lives; pure: times and byte counts are passed in.

Invariant: after the last sign of life a dead link is seen within 1.5 keepalives, and something is
sent at least once a keepalive. Called by `runtime.mqtt_connection` every `tick_s`. (paho's own
keepalive asks after one keepalive and gives up after two, and cannot tell "paused" from "dead".)
"""

from enum import Enum, auto
from typing import Final

_PING_AFTER: Final = 0.7  # keepalives of silence, either way
_DEAD_AFTER: Final = 1.35  # and one tick later at most
_TICKS: Final = 8  # per keepalive


class Pulse(Enum):
    """What to do now."""

    NONE = auto()
    PING = auto()
    DEAD = auto()


class Liveness:
    """Judges one connection. Byte counts are of the socket: written, and acknowledged of these."""

    def __init__(self, keepalive_s: float, now_s: float) -> None:
        self._keepalive_s = keepalive_s
        self._heard_s = self._said_s = now_s
        self._ping_mark: int | None = None  # bytes written when an unanswered ping was
        self._delivered = 0

    @property
    def tick_s(self) -> float:
        return self._keepalive_s / _TICKS

    def heard(self, now_s: float) -> None:
        """Bytes came, or we stopped listening until now."""
        self._heard_s, self._ping_mark = now_s, None

    def said(self, now_s: float) -> None:
        """Bytes went."""
        self._said_s = now_s

    def judge(self, now_s: float, written: int, delivered: int, *, deaf: bool) -> Pulse:
        """`deaf`: we do not read at the moment, so silence proves nothing."""
        if self._ping_mark is not None and self._delivered < delivered < self._ping_mark:
            self._heard_s = now_s  # the ping still waits behind our own bytes, which do move
        self._delivered = delivered
        if not deaf and now_s - self._heard_s >= _DEAD_AFTER * self._keepalive_s:
            return Pulse.DEAD
        patience_s = _PING_AFTER * self._keepalive_s
        asks = self._ping_mark is None and not deaf and now_s - self._heard_s >= patience_s
        if asks or now_s - self._said_s >= patience_s:
            self._ping_mark, self._said_s = written, now_s
            return Pulse.PING
        return Pulse.NONE
