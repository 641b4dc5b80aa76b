"""Which dispatch numbers a terminal takes: terms never go back, each number once.

A floor (all numbers up to it were seen) and a bit set of the 256 numbers above it, kept on disk in
the transaction that keeps the message (RFC 4303 section 3.4.3 has the idea).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

WIDTH: Final = 256


class Take(Enum):
    NEW = "new"
    SEEN = "seen"  # answer `delivered` again, act on nothing
    STALE_TERM = "stale_term"
    BEYOND = "beyond"  # too far ahead; the centre repeats it


@dataclass(frozen=True, slots=True)
class Window:
    """`term` 0: nothing seen yet. `bits` bit i: number floor+1+i was seen."""

    term: int = 0
    floor: int = 0
    bits: int = 0

    def judge(self, term: int, counter: int) -> Take:
        if term < self.term:
            return Take.STALE_TERM
        if term > self.term:
            return Take.NEW if counter <= WIDTH else Take.BEYOND
        ahead = counter - self.floor - 1
        if ahead < 0:
            return Take.SEEN
        if ahead >= WIDTH:
            return Take.BEYOND
        return Take.SEEN if self.bits >> ahead & 1 else Take.NEW

    def taken(self, term: int, counter: int) -> Window:
        """The window after a number that was judged NEW."""
        base = self if term == self.term else Window(term)
        bits, floor = base.bits | 1 << counter - base.floor - 1, base.floor
        while bits & 1:
            bits, floor = bits >> 1, floor + 1
        return replace(base, floor=floor, bits=bits)

    def raised(self, term: int) -> Window:
        """After a welcome of a higher term."""
        return Window(term) if term > self.term else self
