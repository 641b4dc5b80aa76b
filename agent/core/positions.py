"""A fix as the wire's position and as an entry's `here`; pure, bounded, absence stays absence."""

from typing import Final

from agent.core.fix import Fix
from agent.core.now import Now
from agent.core.track_builder import WIRE_KIND, flag_bits
from protocol.entry import Here
from protocol.position import HEAD_BYTES, Position
from protocol.predict import STEADY
from protocol.words import FixKind, TimeTrust

METRES_PER_HDOP: Final = 5.0  # 68 % radius of a plain receiver at HDOP 1
_ACCURACY_DM_MAX: Final = 65_535
_SPEED_CM_S_MAX: Final = 65_535
_AGE_MS_MAX: Final = 0xFFFF_FFFF


def accuracy_dm(fix: Fix) -> int | None:
    """0.1 m; None where the receiver gives no HDOP."""
    if fix.hdop is None:
        return None
    return max(1, min(_ACCURACY_DM_MAX, round(fix.hdop * METRES_PER_HDOP * 10)))


def accuracy_m(fix: Fix) -> int | None:
    """Whole metres, rounded up, for the position; None where the receiver gives no HDOP."""
    tenths = accuracy_dm(fix)
    return None if tenths is None else -(-tenths // 10)


def position_of(
    fix: Fix | None,
    *,
    time_ms: int,
    trust: TimeTrust,
    boot: int,
    sequence: int,
    status: int,
    motion: int,
    next_s: int,
    entry_count: int,
    entry_head: bytes,
) -> Position:
    """The newest position; without a fix only that the terminal lives."""
    has_place = fix is not None and fix.lat_deg is not None and fix.lon_deg is not None
    if not has_place or fix is None or fix.lat_deg is None or fix.lon_deg is None:
        flags = 0 if fix is None else flag_bits(fix)
        return Position(
            boot, sequence, time_ms, int(trust), None, None, None, None, None, STEADY,
            int(FixKind.NONE), int(status), flags, next_s, entry_count, entry_head[:HEAD_BYTES],
        )  # fmt: skip
    speed = None if fix.sog_mps is None else min(_SPEED_CM_S_MAX, round(fix.sog_mps * 100))
    course = None if fix.cog_deg is None else round(fix.cog_deg * 10) % 3600
    return Position(
        boot, sequence, time_ms, int(trust), round(fix.lat_deg * 1e7), round(fix.lon_deg * 1e7),
        accuracy_m(fix), speed, course, motion, WIRE_KIND[fix.kind], int(status), flag_bits(fix),
        next_s, entry_count, entry_head[:HEAD_BYTES],
    )  # fmt: skip


def here_of(fix: Fix | None, fix_uptime_ms: int, now: Now) -> Here | None:
    """Where the terminal was, for an entry; None without a position."""
    if fix is None or fix.lat_deg is None or fix.lon_deg is None:
        return None
    age_ms = max(0, min(_AGE_MS_MAX, now.uptime_ms - fix_uptime_ms))
    return Here(round(fix.lat_deg * 1e7), round(fix.lon_deg * 1e7), accuracy_dm(fix), age_ms)
