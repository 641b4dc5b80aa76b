"""How much may lie in the kernel, and how fast the link is; pure: time and counts are passed in.

A message that was handed to the kernel cannot be overtaken, so little is handed over: about as
much as leaves within `HORIZON_S`. Two measures: the gate watches the socket's queue (local, quick,
blind to buffers further on); `Throughput` watches PUBACKs (end to end, what a batch is sized by).
Called by `runtime.mqtt_connection`.
"""

import math
from typing import Final

HORIZON_S: Final = 0.5  # a live position waits behind no more than this
_LIMIT_MIN_BYTES: Final = 2048  # about two seconds on 9.6 kbit/s, before anything is known
_POLL_MIN_S: Final = 0.001
_POLL_MAX_S: Final = 0.05
_SAMPLE_S: Final = 0.02  # below it a drain is noise
_SAMPLE_BYTES_MIN: Final = 1024  # a smaller message tells the round trip, not the throughput
_WEIGHT: Final = 0.25  # of a new sample


class SendGate:
    """Open while the kernel's queue is short.

    `limit` grows while what is written leaves at once, and follows the measured drain where it
    does not; never above `limit_max_bytes`.
    """

    def __init__(self, limit_max_bytes: int) -> None:
        self._limit_max = max(limit_max_bytes, _LIMIT_MIN_BYTES)
        self.limit_bytes = float(_LIMIT_MIN_BYTES)
        self._written = 0
        self._unsent, self._unsent_at = 0, 0  # last measured, and `_written` at that time
        self._closed_s: float | None = None  # since when
        self._sample_from = (0.0, 0)  # when, and bytes delivered by then
        self._drain_bytes_per_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether more may be handed over; when False, measure, then ask again."""
        return self._unsent + self._written - self._unsent_at <= self.limit_bytes

    @property
    def bytes_written(self) -> int:
        return self._written

    def wrote(self, size_bytes: int) -> None:
        """`size_bytes` were handed over."""
        self._written += size_bytes

    def measured(self, now_s: float, unsent_bytes: int) -> None:
        """The kernel holds `unsent_bytes` (and our own buffer counts with them)."""
        fresh = self._written - self._unsent_at
        delivered = self._written - unsent_bytes
        if self._closed_s is not None:
            self._sample(now_s, delivered, unsent_bytes)
        elif fresh >= self.limit_bytes / 2 and unsent_bytes <= fresh / 4:
            self.limit_bytes = min(2 * self.limit_bytes, self._limit_max)
        self._unsent, self._unsent_at = unsent_bytes, self._written
        if self.is_open:
            self._closed_s = None
        elif self._closed_s is None:
            self._closed_s, self._sample_from = now_s, (now_s, delivered)

    def poll_s(self, now_s: float) -> float:
        """When to measure again while closed: often at first, then every quarter of the wait."""
        waited_s = 0.0 if self._closed_s is None else now_s - self._closed_s
        return min(max(waited_s / 4, _POLL_MIN_S), _POLL_MAX_S)

    def _sample(self, now_s: float, delivered: int, unsent_bytes: int) -> None:
        since_s, delivered_then = self._sample_from
        duration_s = now_s - since_s
        if duration_s < _SAMPLE_S and unsent_bytes > self.limit_bytes:
            return  # still closed: wait for a longer sample
        rate = (delivered - delivered_then) / max(duration_s, _POLL_MIN_S)
        known = self._drain_bytes_per_s
        if known is None or unsent_bytes or rate > known:  # an empty queue gives a lower bound only
            self._drain_bytes_per_s = rate if known is None else known + _WEIGHT * (rate - known)
        wanted = HORIZON_S * (self._drain_bytes_per_s or 0)
        # One lucky sample must not open it wide: at most double.
        self.limit_bytes = min(max(wanted, _LIMIT_MIN_BYTES), 2 * self.limit_bytes, self._limit_max)
        self._sample_from = (now_s, delivered)


class Throughput:
    """Bytes per second from us into the broker, from the PUBACKs of messages of 1 KiB or more.

    The shortest round trip of a small message is taken off, so that a batch on a long way does
    not look slow.
    """

    def __init__(self) -> None:
        self.bytes_per_s: float | None = None
        self._round_trip_s = float("inf")

    def acknowledged(self, size_bytes: int, ahead_bytes: int, duration_s: float) -> None:
        """A message of `size_bytes`, with `ahead_bytes` unsent before it, took `duration_s`."""
        if size_bytes < _SAMPLE_BYTES_MIN:
            self._round_trip_s = min(self._round_trip_s, duration_s)
            return
        round_trip_s = 0.0 if math.isinf(self._round_trip_s) else self._round_trip_s
        sending_s = max(duration_s - round_trip_s, duration_s / 4, _POLL_MIN_S)
        rate = (size_bytes + ahead_bytes) / sending_s
        known = self.bytes_per_s
        self.bytes_per_s = rate if known is None else known + _WEIGHT * (rate - known)
