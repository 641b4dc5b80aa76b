"""gpsd's reports to fixes: TPV and SKY lines in, one `Fix` for each navigation epoch out; pure.

Protocol: gpsd_json(5), one JSON object a line. TPV carries mode, time, lat, lon, altMSL, speed,
track; SKY carries hdop and the satellites. gpsd may report an epoch several times, each time
knowing more: it is closed by the next time, or by `flush` when the line falls silent. Every value
is checked as strictly as a sentence's; `integrity` judges what comes out. Called by the agent's
gpsd source.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from agent.core.dating import Calendar
from agent.core.fix import DAY_MS, Fix, FixKind
from agent.core.nmea_fields import LEAP_SECOND_MS, SOG_MPS_MAX
from agent.core.positions import METRES_PER_HDOP

SKY_EPOCHS_MAX: Final = 10  # how long a SKY speaks for epochs without one
YEAR_MIN: Final = 1980  # GPS began
YEAR_MAX: Final = 2099
EPH_OF_HDOP_1_M: Final = 2 * METRES_PER_HDOP  # eph holds 95 %, twice the radius of 68 %

_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)"
    r"(?:\.([0-9]{1,9}))?Z"
)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_KINDS: Final = {0: FixKind.NONE, 1: FixKind.NONE, 2: FixKind.FIX_2D, 3: FixKind.FIX_3D}
_ORIGINS: Final = {5: "estimated", 6: "estimated", 7: "manual", 8: "simulated"}  # TPV's status
_RANGES: Final = {
    "lat": (-90.0, 90.0),
    "lon": (-180.0, 180.0),
    "altMSL": (-1000.0, 100_000.0),
    "alt": (-1000.0, 100_000.0),
    "speed": (0.0, SOG_MPS_MAX),
    "track": (0.0, 360.0),
    "eph": (0.0, 100_000.0),
}
Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GpsdAddress:
    """Where gpsd listens, and which of its devices is meant (None: the only one)."""

    host: str
    port: int
    device: str | None


class ReportRefused(ValueError):
    """A report that says something impossible; `reason` names what, for the counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GpsdReports:
    """`device`: only its reports, or with None those of the first that has any.

    `refused` counts by reason. `is_gone`: gpsd has said that the receiver left it.
    """

    def __init__(self, device: str | None = None, not_before: date | None = None) -> None:
        self.refused: Counter[str] = Counter()
        self.is_gone = False
        self._wanted = self._device = device
        self._calendar = Calendar(not_before)
        self._open: Report = {}
        self._closed: tuple[int, int] | None = None
        self._sky: Report = {}
        self._sky_epochs = 0

    def feed(self, line: bytes) -> list[Fix]:
        """Take one line; return the fixes that it closes, at most one. Never raises."""
        try:
            report = _parsed(line)
            match report.get("class"):
                case "TPV" if self._is_ours(report):
                    return self._take_tpv(_checked_tpv(report))
                case "SKY" if self._is_ours(report):
                    self._sky, self._sky_epochs = _checked_sky(report) or self._sky, 0
                case "DEVICE":
                    self._take_device(report)
        except ReportRefused as fault:
            self.refused[fault.reason] += 1
        return []

    def flush(self) -> list[Fix]:
        """The line is silent: the open epoch is whole."""
        report, self._open = self._open, {}
        if not report:
            return []
        self._closed = report["moment"]
        return [self._fix(report)]

    def _is_ours(self, report: Report) -> bool:
        device = report.get("device")
        if self._device is None and isinstance(device, str):
            self._device = device
        if device in (None, self._device):
            return True
        raise ReportRefused("other_device")

    def _take_device(self, report: Report) -> None:
        """A DEVICE with `activated` 0 has been closed; unplugged ones are told so too."""
        path, activated = report.get("path"), report.get("activated")
        is_off = isinstance(activated, int | float) and activated == 0
        if isinstance(path, str) and path in (self._device, self._wanted):
            self.is_gone = is_off
            if is_off:
                self._device = self._wanted

    def _take_tpv(self, report: Report) -> list[Fix]:
        self.is_gone = False
        moment = report["moment"]
        if moment is not None and moment == self._closed:
            raise ReportRefused("repeated")
        fixes = [] if self._open and moment == self._open["moment"] else self.flush()
        self._open |= report
        return fixes

    def _fix(self, report: Report) -> Fix:
        kind: FixKind = report["kind"]
        there = kind is not FixKind.NONE
        day, time_ms = report["moment"] or (None, None)
        raw_ms, epoch_ms = self._calendar.date(time_ms, day, trusted=there)
        moved = raw_ms != epoch_ms
        self._sky_epochs += 1
        sky = self._sky if self._sky_epochs <= SKY_EPOCHS_MAX else {}
        flags = {"rollover"} if moved else set()
        if there and report.get("origin"):
            flags.add(report["origin"])
        return Fix(
            epoch_ms=epoch_ms,
            time_of_day_ms=time_ms,
            lat_deg=report["lat"] if there else None,
            lon_deg=report["lon"] if there else None,
            alt_m=report.get("altMSL", report.get("alt")) if there else None,
            sog_mps=report.get("speed") if there else None,
            cog_deg=report.get("track") if there else None,
            kind=kind,
            satellites=sky.get("used"),
            hdop=sky.get("hdop") or _hdop_of_eph(report.get("eph") if there else None),
            snr_dbhz=self._levels_once(),
            flags=tuple(sorted(flags)),
            raw_epoch_ms=raw_ms if moved else None,
        )

    def _levels_once(self) -> tuple[float, ...] | None:
        """The signal levels that have come since the fix before."""
        levels: tuple[float, ...] | None = self._sky.pop("levels", None)
        return levels


