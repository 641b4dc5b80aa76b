"""The codebook that comes with Outrider, as package data: a start for a fleet's own.

The rim of `protocol`: reads one file of the installed package. Callers: the command, and whoever
has no codebook of its own yet.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from protocol.codebook_model import Codebook
from protocol.codebook_reading import read

SHIPPED: Final = "zhangzhou.toml"


def shipped_text() -> str:
    """The TOML text."""
    return (files("protocol") / "codes" / SHIPPED).read_text(encoding="utf-8")


@cache
def shipped() -> Codebook:
    """Read once a process: it is frozen."""
    return read(shipped_text())
