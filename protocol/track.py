"""Packing of a track: at most 60 s of fixes as columns of small differences.

Codec 1: a column per field, each value the difference from what the two before it predict (time,
latitude, longitude) or from the one before (speed, course, kind and flags), zigzag
and base-128 coded (as in Protocol Buffers' encoding, "varints"), all columns deflated together
(RFC 1951). Exact to 1 ms, 1e-6 degree, 0.1 m/s, 1 degree.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from protocol.refusal import Reason, Refused

CODEC: Final = 1
FIXES_MAX: Final = 600
_UNPACKED_MAX: Final = 32768
_ABSENT: Final = -1


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """One fix of a track."""

    time_ms: int
    lat_e6: int
    lon_e6: int
    speed_dm_s: int | None  # 0.1 m/s
    course_deg: int | None
    fix_kind: int  # words.FixKind
    flags: int  # words.FIX_FLAGS


def pack(points: Sequence[TrackPoint]) -> bytes:
    """Pack 1..FIXES_MAX points."""
    if not 1 <= len(points) <= FIXES_MAX:
        raise ValueError(f"{len(points)} points; 1 to {FIXES_MAX}")
    columns = (
        _second([p.time_ms for p in points]),
        _second([p.lat_e6 for p in points]),
        _second([p.lon_e6 for p in points]),
        _first([_ABSENT if p.speed_dm_s is None else p.speed_dm_s for p in points]),
        _first([_ABSENT if p.course_deg is None else p.course_deg for p in points]),
        _first([p.fix_kind for p in points]),
        _first([p.flags for p in points]),
    )
    raw = b"".join(_varint(value) for column in columns for value in column)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(raw) + deflate.flush()


def unpack(packed: bytes, count: int) -> tuple[TrackPoint, ...]:
    """The points; raises Refused(malformed) for anything but `count` whole points."""
    if not 1 <= count <= FIXES_MAX:
        raise Refused(Reason.OUT_OF_RANGE, f"track: {count} fixes")
    inflate = zlib.decompressobj(-15)
    try:
        raw = inflate.decompress(packed, _UNPACKED_MAX)
    except zlib.error as cause:
        raise Refused(Reason.MALFORMED, f"track: {cause}") from cause
    if not inflate.eof or inflate.unused_data:
        raise Refused(Reason.MALFORMED, "track: not one deflated block")
    values = list(_varints(raw))
    if len(values) != 7 * count:
        raise Refused(Reason.MALFORMED, f"track: {len(values)} values for {count} fixes")
    columns = [values[i * count : (i + 1) * count] for i in range(7)]
    time_ms, lat, lon = (_undo_second(column) for column in columns[:3])
    speed, course, kind, flags = (_undo_first(column) for column in columns[3:])
    return tuple(
        _point(*row) for row in zip(time_ms, lat, lon, speed, course, kind, flags, strict=True)
    )


def _point(
    time_ms: int, lat: int, lon: int, speed: int, course: int, kind: int, flags: int
) -> TrackPoint:
    sane = (
        0 <= time_ms < 1 << 43
        and abs(lat) <= 90_000_000
        and abs(lon) <= 180_000_000
        and _ABSENT <= speed <= 65535
        and _ABSENT <= course <= 360
        and 0 <= kind <= 2
        and 0 <= flags <= 65535
    )
    if not sane:
        raise Refused(Reason.OUT_OF_RANGE, f"track: impossible fix {lat} {lon} at {time_ms}")
    return TrackPoint(
        time_ms,
        lat,
        lon,
        None if speed == _ABSENT else speed,
        None if course == _ABSENT else course,
        kind,
        flags,
    )


def _second(values: list[int]) -> list[int]:
    return _first(_first(values))


def _undo_second(values: list[int]) -> list[int]:
    return _undo_first(_undo_first(values))


def _first(values: list[int]) -> list[int]:
    return [value - before for value, before in zip(values, [0, *values], strict=False)]


def _undo_first(values: list[int]) -> list[int]:
    out, total = [], 0
    for value in values:
        total += value
        out.append(total)
    return out


def _varint(value: int) -> bytes:
    zigzag = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


def _varints(raw: bytes) -> Iterator[int]:
    zigzag = shift = 0
    for byte in raw:
        zigzag |= (byte & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise Refused(Reason.MALFORMED, "track: number too long")
        if byte < 0x80:
            yield -(zigzag + 1 >> 1) if zigzag & 1 else zigzag >> 1
            zigzag = shift = 0
    if shift:
        raise Refused(Reason.MALFORMED, "track: cut short")
