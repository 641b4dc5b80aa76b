"""Newline-delimited frames cut out of a byte stream, and the pace at which they may come.

Frame: bytes without a newline, then `\\n`; at most `line_max` bytes. Called by both sides of the
local socket; no I/O here.
"""

from typing import Final

from runtime.clock import Clock

LINE_MAX: Final = 16_384


class LineCutter:
    """Bytes in, whole lines out; holds at most `line_max` bytes of an unfinished one."""

    def __init__(self, line_max: int) -> None:
        self._line_max, self._partial, self._is_skipping = line_max, b"", False
        self.too_long = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines without their newline; empty ones are left out, too long ones counted."""
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if lines and self._is_skipping:
            lines, self._is_skipping = lines[1:], False
        if len(self._partial) > self._line_max:
            self.too_long += not self._is_skipping
            self._partial, self._is_skipping = b"", True
        self.too_long += sum(len(line) > self._line_max for line in lines)
        return [line for line in lines if 0 < len(line) <= self._line_max]


class TokenBucket:
    """How long a caller has to wait for its next turn."""

    def __init__(self, rate_per_s: float, burst: float, clock: Clock) -> None:
        self._rate_per_s, self._burst, self._clock = rate_per_s, burst, clock
        self._tokens, self._filled_ms = burst, clock.monotonic_ms()

    def take(self) -> float:
        """Take a token now; the seconds to wait before using it, 0 where one was there."""
        now_ms = self._clock.monotonic_ms()
        gained = (now_ms - self._filled_ms) / 1000 * self._rate_per_s
        self._tokens = min(self._burst, self._tokens + gained) - 1
        self._filled_ms = now_ms
        return max(0.0, -self._tokens / self._rate_per_s)
