"""What the two commands of this package share: hex arguments and bounded reading of a file.

The rim of `protocol`: reads files and standard input, and nothing else does here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


class Unreadable(Exception):
    """A file cannot be read; the text names it and says why."""


def hexadecimal(text: str) -> bytes:
    """An argument in hex digits, as argparse wants its types."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r:.40} is not pairs of hex digits") from None


def read_bounded(path: str, bytes_max: int) -> bytes:
    """The file at `path` (`-`: standard input); raises Unreadable, also where it is too large."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(bytes_max + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(bytes_max + 1)
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the name
        raise Unreadable(f"{path}: {getattr(fault, 'strerror', None) or fault}") from fault
    if len(data) > bytes_max:
        raise Unreadable(f"{path}: larger than {bytes_max} bytes")
    return data
