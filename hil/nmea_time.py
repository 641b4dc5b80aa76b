"""Finds the times and dates that NMEA sentences of a log carry, and shifts them by a constant.

A sentence with only a time of day belongs to the date that brings it nearest to the sentence
before it, so midnight needs no special case. A wrong checksum stays wrong by the same bits; the
times of such sentences lead nothing, unless the log has no date elsewhere. Used by
hil/gnss_log.py.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import xor
from typing import Final

_SENTENCE = re.compile(rb"\$([^$*\r\n]*)(?:\*([0-9A-Fa-f]{2}))?[ \t\x00]*(?:\r?\n?)\Z")
_TIME = re.compile(rb"(\d\d)(\d\d)(\d\d)(\.\d*)?")
_TALKER = re.compile(rb"[A-Z]{2}")
_DAY = timedelta(days=1)
_UNDATED_FROM = datetime(2000, 1, 1, tzinfo=UTC)  # any day: only times of day are written back


@dataclass(frozen=True, slots=True)
class Layout:
    """Which fields carry the time, and the date in what order (`d`, `m`, `y`: two digits)."""

    time: int
    date: int | None = None
    order: str = ""  # "" with a date: three fields, day, month and four-digit year


LAYOUTS: Final[Mapping[bytes, Layout]] = {
    b"RMC": Layout(1, 9, "dmy"),
    b"GGA": Layout(1),
    b"GLL": Layout(5),
    b"GNS": Layout(1),
    b"ZDA": Layout(1, 2),
    b"GST": Layout(1),
    b"GBS": Layout(1),
    b"GRS": Layout(1),
}
TRIMBLE_GGK: Final = Layout(2, 3, "mdy")


@dataclass(frozen=True, slots=True)
class Timed:
    """One line's sentence, taken apart, with the place of its times."""

    before: bytes  # noise in front of `$`
    fields: tuple[bytes, ...]
    checksum: bytes | None
    after: bytes
    layout: Layout
    checksum_error: int  # bits in which the checksum is wrong; 0: right, or none given

    @property
    def is_right(self) -> bool:
        """Whether the sentence may be believed."""
        return self.checksum_error == 0


def read_timed(line: bytes) -> Timed | None:
    """The sentence of `line` if it is whole and of a kind with a time, else None."""
    found = _SENTENCE.search(line)
    if found is None:
        return None
    body, digits = found[1], found[2]
    error = reduce(xor, body, 0) ^ int(digits, 16) if digits is not None else 0
    fields = tuple(body.split(b","))
    layout = _layout(fields)
    if layout is None or len(fields) <= max(layout.time, layout.date or 0):
        return None
    if not _TIME.fullmatch(fields[layout.time]):
        return None
    after_at = found.end(2) if digits is not None else found.end(1)
    return Timed(line[: found.start()], fields, digits, line[after_at:], layout, error)


def _layout(fields: tuple[bytes, ...]) -> Layout | None:
    if fields[0] == b"PTNL":
        return TRIMBLE_GGK if fields[1:2] == (b"GGK",) else None
    if len(fields[0]) != 5 or not _TALKER.match(fields[0]):
        return None
    return LAYOUTS.get(fields[0][2:])


def _time_of_day(timed: Timed) -> timedelta:
    found = _TIME.fullmatch(timed.fields[timed.layout.time])
    assert found is not None
    hours, minutes, seconds, fraction = found.groups()
    micros = int((fraction or b".")[1:7].ljust(6, b"0"))
    return timedelta(
        hours=int(hours), minutes=int(minutes), seconds=int(seconds), microseconds=micros
    )


def _date(timed: Timed) -> datetime | None:
    """The date that the sentence states, or None where it has none or no real one."""
    layout, fields = timed.layout, timed.fields
    if layout.date is None:
        return None
    try:
        if not layout.order:
            day, month, year = (int(field) for field in fields[layout.date : layout.date + 3])
        else:
            digits = fields[layout.date]
            if len(digits) != 6:
                return None
            parts = {
                key: int(digits[at : at + 2])
                for key, at in zip(layout.order, (0, 2, 4), strict=True)
            }
            day, month, year = parts["d"], parts["m"], parts["y"]
            year += 1900 if year >= 80 else 2000
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def leading(parsed: Sequence[Timed | None]) -> list[bool]:
    """Which sentences' times may be followed: the right ones, or all where none is right."""
    some_right = any(timed is not None and timed.is_right for timed in parsed)
    return [timed is not None and (timed.is_right or not some_right) for timed in parsed]


def moments(parsed: Sequence[Timed | None]) -> list[datetime | None]:
    """The full time of each timed sentence; a log without any date counts from one fixed day."""
    dated = any(timed is not None and timed.is_right and _date(timed) for timed in parsed)
    near = _first_moment([timed for timed in parsed if timed and (timed.is_right or not dated)])
    result: list[datetime | None] = []
    for timed in parsed:
        moment = None
        if timed is not None:
            date, of_day = _date(timed), _time_of_day(timed)
            moment = date + of_day if date else _nearest(near, of_day)
            if timed.is_right or not dated:
                near = moment
        result.append(moment)
    return result


def _first_moment(parsed: Sequence[Timed]) -> datetime:
    for timed in parsed:
        if date := _date(timed):
            return date + _time_of_day(timed)
    return _UNDATED_FROM + (_time_of_day(parsed[0]) if parsed else timedelta(0))


def _nearest(near: datetime, of_day: timedelta) -> datetime:
    midnight = near.replace(hour=0, minute=0, second=0, microsecond=0)
    candidates = (midnight + of_day + days * _DAY for days in (-1, 0, 1))
    return min(candidates, key=lambda moment: abs(moment - near))


def rewrite(timed: Timed, moment: datetime) -> bytes:
    """The line with its time (and date) set to `moment`, which is whole seconds from the old.

    Digits behind the second, all other bytes, and a missing checksum stay as they are.
    """
    layout, fields = timed.layout, list(timed.fields)
    fields[layout.time] = f"{moment:%H%M%S}".encode() + timed.fields[layout.time][6:]
    if layout.date is not None and _date(timed):
        if layout.order:
            form = "".join(f"%{part}" for part in layout.order)
            fields[layout.date] = f"{moment:{form}}".encode()
        else:
            fields[layout.date : layout.date + 3] = f"{moment:%d,%m,%Y}".encode().split(b",")
    body = b",".join(fields)
    return timed.before + b"$" + body + _checksum(body, timed) + timed.after


def _checksum(body: bytes, timed: Timed) -> bytes:
    old = timed.checksum
    if old is None:
        return b""
    digits = b"%02X" % (reduce(xor, body, 0) ^ timed.checksum_error)
    return b"*" + (digits.lower() if old != old.upper() else digits)
