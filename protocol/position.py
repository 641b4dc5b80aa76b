"""The newest position of a terminal, sealed, for dispatch (docs/protocol/outrider.cddl).

Lost positions are not sent again; what must be kept is in the logbook's track.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cbor2

from protocol.fields import TIME_MS_MAX, U32
from protocol.refusal import Reason, Refused

NEXT_S_MAX: Final = 30
HEAD_BYTES: Final = 8
LAT_MAX, LON_MAX = 900_000_000, 1_800_000_000
_ACCURACY_MAX, _SPEED_MAX, _COURSE_MAX = 65535, 65535, 3599


@dataclass(frozen=True, slots=True)
class Position:
    """Fixed-point integers; None where the receiver gave nothing (no fix: lat and lon None)."""

    boot: int
    sequence: int  # counts within a boot, never from the clock
    time_ms: int  # epoch of the fix, UTC
    time_trust: int  # words.TimeTrust
    lat_e7: int | None  # WGS 84, 1e-7 degrees, north positive
    lon_e7: int | None  # WGS 84, 1e-7 degrees, east positive
    accuracy_m: int | None  # 68 % radius
    speed_cm_s: int | None  # over ground
    course_ddeg: int | None  # over ground, true north, 0.1 degree
    motion: int  # acceleration and turn, protocol/predict.py
    fix_kind: int  # words.FixKind
    status: int  # words.Status
    flags: int  # words.FIX_FLAGS
    next_s: int  # the next position comes no later than this
    entry_count: int  # logbook entries synced
    entry_head: bytes  # first 8 bytes of the chain's head


def encode(position: Position) -> bytes:
    p = position
    return cbor2.dumps(
        [
            p.boot, p.sequence, p.time_ms, p.time_trust, p.lat_e7, p.lon_e7, p.accuracy_m,
            p.speed_cm_s, p.course_ddeg, p.motion, p.fix_kind, p.status, p.flags, p.next_s,
            p.entry_count, p.entry_head,
        ]
    )  # fmt: skip


def _known(value: object, high: int, low: int = 0) -> bool:
    return type(value) is int and low <= value <= high


def _may(value: object, high: int, low: int = 0) -> bool:
    return value is None or (type(value) is int and low <= value <= high)


def decode(payload: bytes) -> Position:
    """Position from an opened payload; raises Refused. Hot path: written out by hand."""
    try:
        a = cbor2.loads(payload)
    except (
        cbor2.CBORError,
        ValueError,
        TypeError,
        ArithmeticError,
        EOFError,
        RecursionError,
    ) as cause:
        raise Refused(Reason.MALFORMED, f"position: not CBOR: {cause!s:.60}") from cause
    if type(a) is not list or len(a) != 16:
        raise Refused(Reason.MALFORMED, "position: not an array of 16")
    position = Position(*a)
    if not _valid(position):
        _name_fault(position)
    return position


def _valid(p: Position) -> bool:
    lat, lon = p.lat_e7, p.lon_e7
    return (
        type(p.boot) is int and 0 < p.boot <= U32
        and type(p.sequence) is int and 0 <= p.sequence <= U32
        and type(p.time_ms) is int and 0 <= p.time_ms <= TIME_MS_MAX
        and type(p.time_trust) is int and 0 <= p.time_trust <= 3
        and (
            (type(lat) is int and -LAT_MAX <= lat <= LAT_MAX
             and type(lon) is int and -LON_MAX <= lon <= LON_MAX)
            or (lat is None and lon is None)
        )
        and _may(p.accuracy_m, _ACCURACY_MAX)
        and _may(p.speed_cm_s, _SPEED_MAX)
        and _may(p.course_ddeg, _COURSE_MAX)
        and type(p.motion) is int and 0 <= p.motion <= 255
        and type(p.fix_kind) is int and 0 <= p.fix_kind <= 2
        and (lat is None) == (p.fix_kind == 0)
        and type(p.status) is int and 0 <= p.status <= 10
        and type(p.flags) is int and 0 <= p.flags <= 65535
        and type(p.next_s) is int and 0 < p.next_s <= NEXT_S_MAX
        and type(p.entry_count) is int and 0 <= p.entry_count <= U32
        and type(p.entry_head) is bytes and len(p.entry_head) == HEAD_BYTES
    )  # fmt: skip


_RANGES: Final = (
    ("boot", 1, U32, False),
    ("sequence", 0, U32, False),
    ("time_ms", 0, TIME_MS_MAX, False),
    ("time_trust", 0, 3, False),
    ("lat_e7", -LAT_MAX, LAT_MAX, True),
    ("lon_e7", -LON_MAX, LON_MAX, True),
    ("accuracy_m", 0, _ACCURACY_MAX, True),
    ("speed_cm_s", 0, _SPEED_MAX, True),
    ("course_ddeg", 0, _COURSE_MAX, True),
    ("motion", 0, 255, False),
    ("fix_kind", 0, 2, False),
    ("status", 0, 10, False),
    ("flags", 0, 65535, False),
    ("next_s", 1, NEXT_S_MAX, False),
    ("entry_count", 0, U32, False),
)


def _name_fault(position: Position) -> None:
    """Raises Refused naming the first field that is out of its range."""
    for field, low, high, optional in _RANGES:
        value = getattr(position, field)
        if not (_may if optional else _known)(value, high, low):
            detail = f"position.{field}: {value!r:.40}, wanted {low}..{high}"
            raise Refused(Reason.OUT_OF_RANGE, detail)
    raise Refused(Reason.OUT_OF_RANGE, "position: coordinates, fix kind and head disagree")


def check_canonical(payload: bytes, position: Position) -> None:
    """Raises Refused where `payload` is not the one encoding (for records kept as evidence)."""
    if encode(position) != payload:
        raise Refused(Reason.MALFORMED, "position: not the deterministic encoding")


def no_fix(position: Position) -> bool:
    return position.lat_e7 is None


__all__ = ["Position", "check_canonical", "decode", "encode", "no_fix"]
