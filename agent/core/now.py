"""The instant a decision is made at, passed in by the task that asks."""

from dataclasses import dataclass

from protocol.words import TimeTrust


@dataclass(frozen=True, slots=True)
class Now:
    """`uptime_ms` orders and measures; `utc_ms` only stamps and judges expiry, if trusted."""

    uptime_ms: int  # boot-time clock: never steps, counts through suspend
    utc_ms: int
    trust: TimeTrust

    @property
    def trusted(self) -> bool:
        """Good enough to judge an expiry by."""
        return self.trust >= TimeTrust.NTP
