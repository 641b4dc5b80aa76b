"""What time it is and how far that may be believed; pure.

UTC is the boot-time clock plus an offset, so a step of the system clock moves nothing in between.
Sources, best first: GNSS dates that agree over several fixes, the system clock where the kernel
holds it for synchronised, a welcome that echoed this connection's nonce, the system clock as it
is. A synchronised clock that contradicts the welcome was set by hand, unless GNSS sides with it.
Invariants: the estimate is never below the floor (build, last saved, newest sealed time,
not-before of the certificates); GNSS that contradicts a signed or synchronised time is not
believed; ordering never uses any of this. Called by the terminal.
"""

from dataclasses import dataclass, replace
from typing import Final

from agent.core.now import Now
from protocol.words import TimeTrust

CONSISTENT_FIXES: Final = 5
AGREE_MS: Final = 500  # epoch minus boot-time clock, over those fixes
CONTRADICTION_MS: Final = 10_000
CONFIRMED_MS: Final = 2_000  # an epoch so near to a signed time is as good as that
GNSS_HOLDS_MS: Final = 3_600_000  # a crystal drifts about 0.1 s in that time


@dataclass(frozen=True, slots=True)
class System:
    """The machine's wall clock, read at the same instant as `uptime_ms`."""

    utc_ms: int
    trust: TimeTrust  # ntp: synchronised; rtc: it runs; none: not to be used


@dataclass(frozen=True, slots=True)
class ClockTrust:
    """`offsets_ms`: epoch minus boot-time clock of the newest fixes; oldest first."""

    floor_ms: int
    offsets_ms: tuple[int, ...] = ()
    last_fix_uptime_ms: int = 0
    welcome_offset_ms: int | None = None


def saw_fix(state: ClockTrust, epoch_ms: int | None, uptime_ms: int) -> ClockTrust:
    """A fix arrived; one without a date, or dated before the floor, says nothing."""
    if epoch_ms is None or epoch_ms < state.floor_ms:
        return state
    recent = (*state.offsets_ms, epoch_ms - uptime_ms)[-CONSISTENT_FIXES:]
    return replace(state, offsets_ms=recent, last_fix_uptime_ms=uptime_ms)


def saw_welcome(
    state: ClockTrust, time_ms: int, uptime_ms: int, *, again: bool = False
) -> ClockTrust:
    """A sealed welcome that echoed this connection's nonce: its time is also a floor.

    `again`: a further one with the same nonce. It may have been held back on its way, which only
    makes time look earlier: then it says nothing.
    """
    offset_ms, old_ms = time_ms - uptime_ms, state.welcome_offset_ms
    if again and old_ms is not None:
        offset_ms = max(offset_ms, old_ms)
    return raise_floor(replace(state, welcome_offset_ms=offset_ms), time_ms)


def raise_floor(state: ClockTrust, time_ms: int) -> ClockTrust:
    return replace(state, floor_ms=max(state.floor_ms, time_ms))


def estimate(state: ClockTrust, uptime_ms: int, system: System) -> Now:
    """The best time now."""
    gnss_ms = gnss_time_ms(state, uptime_ms)
    signed_or_synced = _second_best(state, uptime_ms, system, gnss_ms)
    if gnss_ms is not None and not _contradicts(gnss_ms, signed_or_synced):
        return Now(uptime_ms, gnss_ms, TimeTrust.GNSS)
    if signed_or_synced is not None:
        return Now(uptime_ms, signed_or_synced, TimeTrust.NTP)
    if system.trust is TimeTrust.NONE or system.utc_ms < state.floor_ms:
        return Now(uptime_ms, max(state.floor_ms, system.utc_ms), TimeTrust.NONE)
    return Now(uptime_ms, system.utc_ms, TimeTrust.RTC)


def fix_trust(state: ClockTrust, epoch_ms: int | None, now: Now) -> TimeTrust:
    """How far the epoch of a fix that arrived now may be believed."""
    if epoch_ms is None or not now.trusted:
        return TimeTrust.NONE
    if now.trust is TimeTrust.NTP:
        late_ms = now.utc_ms - epoch_ms
        return TimeTrust.NTP if abs(late_ms) <= CONFIRMED_MS else TimeTrust.NONE
    offset_ms = epoch_ms - now.uptime_ms
    agrees = all(abs(offset_ms - other_ms) <= AGREE_MS for other_ms in state.offsets_ms)
    return TimeTrust.GNSS if agrees else TimeTrust.NONE


def gnss_time_ms(state: ClockTrust, uptime_ms: int) -> int | None:
    """UTC by the receiver, once enough fixes agree and while the last is not too old."""
    offsets = state.offsets_ms
    if len(offsets) < CONSISTENT_FIXES or max(offsets) - min(offsets) > AGREE_MS:
        return None
    if uptime_ms - state.last_fix_uptime_ms > GNSS_HOLDS_MS:
        return None
    # the fix that waited least on its way here has the largest offset
    time_ms = uptime_ms + max(offsets)
    return time_ms if time_ms >= state.floor_ms else None


def _second_best(
    state: ClockTrust, uptime_ms: int, system: System, gnss_ms: int | None
) -> int | None:
    synced_ms = None
    if system.trust is TimeTrust.NTP and system.utc_ms >= state.floor_ms:
        synced_ms = system.utc_ms
    if state.welcome_offset_ms is None:
        return synced_ms
    signed_ms = max(state.floor_ms, uptime_ms + state.welcome_offset_ms)
    if synced_ms is None:
        return signed_ms
    is_alone = gnss_ms is None or _contradicts(gnss_ms, synced_ms)
    return signed_ms if is_alone and _contradicts(synced_ms, signed_ms) else synced_ms


def _contradicts(gnss_ms: int, other_ms: int | None) -> bool:
    return other_ms is not None and abs(gnss_ms - other_ms) > CONTRADICTION_MS
