"""The system clock against GNSS time, and what cannot be in the future. Pure.

The agent does not need the system clock where GNSS gives the time; logs, other services and a
terminal under a roof do.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agent.core.clock_trust import CONFIRMED_MS, CONTRADICTION_MS
from doctor.core.finding import Finding, fault, ok, span, warn

_SYNC: Final = "sudo timedatectl set-ntp true, and see that the network lets NTP through"


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """Read at one instant. `floor_ms`: the newest build, certificate or sealed time held here."""

    utc_ms: int
    is_synchronised: bool
    floor_ms: int
    gnss_ms: int | None  # what the receiver says it is now; None: it said no time

    @property
    def best_ms(self) -> int:
        """The time to hold dates against."""
        return max(self.floor_ms, self.utc_ms if self.gnss_ms is None else self.gnss_ms)


def judge_clock(facts: ClockFacts) -> Finding:
    """Before the floor, apart from GNSS, unconfirmed, or right."""
    name, shown = "clock", f"system clock {_iso(facts.utc_ms)}"
    if facts.utc_ms < facts.floor_ms:
        found = f"{shown} is wrong: before {_iso(facts.floor_ms)}, when what is held here was made"
        return fault(name, found, _SYNC)
    if facts.gnss_ms is None:
        if facts.is_synchronised:
            return ok(name, f"{shown}, synchronised")
        return warn(name, f"{shown} is not synchronised, and no GNSS time is there", _SYNC)
    apart_ms = facts.utc_ms - facts.gnss_ms
    side = "ahead of" if apart_ms > 0 else "behind"
    found = f"{shown} is wrong: {span(apart_ms)} {side} GNSS time"
    if abs(apart_ms) > CONTRADICTION_MS and facts.is_synchronised:
        remedy = "ask a third clock: either the NTP server or the GNSS signal is false"
        return fault(name, f"{found}, though synchronised", remedy)
    if abs(apart_ms) > CONTRADICTION_MS:
        return fault(name, found, _SYNC)
    if abs(apart_ms) > CONFIRMED_MS:
        return warn(name, found, _SYNC)
    how = "synchronised" if facts.is_synchronised else "not synchronised"
    return ok(name, f"{shown}, {how}, {span(apart_ms)} from GNSS time")


def _iso(utc_ms: int) -> str:
    return f"{datetime.fromtimestamp(utc_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"
