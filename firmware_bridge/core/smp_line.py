"""SMP frames on a serial console that others write to as well: log text, noise, cut lines.

Line: 06 09 (a frame's first) or 04 14 (each further), base64, LF; at most 127 bytes before the LF.
The parts together: length (frame + 2), frame, CRC-16/XMODEM over the frame; 16 bits big endian.
Invariant: a frame is given out only if every line of it was the one encoding of its bytes and the
CRC fits; whatever is damaged is dropped whole and counted, the next first line begins anew.
Called by `board_session`.

Encoding is `smp.packet`'s. Decoding is our own: the library's generator skips bytes that are no
base64, bounds nothing, ends at the first fault and knows no text between the lines.
"""

import base64
import binascii
from collections import Counter
from typing import Final

from smp import packet

FIRST: Final = packet.START_DELIMITER
FURTHER: Final = packet.CONTINUE_DELIMITER
LINE_BYTES_MAX: Final = 127
FRAME_BYTES_MAX: Final = 4096
_LENGTH_BYTES, _CRC_BYTES = 2, 2
# The library counts a carriage return and the line feed that it does not both send: 128 makes the
# longest lines that are allowed, 126 bytes and the line feed.
_LIBRARY_LINE_BYTES: Final = 128


def encode(frame: bytes) -> bytes:
    """The console lines that carry `frame`, one after another."""
    return b"".join(packet.encode(frame, _LIBRARY_LINE_BYTES))


class _Damaged(Exception):
    """A line or frame that must be dropped; the word is its counter."""


class LineDecoder:
    """Bytes in, whole frames out. `counts` says what was refused, `text_lines` what was skipped."""

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self.text_lines = 0
        self._partial = b""  # of a line without its end; the last bytes only
        self._packet: bytearray | None = None  # None: no frame has begun

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames (header and payload) that `chunk` completes."""
        *lines, partial = (self._partial + chunk).split(b"\n")
        # A line may have text before its marker, never after: what counts is at the end.
        self._partial = partial[-(LINE_BYTES_MAX + 1) :]
        frames = (self._line(line) for line in lines)
        return [frame for frame in frames if frame is not None]

    def reset(self) -> None:
        """The port was opened anew: half a line or frame will not be continued."""
        self._partial, self._packet = b"", None

    def _line(self, line: bytes) -> bytes | None:
        at = max(line.rfind(FIRST), line.rfind(FURTHER))
        if at < 0:
            self.text_lines += 1
            return None
        if line.endswith(b"\r"):
            line = line[:-1]
        try:
            return self._part(line[at : at + 2], line[at + 2 :])
        except _Damaged as damage:
            self._packet = None
            self.counts[str(damage)] += 1
            return None

    def _part(self, marker: bytes, text: bytes) -> bytes | None:
        """The frame where this part was its last."""
        if marker == FIRST:
            if self._packet is not None:
                self.counts["frame_unfinished"] += 1
            self._packet = bytearray()
        elif self._packet is None:
            raise _Damaged("line_without_first")
        assert self._packet is not None
        self._packet += _decoded(text)
        return self._whole(self._packet)

    def _whole(self, packet_: bytearray) -> bytes | None:
        """The frame once all its bytes are there, None before."""
        length = int.from_bytes(packet_[:_LENGTH_BYTES], "big")
        if len(packet_) < _LENGTH_BYTES or not _CRC_BYTES < length <= FRAME_BYTES_MAX + _CRC_BYTES:
            raise _Damaged("frame_length")
        if len(packet_) > _LENGTH_BYTES + length:
            raise _Damaged("frame_length")
        if len(packet_) < _LENGTH_BYTES + length:
            return None
        self._packet = None
        checked = bytes(packet_[_LENGTH_BYTES:])
        if binascii.crc_hqx(checked, 0):  # over a frame and its own CRC it is 0
            raise _Damaged("frame_crc")
        return checked[:-_CRC_BYTES]


def _decoded(text: bytes) -> bytes:
    """Strict base64: only the one spelling that an encoder makes, so that no flipped bit hides."""
    if not text or len(text) + len(FIRST) > LINE_BYTES_MAX:
        raise _Damaged("line_length")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as cause:
        raise _Damaged("line_base64") from cause
    if base64.b64encode(data) != text:
        raise _Damaged("line_base64")
    return data
