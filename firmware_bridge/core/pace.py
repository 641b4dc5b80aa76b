"""How much a device may say: so much per second, and a burst. Used by relay, session and port."""


class Pace:
    """A bucket that fills with time; times are given, so it is pure."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s, self._burst = rate_per_s, burst
        self._left: float = burst
        self._filled_ms: int | None = None

    def has(self, now_ms: int) -> bool:
        """Takes one if there is one."""
        self._fill(now_ms)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def delay_ms(self, amount: int, now_ms: int) -> int:
        """Takes `amount`, on credit too; how long to wait before taking more."""
        self._fill(now_ms)
        self._left -= amount
        return max(0, round(-self._left / self._rate_per_s * 1000))

    def _fill(self, now_ms: int) -> None:
        if self._filled_ms is not None:
            gained = (now_ms - self._filled_ms) / 1000 * self._rate_per_s
            self._left = min(self._burst, self._left + gained)
        self._filled_ms = now_ms
