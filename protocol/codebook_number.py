"""Incident numbers: a pattern with agency, date and serial, and the short one of the day for radio.

Pure: time and serial are arguments. The day is the fleet's own, not UTC's. Callers: the codebook
(checks the patterns), the core (numbers a new incident).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

NUMBER_CHARACTERS_MAX: Final = 31  # may stand where a name stands
RADIO_CHARACTERS_MAX: Final = 16
SERIAL_MAX: Final = 9_999_999  # of one day; far beyond any city
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_PIECE: Final = re.compile(r"\{([^{}]*)\}|([^{}]+)")
_SERIAL: Final = re.compile(r"serial(?::0([1-9])d)?")
_DATE_WIDTHS: Final = {"Y": 4, "y": 2, "m": 2, "d": 2, "j": 3}
_KNOWS: Final = {  # which parts of a date are certain from a directive
    "Y": {"year"}, "y": {"year"}, "m": {"month"}, "d": {"day"}, "j": {"month", "day"},
}  # fmt: skip
_DATE: Final = re.compile(r"date:((?:%[YymdjA-Za-z]|[0-9A-Za-z-])+)")
_LITERAL: Final = re.compile(r"[0-9A-Za-z-]*")
_AGENCY_WIDTH: Final = 12


class Serial(NamedTuple):
    """The newest number given out: its day (days since 1970 in the fleet's time) and serial."""

    day: int
    serial: int


NO_SERIAL: Final = Serial(0, 0)


def local_day(time_ms: int, utc_offset_min: int) -> int:
    """Days since 1970-01-01 in the fleet's time; its midnight begins a day."""
    return (time_ms + utc_offset_min * _MINUTE_MS) // _DAY_MS


def next_serial(last: Serial, day: int) -> Serial:
    """The number after `last`. A clock set back goes on in the newest day: none comes twice."""
    return Serial(day, 1) if day > last.day else Serial(last.day, last.serial + 1)


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """A pattern taken apart.

    `{agency}`, `{date:%Y%m%d}` (also %y, %j) and exactly one `{serial:05d}`. All but the serial
    is of fixed width, so two serials or two dates never give the same number, not even where a
    serial has outgrown its width. A date without its year or month repeats with these.
    """

    pieces: tuple[tuple[str, str], ...]  # (literal | agency | date | serial, text or width)

    @classmethod
    def parse(
        cls, pattern: str, characters_max: int, parts_of_date: tuple[str, ...] = ("day",)
    ) -> NumberPattern:
        """Raises ValueError: `what – remedy`."""
        found = list(_PIECE.finditer(pattern))
        if "".join(one.group() for one in found) != pattern:
            raise ValueError("has a brace without its other half – write {serial:05d}")
        pieces = tuple(_piece(one) for one in found)
        made = cls(pieces)
        serials = sum(kind == "serial" for kind, _ in pieces)
        if serials != 1:
            raise ValueError(f"has {serials} serials – give exactly one, as {{serial:05d}}")
        missing = [part for part in parts_of_date if part not in made._parts_of_date()]
        if missing:
            remedy = "give the whole date, as {date:%Y%m%d}, or {date:%d} for the radio"
            raise ValueError(f"does not say the {missing[0]}: numbers would repeat – {remedy}")
        widest = len(made.text("0" * _AGENCY_WIDTH, 0, SERIAL_MAX))
        if widest > characters_max:
            raise ValueError(f"may grow to {widest} characters – at most {characters_max}")
        return made

    def text(self, agency: str, day: int, serial: int) -> str:
        """The number of one incident; `day` from `local_day`."""
        when = date.fromordinal(_EPOCH_ORDINAL + day)
        return "".join(_filled(kind, what, agency, when, serial) for kind, what in self.pieces)

    def _parts_of_date(self) -> set[str]:
        directives = [d for kind, what in self.pieces if kind == "date" for d in _directives(what)]
        return {part for directive in directives for part in _KNOWS[directive]}


def _piece(found: re.Match[str]) -> tuple[str, str]:
    field, literal = found.group(1), found.group(2)
    if field is None:
        if not _LITERAL.fullmatch(literal):
            raise ValueError(f"has {literal!r} in it – only letters, digits and - between fields")
        return "literal", literal
    if field == "agency":
        return "agency", ""
    if serial := _SERIAL.fullmatch(field):
        return "serial", serial.group(1) or "1"
    if dated := _DATE.fullmatch(field):
        for directive in _directives(dated.group(1)):
            if directive not in _DATE_WIDTHS:
                raise ValueError(f"has %{directive} in a date – use %Y, %y, %m, %d or %j")
        return "date", dated.group(1)
    raise ValueError(
        f"has {{{field}}}, which is no field – use {{agency}}, {{date:%Y%m%d}}, {{serial:05d}}"
    )


def _directives(form: str) -> list[str]:
    return re.findall(r"%(.)", form)


def _filled(kind: str, what: str, agency: str, when: date, serial: int) -> str:
    match kind:
        case "literal":
            return what
        case "agency":
            return agency
        case "serial":
            return f"{serial:0{what}d}"
        case _:
            return re.sub(r"%(.)", lambda found: _part(found.group(1), when), what)


def _part(directive: str, when: date) -> str:
    """As strftime, but the same on every system: %Y has four digits."""
    values = {
        "Y": when.year, "y": when.year % 100, "m": when.month, "d": when.day,
        "j": when.toordinal() - date(when.year, 1, 1).toordinal() + 1,
    }  # fmt: skip
    return f"{values[directive]:0{_DATE_WIDTHS[directive]}d}"
