"""The same fix as other trackers send it, unsigned: constructed from their specifications.

OwnTracks: JSON, the usual fields of a phone's location message. Sparkplug B: the protobuf payload
of a DATA message with metric aliases. JT/T 808-2019: message 0x0200 with its header, check byte,
flags and escapes (section 4.2 of the standard); no additional items. Used by the bench only.
"""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Final

from protocol.position import Position

_FLAG: Final = 0x7E
_ESCAPE: Final = 0x7D
_MOBILE: Final = "13900000617".rjust(20, "0")


def owntracks(p: Position) -> bytes:
    """A location message with accuracy, altitude, speed, course, battery and connection."""
    return json.dumps(
        {
            "_type": "location", "tid": "17", "lat": (p.lat_e7 or 0) / 1e7,
            "lon": (p.lon_e7 or 0) / 1e7, "acc": p.accuracy_m or 0, "alt": 12,
            "vel": round((p.speed_cm_s or 0) * 0.036), "cog": round((p.course_ddeg or 0) / 10),
            "batt": 87, "conn": "m", "t": "t", "tst": p.time_ms // 1000,
            "created_at": p.time_ms // 1000 + 1,
        },
        separators=(",", ":"),
    ).encode()  # fmt: skip


def sparkplug(p: Position) -> bytes:
    """Eight metrics by alias, with the payload's time and sequence number."""
    metrics = b"".join(
        _bytes_field(2, _varint_field(2, alias) + value)
        for alias, value in enumerate(
            (
                _double_field(13, (p.lat_e7 or 0) / 1e7),
                _double_field(13, (p.lon_e7 or 0) / 1e7),
                _float_field(12, p.accuracy_m or 0),
                _float_field(12, (p.speed_cm_s or 0) / 100),
                _float_field(12, (p.course_ddeg or 0) / 10),
                _varint_field(10, p.fix_kind),
                _varint_field(10, p.status),
                _varint_field(10, p.flags),
            ),
            1,
        )
    )
    return _varint_field(1, p.time_ms) + metrics + _varint_field(3, p.sequence % 256)


def jt808(p: Position) -> bytes:
    """0x0200 in the header of 2019."""
    body = struct.pack(
        ">IIIIHHH",
        0, 0b11, (p.lat_e7 or 0) // 10, (p.lon_e7 or 0) // 10, 12,
        round((p.speed_cm_s or 0) * 0.36), round((p.course_ddeg or 0) / 10),
    ) + _bcd(_beijing(p.time_ms))  # fmt: skip
    properties = 1 << 14 | len(body)
    head = struct.pack(">HHB", 0x0200, properties, 1) + _bcd(_MOBILE)
    plain = head + struct.pack(">H", p.sequence % 65_536) + body
    check = 0
    for byte in plain:
        check ^= byte
    escaped = bytearray()
    for byte in (*plain, check):
        escaped += {_FLAG: b"\x7d\x02", _ESCAPE: b"\x7d\x01"}.get(byte, bytes((byte,)))
    return bytes((_FLAG, *escaped, _FLAG))


def _beijing(time_ms: int) -> str:
    local = datetime.fromtimestamp(time_ms / 1000, UTC) + timedelta(hours=8)
    return local.strftime("%y%m%d%H%M%S")


def _bcd(digits: str) -> bytes:
    return bytes.fromhex(digits)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _float_field(number: int, value: float) -> bytes:
    return _varint(number << 3 | 5) + struct.pack("<f", value)


def _double_field(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)
