"""Finds a receiver's line speed: bytes that make no sentence are read at the wrong one; pure."""

from typing import Final

BAUDS: Final = (9600, 115_200, 38_400, 57_600, 4800, 19_200, 230_400)
LISTEN_MS: Final = 2_500  # two epochs at 1 Hz
NOISE_BYTES: Final = 64


class BaudSearch:
    """`heard` after each chunk; the configured speed is tried first and again each round."""

    def __init__(self, configured: int, uptime_ms: int) -> None:
        self._bauds = (configured, *(baud for baud in BAUDS if baud != configured))
        self._at, self._since_ms, self._bytes = 0, uptime_ms, 0

    @property
    def baud(self) -> int:
        return self._bauds[self._at]

    def heard(self, bytes_read: int, sentences: int, uptime_ms: int) -> int | None:
        """The next speed to try, or None to stay."""
        if sentences:
            self._since_ms, self._bytes = uptime_ms, 0
            return None
        self._bytes += bytes_read
        if self._bytes < NOISE_BYTES or uptime_ms - self._since_ms < LISTEN_MS:
            return None
        self._at = (self._at + 1) % len(self._bauds)
        self._since_ms, self._bytes = uptime_ms, 0
        return self.baud
