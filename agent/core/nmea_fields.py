"""Strict readers of single NMEA 0183 fields: ASCII digits only, every value range-checked.

Each takes the field's text and returns its value, None where the field is empty (absence is not
zero), or raises `FieldRefused` with the counted reason. `int()` and `float()` are never shown text
that a pattern has not passed: they would take `1e999`, `nan`, blanks and Unicode digits.
Called by `nmea` only.
"""

import re
from datetime import date
from typing import Final

from agent.core.fix import DAY_MS

KNOT_MPS: Final = 1852 / 3600
KMH_MPS: Final = 1 / 3.6
SOG_MPS_MAX: Final = 1000.0  # GNSS export limits stop receivers at 515 m/s
LEAP_SECOND_MS: Final = DAY_MS - 1

_DECIMAL: Final = re.compile(r"-?(?:[0-9]{1,9}\.?[0-9]{0,9}|\.[0-9]{1,9})")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9]|60)(?:\.([0-9]{0,9}))?")
_DATE: Final = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})")
_LATITUDE: Final = re.compile(r"([0-9]{2})([0-5][0-9](?:\.[0-9]{0,10})?)")
_LONGITUDE: Final = re.compile(r"([0-9]{3})([0-5][0-9](?:\.[0-9]{0,10})?)")
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


class FieldRefused(ValueError):
    """A field that says something impossible; `reason` names what, for the counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decimal(text: str, low: float, high: float, reason: str) -> float | None:
    """Read a plain decimal number within [low, high]; no exponent, no plus sign."""
    if not text:
        return None
    if not _DECIMAL.fullmatch(text):
        raise FieldRefused(reason)
    value = float(text)
    if not low <= value <= high:
        raise FieldRefused(reason)
    return value + 0.0  # -0.0 + 0.0 is 0.0


def integer(text: str, low: int, high: int, reason: str) -> int | None:
    """Read an unsigned integer of at most nine ASCII digits within [low, high]."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
        raise FieldRefused(reason)
    return int(text)


def letter(text: str, allowed: str, reason: str) -> str | None:
    """Read a one-letter code."""
    if not text:
        return None
    if len(text) != 1 or text not in allowed:
        raise FieldRefused(reason)
    return text


def time_of_day_ms(text: str) -> int | None:
    """Read hhmmss[.s…] as UTC ms since midnight; digits beyond ms are cut.

    Second 60 exists at 23:59 only. It becomes 23:59:59.999: the next day's first second keeps its
    own name, and time does not run backward; a 10 Hz receiver thus gives one epoch in it.
    """
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise FieldRefused("time")
    hour, minute, second = int(match[1]), int(match[2]), int(match[3])
    if second == 60:
        if (hour, minute) != (23, 59):
            raise FieldRefused("time")
        return LEAP_SECOND_MS
    fraction_ms = int((match[4] or "")[:3].ljust(3, "0"))
    return ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms


def day_of_ddmmyy(text: str) -> int | None:
    """Read RMC's ddmmyy as days since 1970; 80-99 are 19yy (GPS began in 1980), 00-79 are 20yy."""
    if not text:
        return None
    match = _DATE.fullmatch(text)
    if match is None:
        raise FieldRefused("date")
    short_year = int(match[3])
    return _day(2000 + short_year - 100 * (short_year >= 80), int(match[2]), int(match[1]))


def day_of_parts(day: str, month: str, year: str) -> int | None:
    """Read ZDA's day, month and four-digit year as days since 1970."""
    if not (day or month or year):
        return None
    parts = (
        integer(year, 1980, 2099, "date"),
        integer(month, 1, 12, "date"),
        integer(day, 1, 31, "date"),
    )
    if parts[0] is None or parts[1] is None or parts[2] is None:
        raise FieldRefused("date")
    return _day(parts[0], parts[1], parts[2])


def position_deg(fields: list[str]) -> tuple[float, float] | None:
    """Read [latitude, N|S, longitude, E|W] as degrees; all four or none must be there."""
    if not any(fields):
        return None
    lat, lon = _LATITUDE.fullmatch(fields[0]), _LONGITUDE.fullmatch(fields[2])
    if lat is None or lon is None or fields[1] not in ("N", "S") or fields[3] not in ("E", "W"):
        raise FieldRefused("position")
    lat_deg, lon_deg = int(lat[1]) + float(lat[2]) / 60, int(lon[1]) + float(lon[2]) / 60
    if lat_deg > 90 or lon_deg > 180:
        raise FieldRefused("position")
    return (
        -lat_deg if fields[1] == "S" and lat_deg else lat_deg,
        -lon_deg if fields[3] == "W" and lon_deg else lon_deg,
    )


def course_deg(text: str) -> float | None:
    """Read a true course, 0 <= x < 360; 360 is 0."""
    value = decimal(text, 0.0, 360.0, "course")
    return 0.0 if value == 360.0 else value


def speed_mps(text: str, unit_mps: float) -> float | None:
    """Read a speed given in units of `unit_mps`."""
    value = decimal(text, 0.0, SOG_MPS_MAX / unit_mps, "speed")
    return None if value is None else value * unit_mps


def hdop(text: str) -> float | None:
    """Read a dilution of precision; 0 and below are no dilution but an absent one."""
    return decimal(text, 0.0, 9999.0, "hdop") or None


def _day(year: int, month: int, day: int) -> int:
    try:
        return date(year, month, day).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        raise FieldRefused("date") from None
