"""Positions as a moving car would send them, sealed: what several benches measure with."""

from __future__ import annotations

from protocol import envelope, position, topics
from protocol.envelope import Kind
from protocol.keys import SealKey
from protocol.position import Position
from protocol.words import FixKind, Status, TimeTrust

KEY = SealKey.from_seed(bytes(range(32)))
ENROLMENT = bytes(range(16))
TOPIC = topics.terminal("longwen", "t-617", "position")


def moving(count: int) -> list[Position]:
    """A car under way, one position each 2 s."""
    return [_at(n) for n in range(count)]


def _at(n: int) -> Position:
    return Position(
        boot=412,
        sequence=70_000 + n,
        time_ms=1_790_000_000_000 + 2_000 * n,
        time_trust=int(TimeTrust.GNSS),
        lat_e7=245_130_000 + 1_512 * n,
        lon_e7=1_176_470_000 - 997 * n,
        accuracy_m=4,
        motion=0x1F,
        speed_cm_s=1_683 + n % 20,
        course_ddeg=2_715,
        fix_kind=int(FixKind.FIX_3D),
        status=int(Status.EN_ROUTE),
        flags=0,
        next_s=10,
        entry_count=48_213 + n // 8,
        entry_head=bytes.fromhex("8f1d03c2a4e65b70"),
    )


def seal(one: Position) -> bytes:
    return envelope.seal(Kind.POSITION, TOPIC, ENROLMENT, position.encode(one), KEY)
