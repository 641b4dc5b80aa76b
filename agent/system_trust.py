"""How far the computer's own clock is believed. Called by `app` for the timekeeper."""

from typing import Final

from protocol.words import TimeTrust
from runtime.clock import system_clock_synchronized

_TRUST_OF: Final = {"ntp": TimeTrust.NTP, "rtc": TimeTrust.RTC, "none": TimeTrust.NONE}


def system_trust(configured: str) -> TimeTrust:
    """As the settings' `[clock] system` has it; `ask` asks the kernel."""
    if configured in _TRUST_OF:
        return _TRUST_OF[configured]
    return TimeTrust.NTP if system_clock_synchronized() else TimeTrust.RTC
