"""What a recorded drive says, read without a line of the product: regular expressions and numbers.

Rules as docs/receivers.md states them: sentences of one time of day are one epoch, void ones give
no position, a wrong checksum is no sentence, an epoch without a date follows the last dated one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from operator import xor
from pathlib import Path

_SENTENCE = re.compile(rb"\$((G[PNLAB]|BD)(RMC|GGA|GLL|VTG|GNS|ZDA),[^*$\r\n]*)\*([0-9A-Fa-f]{2})")
_KNOT_MPS = 1852 / 3600
_HALF_DAY_S = 43_200


@dataclass(slots=True)
class Epoch:
    """One navigation epoch: candidates as the sentences gave them, in their order."""

    at_s: float  # of the day
    day: int | None = None  # days since 1970
    places: dict[str, tuple[float, float]] = field(default_factory=dict)
    speeds_mps: list[float] = field(default_factory=list)
    courses_deg: list[float] = field(default_factory=list)
    is_void: bool = False

    @property
    def place(self) -> tuple[float, float] | None:
        """GLL before RMC before GGA, where they differ."""
        found = [self.places[kind] for kind in ("GLL", "RMC", "GGA", "GNS") if kind in self.places]
        return found[0] if found and not self.is_void else None


@dataclass(frozen=True, slots=True)
class Point:
    """A fix as it is expected in the track."""

    time_ms: int
    lat: float
    lon: float
    speed_mps: float | None
    course_deg: float | None


def sentences(path: Path) -> list[tuple[str, list[str]]]:
    """(formatter, fields) of each whole sentence with a right checksum."""
    return [
        (match[3].decode(), match[1].decode("latin-1").split(",")[1:])
        for match in _SENTENCE.finditer(path.read_bytes())
        if reduce(xor, match[1], 0) == int(match[4], 16)
    ]


def epochs(path: Path) -> list[Epoch]:
    """All epochs of the log, in order, dated."""
    made: list[Epoch] = []
    for formatter, fields in sentences(path):
        if formatter == "VTG":
            if fields[8:9] != ["N"]:
                _motion(made[-1:], fields[4], fields[0])
            continue
        if formatter == "ZDA" or not fields[_TIME[formatter]]:
            continue
        at_s = _seconds(fields[_TIME[formatter]])
        if not made or made[-1].at_s != at_s:
            made.append(Epoch(at_s))
        _TAKE[formatter](made[-1], fields)
    _date(made)
    return made


def points(path: Path) -> list[Point]:
    """The fixes of the log: epochs with a position, each once."""
    found: dict[int, Point] = {}
    for epoch in epochs(path):
        time_ms = round(((epoch.day or 0) * 86_400 + epoch.at_s) * 1000)
        if epoch.place is None or time_ms in found:
            continue
        speed = epoch.speeds_mps[0] if epoch.speeds_mps else None
        course = epoch.courses_deg[0] if epoch.courses_deg else None
        found[time_ms] = Point(time_ms, *epoch.place, speed, course)
    return list(found.values())


def gaps_s(times_ms: list[int], least_s: int) -> list[int]:
    """Pauses of `least_s` and more between fixes that follow each other, whole seconds."""
    steps = [(later - time) / 1000 for time, later in pairwise(times_ms)]
    return [round(step) for step in steps if step >= least_s]


_TIME = {"RMC": 0, "GGA": 0, "GNS": 0, "GLL": 4}


def _rmc(epoch: Epoch, fields: list[str]) -> None:
    if len(fields[8]) == 6:
        stated = datetime.strptime(fields[8], "%d%m%y").replace(tzinfo=UTC)
        epoch.day = (stated - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(days=1)
    _place(epoch, "RMC", fields[2:6], valid=fields[1] == "A" and fields[11:12] != ["N"])
    if fields[1] == "A":
        _motion([epoch], fields[6], fields[7])


def _gga(epoch: Epoch, fields: list[str]) -> None:
    _place(epoch, "GGA", fields[1:5], valid=fields[5] not in ("", "0"))


def _gns(epoch: Epoch, fields: list[str]) -> None:
    _place(epoch, "GNS", fields[1:5], valid=bool(fields[5].strip("N")))


def _gll(epoch: Epoch, fields: list[str]) -> None:
    _place(epoch, "GLL", fields[0:4], valid=fields[5] == "A" and fields[6:7] != ["N"])


_TAKE = {"RMC": _rmc, "GGA": _gga, "GNS": _gns, "GLL": _gll}


def _place(epoch: Epoch, formatter: str, four: list[str], *, valid: bool) -> None:
    if not valid:
        epoch.is_void = epoch.is_void or formatter in ("RMC", "GLL", "GGA")
        return
    lat, lon = _degrees(four[0], 2), _degrees(four[2], 3)
    epoch.places.setdefault(
        formatter, (-lat if four[1] == "S" else lat, -lon if four[3] == "W" else lon)
    )


def _motion(of: list[Epoch], knots: str, course: str) -> None:
    for epoch in of:
        if knots:
            epoch.speeds_mps.append(float(knots) * _KNOT_MPS)
        if course:
            epoch.courses_deg.append(float(course))


def _degrees(text: str, digits: int) -> float:
    return int(text[:digits]) + float(text[digits:]) / 60


def _seconds(text: str) -> float:
    return int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:])


def _date(made: list[Epoch]) -> None:
    """Days for epochs without one: the last stated day, over midnight."""
    day, at_s = next(((e.day, e.at_s) for e in made if e.day is not None), (None, 0.0))
    for epoch in made:
        if epoch.day is None and day is not None:
            over = (at_s - epoch.at_s > _HALF_DAY_S) - (epoch.at_s - at_s > _HALF_DAY_S)
            epoch.day = day + over
        if epoch.day is not None:
            day, at_s = epoch.day, epoch.at_s
