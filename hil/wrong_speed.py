"""What a UART makes of bytes that were sent at another line speed.

8N1: a start bit (low), eight data bits from the lowest, a stop bit (high), idle high. The receiving
UART waits for the line to fall, then looks at the middle of each of its own bits. Where its stop
bit is low (a framing error, or a break) Linux hands on a NUL. Used by hil/pty_port.py.
"""

from typing import Final

BITS: Final = 10
_IDLE: Final = "1" * 24


def heard_at(data: bytes, sent_baud: int, heard_baud: int) -> bytes:
    """The bytes that a reader at `heard_baud` gets of `data`, sent at `sent_baud` without pause."""
    if sent_baud == heard_baud:
        return data
    line = "".join("0" + f"{byte:08b}"[::-1] + "1" for byte in data) + _IDLE
    step = sent_baud / heard_baud  # sent bits in one heard bit
    heard = bytearray()
    fall = line.find("0")
    while fall >= 0:
        bits = [_level(line, fall + (place + 0.5) * step) for place in range(1, BITS)]
        is_framed = bits[-1] == "1"
        heard.append(int("".join(bits[-2::-1]), 2) if is_framed else 0)
        stop = int(fall + (BITS - 0.5) * step)
        high = stop if is_framed else line.find("1", stop)
        fall = line.find("0", high) if 0 <= high < len(line) else -1
    return bytes(heard)


def _level(line: str, place: float) -> str:
    return line[int(place)] if place < len(line) else "1"
