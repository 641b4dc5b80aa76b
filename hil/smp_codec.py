"""SMP frames and their serial console lines, as mcumgr firmware reads and writes them.

Frame: operation and version, flags, length, group, sequence, command (8 bytes, big endian), then
a CBOR map. On the console: 06 09 (first line) or 04 14 (each further), base64 of the part, LF, at
most 127 bytes a line; over all lines: length (frame + 2), frame, CRC-16/XMODEM. Other text on the
console is passed by. Written from the Zephyr documentation of the protocol; used by hil/board.py.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from typing import Final

from hil.tiny_cbor import CborError, Value, decode, encode

START: Final = b"\x06\x09"
MORE: Final = b"\x04\x14"
LINE_BYTES_MAX: Final = 127
LINE_BYTES_READ_MAX: Final = 128
FRAME_BYTES_MAX: Final = 4096

READ, READ_ANSWER, WRITE, WRITE_ANSWER = range(4)

_HEADER = struct.Struct(">BBHHBB")
_U16 = struct.Struct(">H")


class SmpError(Exception):
    """Bytes that are no SMP frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One request or answer."""

    operation: int
    version: int  # 0: first protocol version, 1: second
    group: int
    sequence: int
    command: int
    payload: bytes

    def body(self) -> dict[str, Value]:
        """The payload's map; raises `SmpError`."""
        try:
            value = decode(self.payload) if self.payload else {}
        except CborError as cause:
            raise SmpError(f"payload: {cause}") from cause
        if not isinstance(value, dict):
            raise SmpError("payload is no map")
        return value

    def answer(self, body: dict[str, Value]) -> "Frame":
        """The answer to this request."""
        return Frame(
            operation=self.operation + 1,
            version=self.version,
            group=self.group,
            sequence=self.sequence,
            command=self.command,
            payload=encode(body),
        )


def write_frame(frame: Frame) -> bytes:
    """Header and payload."""
    first = frame.version << 3 | frame.operation
    header = _HEADER.pack(first, 0, len(frame.payload), frame.group, frame.sequence, frame.command)
    return header + frame.payload


def read_frame(data: bytes) -> Frame:
    """The frame; raises `SmpError` where the length does not fit."""
    if len(data) < _HEADER.size:
        raise SmpError(f"{len(data)} bytes are no header")
    first, _flags, length, group, sequence, command = _HEADER.unpack_from(data)
    payload = data[_HEADER.size :]
    if len(payload) != length:
        raise SmpError(f"payload of {len(payload)} bytes, header says {length}")
    return Frame(
        operation=first & 7,
        version=first >> 3 & 3,
        group=group,
        sequence=sequence,
        command=command,
        payload=payload,
    )


def to_lines(frame: bytes) -> list[bytes]:
    """The console lines that carry the frame."""
    crc = binascii.crc_hqx(frame, 0)
    packet = _U16.pack(len(frame) + 2) + frame + _U16.pack(crc)
    part_bytes = (LINE_BYTES_MAX - 3) // 4 * 3
    parts = [packet[at : at + part_bytes] for at in range(0, len(packet), part_bytes)]
    return [
        (MORE if place else START) + base64.b64encode(part) + b"\n"
        for place, part in enumerate(parts)
    ]


class ConsoleReader:
    """Finds frames in a console's bytes; what is damaged is dropped and counted."""

    def __init__(self) -> None:
        self.damaged = 0
        self.text_lines = 0
        self._partial = b""
        self._packet: bytearray | None = None  # None: no frame begun

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames (header and payload) that `chunk` completes."""
        *lines, partial = (self._partial + chunk).split(b"\n")
        self._partial = partial if len(partial) <= FRAME_BYTES_MAX else b""
        found = (self._line(line.rstrip(b"\r")) for line in lines)
        return [frame for frame in found if frame is not None]

    def _line(self, line: bytes) -> bytes | None:
        for marker in (START, MORE):
            at = line.find(marker)
            if at >= 0:
                return self._part_or_damage(marker, line[at + 2 :])
        self.text_lines += 1
        return None

    def _part_or_damage(self, marker: bytes, text: bytes) -> bytes | None:
        try:
            return self._part(marker, text)
        except (SmpError, binascii.Error):
            self._packet = None
            self.damaged += 1
            return None

    def _part(self, marker: bytes, text: bytes) -> bytes | None:
        if marker == START:
            self.damaged += self._packet is not None  # the one before was never finished
            self._packet = bytearray()
        if self._packet is None or len(text) > LINE_BYTES_READ_MAX:
            raise SmpError("a line that continues nothing, or is too long")
        self._packet += base64.b64decode(text, validate=True)
        return self._whole(self._packet)

    def _whole(self, packet: bytearray) -> bytes | None:
        """The frame once all its bytes are there; None before."""
        if len(packet) < _U16.size:
            raise SmpError("a first line without a length")
        length = _U16.unpack_from(packet)[0]
        if not 2 <= length <= FRAME_BYTES_MAX or len(packet) > length + 2:
            raise SmpError(f"{len(packet)} bytes for a length of {length}")
        if len(packet) < length + 2:
            return None
        checked = bytes(packet[2:])  # over frame and its own CRC the CRC is 0
        if binascii.crc_hqx(checked, 0) != 0:
            raise SmpError("wrong CRC")
        self._packet = None
        return checked[:-2]