def _hdop_of_eph(eph_m: float | None) -> float | None:
    """Of a receiver whose HDOP gpsd keeps to itself: the one that gives the accuracy of its eph."""
    return eph_m / EPH_OF_HDOP_1_M if eph_m else None


def _parsed(line: bytes) -> Report:
    try:
        report = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ReportRefused("json") from None
    if not isinstance(report, dict):
        raise ReportRefused("json")
    return report


def _no_number(_text: str) -> float:
    raise ValueError  # NaN and infinities are no JSON


def _number(report: Report, name: str, low: float, high: float) -> float | None:
    value = report.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ReportRefused(name)
    return float(value) + 0.0


def _checked_tpv(report: Report) -> Report:
    mode, status = report.get("mode"), report.get("status")
    if type(mode) is not int or mode not in _KINDS:
        raise ReportRefused("mode")
    found: Report = {"kind": _KINDS[mode], "moment": _moment(report.get("time"))}
    for name, (low, high) in _RANGES.items():
        value = _number(report, name, low, high)
        if value is not None:
            found[name] = 0.0 if name == "track" and value == 360.0 else value
    if found["kind"] is not FixKind.NONE and not ("lat" in found and "lon" in found):
        raise ReportRefused("position")
    if type(status) is int:
        found["origin"] = _ORIGINS.get(status)
    return found


def _checked_sky(report: Report) -> Report | None:
    """None for a SKY that says nothing: some come with a list of satellites only."""
    hdop = _number(report, "hdop", 0.0, 9999.0)
    used = _number(report, "uSat", 0, 999)
    listed = report.get("satellites")
    seen = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if used is None and seen:
        used = sum(one.get("used") is True for one in seen)
    if not hdop and used is None:
        return None
    found: Report = {"hdop": hdop or None, "used": None if used is None else int(used)}
    if seen:
        levels = (_number(one, "ss", 0.0, 99.9) for one in seen)
        found["levels"] = tuple(level for level in levels if level)
    return found


def _moment(text: object) -> tuple[int, int] | None:
    """Day since 1970 and UTC ms since midnight; second 60 as in `nmea_fields`."""
    if text is None:
        return None
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ReportRefused("time")
    if not YEAR_MIN <= int(match[1]) <= YEAR_MAX:
        raise ReportRefused("time")
    try:
        day = date(int(match[1]), int(match[2]), int(match[3])).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        raise ReportRefused("time") from None
    hour, minute, second = int(match[4]), int(match[5]), int(match[6])
    if second == 60:
        if (hour, minute) != (23, 59):
            raise ReportRefused("time")
        return day, LEAP_SECOND_MS
    time_ms = ((hour * 60 + minute) * 60 + second) * 1000 + int((match[7] or "0").ljust(3, "0")[:3])
    assert time_ms < DAY_MS
    return day, time_ms
