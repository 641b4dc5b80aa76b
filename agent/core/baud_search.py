"""Finds a receiver's line speed: bytes that make no sentence are read at the wrong one; pure.

A speed that has given no sentence yet is given up after one burst of a receiver's 1 Hz output, so
all of `BAUDS` are tried within 8 s. One that has given some is believed longer: a disturbance is no
new speed. Called by the agent's NMEA source.
"""

import re
from typing import Final

BAUDS: Final = (9600, 115_200, 38_400, 57_600, 4800, 19_200, 230_400)
JUDGE_MS: Final = 500  # of bytes without a sentence, at a speed that has given none
LISTEN_MS: Final = 2_500  # the same, at one that has given some
NOISE_BYTES: Final = 2  # outside text; a fast burst read slowly has few, a foreign text none

_TEXT: Final = re.compile(rb"[\r\n -~]+")


class BaudSearch:
    """`heard` after each chunk, `quiet` when a burst is over: the next speed, or None to stay.

    The configured speed is tried first and again each round.
    """

    def __init__(self, configured: int) -> None:
        self._bauds = (configured, *(baud for baud in BAUDS if baud != configured))
        self._at, self._has_spoken = 0, False
        self.reopened()

    @property
    def baud(self) -> int:
        return self._bauds[self._at]

    def reopened(self) -> None:
        """The port was opened: what came before says nothing of what comes."""
        self._since_ms: int | None = None  # of the first byte since a sentence
        self._noise = 0

    def heard(self, chunk: bytes, sentences: int, uptime_ms: int) -> int | None:
        """`sentences`: how many were completed by `chunk`."""
        if sentences:
            self.reopened()
            self._has_spoken = True
            return None
        if self._since_ms is None:
            self._since_ms = uptime_ms
        self._noise += len(_TEXT.sub(b"", chunk))
        return self._judge(JUDGE_MS, uptime_ms)

    def quiet(self, uptime_ms: int) -> int | None:
        """The line has fallen silent: what has come is all that this burst had."""
        return self._judge(0, uptime_ms)

    def _judge(self, listen_ms: int, uptime_ms: int) -> int | None:
        if self._has_spoken:
            listen_ms = LISTEN_MS
        if self._since_ms is None or uptime_ms - self._since_ms < listen_ms:
            return None
        if self._noise < NOISE_BYTES:
            return None
        self._at = (self._at + 1) % len(self._bauds)
        self.reopened()
        self._has_spoken = False
        return self.baud
