"""Faults of a GNSS receiver's sentences: wrong position, no fix, wrong checksum, cut off.

They work on finished sentences, so a replayed log and a driven route suffer alike. The faults of
the line itself (gap, stall, hang-up, garbage) are in hil/faults.py. Used by hil/gnss.py.
"""

import random
import re
from collections.abc import Callable, Mapping
from typing import Final

from hil.faults import PORT_KINDS, FaultSchedule
from hil.nmea import checksum

GNSS_KINDS: Final = PORT_KINDS | {"cut", "checksum", "jump", "nofix"}

_RIGHT = re.compile(rb"\$([A-Z]{2}([A-Z]{3}),[^*\r\n]*)\*[0-9A-Fa-f]{2}(\r?\n?)\Z")
_LAT_FIELD: Final[Mapping[bytes, int]] = {b"RMC": 3, b"GGA": 2, b"GNS": 2, b"GLL": 1}
_METRES_PER_DEG: Final = 111_195.0

Fields = list[bytes]


class SentenceFaults:
    """Applies the faults that are on to one epoch's sentences."""

    def __init__(self, faults: FaultSchedule, chance: random.Random, jump_m: float) -> None:
        self._faults, self._chance, self._jump_m = faults, chance, jump_m

    def apply(self, lines: list[bytes]) -> bytes:
        """The epoch's bytes as the faulty receiver sends them; unchanged where no fault is on."""
        on = self._faults.on_now()
        if "jump" in on:
            lines = [_edit(line, self._moved) for line in lines]
        if "nofix" in on:
            lines = [_edit(line, _without_fix) for line in lines]
        if "checksum" in on:
            lines = [_wrong_checksum(line) for line in lines]
        if "cut" in on:
            lines = self._one_cut(lines)
        return b"".join(lines)

    def _moved(self, kind: bytes, fields: Fields) -> None:
        at = _LAT_FIELD.get(kind)
        if at is None or len(fields) <= at or not fields[at]:
            return
        value = float(fields[at])
        digits = len(fields[at].partition(b".")[2])
        minutes = (value // 100) * 60 + value % 100 + self._jump_m / _METRES_PER_DEG * 60
        scale = 10**digits
        degrees, units = divmod(round(minutes * scale), 60 * scale)
        whole, fraction = divmod(units, scale)
        tail = f".{fraction:0{digits}}" if digits else ""
        fields[at] = f"{degrees:02}{whole:02}{tail}".encode()

    def _one_cut(self, lines: list[bytes]) -> list[bytes]:
        """One sentence of the epoch loses its tail and runs into the next."""
        victim = self._chance.randrange(len(lines))
        cut = lines[victim][: self._chance.randint(1, max(1, len(lines[victim]) - 6))]
        return [*lines[:victim], cut, *lines[victim + 1 :]]


def _edit(line: bytes, change: Callable[[bytes, Fields], None]) -> bytes:
    """The right sentence with its fields changed and its checksum new; others as they are."""
    found = _RIGHT.match(line)
    if found is None:
        return line
    fields = found[1].split(b",")
    try:
        change(found[2], fields)
    except ValueError:  # a field that is no number stays as it is
        return line
    body = b",".join(fields)
    return b"$%b*%02X%b" % (body, checksum(body), found[3])


def _without_fix(kind: bytes, fields: Fields) -> None:
    """As receivers do: time goes on, validity goes, position, speed and course are empty."""
    blank, marks = _NO_FIX.get(kind, ((), {}))
    for at in blank:
        if at < len(fields):
            fields[at] = b""
    for at, mark in marks.items():
        if at < len(fields):
            fields[at] = mark


_NO_FIX: Final[Mapping[bytes, tuple[tuple[int, ...], Mapping[int, bytes]]]] = {
    b"RMC": ((3, 4, 5, 6, 7, 8), {2: b"V", 12: b"N"}),
    b"GGA": ((2, 3, 4, 5, 9, 11), {6: b"0", 7: b"00", 8: b"99.99"}),
    b"GNS": ((2, 3, 4, 5, 9, 10), {6: b"NN", 7: b"00", 8: b"99.99"}),
    b"GLL": ((1, 2, 3, 4), {6: b"V", 7: b"N"}),
    b"GSA": (tuple(range(3, 15)), {2: b"1", 15: b"99.99", 16: b"99.99", 17: b"99.99"}),
    b"VTG": ((1, 3, 5, 7), {9: b"N"}),
}


def _wrong_checksum(line: bytes) -> bytes:
    found = _RIGHT.match(line)
    if found is None:
        return line
    return b"$%b*%02X%b" % (found[1], checksum(found[1]) ^ 0x55, found[3])
