"""A tablet or phone is paired by a code that the vehicle's own display shows; pure.

Six digits, for two minutes, five tries; then the device holds a random secret of which only the
digest is kept. Called by `screen` with the draws and the time.
"""

import hashlib
import hmac
from typing import Final

from protocol import cbor
from protocol.refusal import Reason, Refused

CODE_DIGITS: Final = 6
LASTS_MS: Final = 120_000
TRIES: Final = 5
PAIRED_MAX: Final = 4
_DIGEST_BYTES: Final = 32


class Pairing:
    """`paired`: digests of the secrets that devices hold, oldest first."""

    def __init__(self, paired: tuple[bytes, ...] = ()) -> None:
        self.paired = paired
        self._code: str | None = None
        self._until_ms = self._tries = 0

    def begin(self, draw: int, uptime_ms: int) -> str:
        """A new code; an older one is void. `draw`: a random whole number."""
        self._code = f"{draw % 10**CODE_DIGITS:0{CODE_DIGITS}d}"
        self._until_ms, self._tries = uptime_ms + LASTS_MS, TRIES
        return self._code

    def code(self, uptime_ms: int) -> str | None:
        """The code to show, while it holds."""
        return self._code if uptime_ms < self._until_ms else None

    def tried(self, code: str, uptime_ms: int) -> bool:
        """Whether `code` is right; it is void after that, and after five that are wrong."""
        now = self.code(uptime_ms)
        if now is None:
            return False
        is_right = hmac.compare_digest(code.encode(), now.encode())
        self._tries -= 1
        if is_right or self._tries <= 0:
            self._code = None
        return is_right

    def with_secret(self, secret: bytes) -> tuple[bytes, ...]:
        """The digests once a device holds `secret`; the oldest goes beyond four."""
        return (*self.paired, digest(secret))[-PAIRED_MAX:]

    def knows(self, secret: bytes) -> bool:
        mine = digest(secret)
        return any(hmac.compare_digest(mine, one) for one in self.paired)


def digest(secret: bytes) -> bytes:
    return hashlib.sha256(b"outrider screen" + secret).digest()


def encode(paired: tuple[bytes, ...]) -> bytes:
    """As they lie in the store."""
    return cbor.encode(list(paired))


def decode(data: bytes) -> tuple[bytes, ...]:
    """Raises Refused."""
    rows = cbor.decode(data)
    if not isinstance(rows, list) or len(rows) > PAIRED_MAX:
        raise Refused(Reason.MALFORMED, "paired screens: no short array")
    for one in rows:
        if not isinstance(one, bytes) or len(one) != _DIGEST_BYTES:
            raise Refused(Reason.MALFORMED, "paired screens: holds something else")
    return tuple(rows)
