"""The few MQTT 5 packets of a short visit to the broker, made and read by hand. Pure.

A visit asks "may I publish here?" with QoS 2 and never sends PUBREL: the broker answers with its
verdict (PUBREC, 0x87: not authorised) and delivers nothing, so the question leaves no trace. paho
answers a PUBREC by itself, hence these. MQTT 5: 3.1, 3.2, 3.3, 3.5, 3.14. Used by
doctor/broker_probe.py.
"""

import struct
from typing import Final

CONNACK: Final = 0x20
PUBREC: Final = 0x50
DISCONNECT_HEAD: Final = 0xE0
GOODBYE: Final = bytes((DISCONNECT_HEAD, 0))
PACKET_BYTES_MAX: Final = 4096
QOS_2: Final = 2

_VERSION_5: Final = 5
_CLEAN_START: Final = 2
_MAXIMUM_QOS: Final = 0x24
_SIZES: Final = {  # bytes of a CONNACK's fixed-size properties, by identifier
    0x11: 4, 0x21: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x22: 2, 0x28: 1, 0x29: 1, 0x2A: 1, 0x13: 2,
}  # fmt: skip


class PacketFault(ValueError):
    """Bytes that are no packet we asked for."""


def connect(client_id: str, keepalive_s: int) -> bytes:
    head = _text("MQTT") + bytes((_VERSION_5, _CLEAN_START)) + struct.pack("!H", keepalive_s)
    return _packet(0x10, head + b"\0" + _text(client_id))


def ask_to_publish(topic: str, number: int) -> bytes:
    """An empty PUBLISH, QoS 2, not retained."""
    return _packet(0x34, _text(topic) + struct.pack("!H", number) + b"\0")


def split(data: bytes) -> tuple[int, bytes, bytes] | None:
    """(type, body, rest) of the first packet; None: not whole yet. Raises PacketFault."""
    length, shift = 0, 0
    for at, byte in enumerate(data[1:5], 1):
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if length > PACKET_BYTES_MAX:
                raise PacketFault(f"a packet of {length} bytes")
            end = at + 1 + length
            return None if len(data) < end else (data[0] & 0xF0, data[at + 1 : end], data[end:])
    if shift == 28:
        raise PacketFault("a packet without an end")
    return None


def connack(body: bytes) -> tuple[int, int]:
    """(reason, highest QoS that the broker takes). Raises PacketFault."""
    if len(body) < 2:
        raise PacketFault("a CONNACK that is too short")
    at, qos_max = 3, QOS_2
    while at < len(body) and body[at] in _SIZES:  # the others say nothing that is asked here
        if body[at] == _MAXIMUM_QOS and at + 1 < len(body):
            qos_max = body[at + 1]
        at += 1 + _SIZES[body[at]]
    return body[1], qos_max


def pubrec(body: bytes) -> tuple[int, int]:
    """(number, reason). Raises PacketFault."""
    if len(body) < 2:
        raise PacketFault("a PUBREC that is too short")
    number = int.from_bytes(body[:2], "big")
    return number, body[2] if len(body) > 2 else 0


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("!H", len(encoded)) + encoded


def _packet(head: int, body: bytes) -> bytes:
    length, encoded = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes((head, *encoded)) + body
