"""The gate: one NMEA 0183 sentence in, its checked meaning out, or a counted refusal.

pynmea2 takes the sentence apart; none of its values is used. It hands out Null Island for a void
position, strings for what it cannot read, latitudes of 99 degrees, and passes a sentence without
a checksum. What it names `data` is read here, field by field, by `nmea_fields`.
The field layouts are those of NMEA 0183 v4.11. Called by the agent's GNSS task and `gnss_decode`.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pynmea2

from agent.core import nmea_fields as read
from agent.core.fix import FixKind
from agent.core.nmea_fields import FieldRefused

# GNSS talkers, and the navigation systems (II, IN, YD) that pass a receiver's sentences on.
TALKERS: Final = frozenset(["GP", "GN", "GL", "GA", "GB", "BD", "GQ", "QZ", "GI", "II", "IN", "YD"])

_SHAPE: Final = re.compile(r"\$([A-Z]{2})([A-Z]{3}),[^*]*(?:(\*)([0-9A-Fa-f]{2})?(.*))?", re.DOTALL)
_MODES: Final = "ADEFMNPRS"
_NAV_STATUSES: Final = "SCUV"  # V: the receiver gives no such status; not a void position
_ALT_M: Final = (-1000.0, 100_000.0)
_DIMENSIONS: Final = {"1": FixKind.NONE, "2": FixKind.FIX_2D, "3": FixKind.FIX_3D}
_SHARED_NUMBERING: Final = ("GN", "GP", "GL")  # whose satellite numbers do not overlap
_ORIGINS: Final = {
    "6": "estimated",
    "7": "manual",
    "8": "simulated",  # GGA quality
    "E": "estimated",
    "M": "manual",
    "S": "simulated",  # mode letter
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """What one sentence says, in our units; None where it is silent."""

    talker: str
    formatter: str  # RMC GGA GSA VTG GLL ZDA GNS GSV
    time_of_day_ms: int | None = None
    day: int | None = None  # since 1970-01-01, as the receiver dated it
    valid: bool | None = None  # False: void; None: this formatter does not say
    lat_deg: float | None = None
    lon_deg: float | None = None
    alt_m: float | None = None
    sog_mps: float | None = None
    cog_deg: float | None = None
    dimension: FixKind | None = None
    satellites: int | None = None  # used
    satellite_ids: frozenset[tuple[str, int]] = frozenset()  # GSA: used, by constellation
    hdop: float | None = None
    origin: str | None = None  # estimated | manual | simulated, where not measured
    snr_dbhz: tuple[float, ...] = ()  # GSV: the satellites tracked


class SentenceGate:
    """Counts what passes: `accepted`, `ignored` (other sentences), `refused` by reason."""

    def __init__(self) -> None:
        self.accepted = 0
        self.ignored = 0
        self.refused: Counter[str] = Counter()

    def accept(self, raw: bytes) -> Sentence | None:
        """Return the meaning of `raw`, a framed sentence, or None; never raises on any bytes."""
        try:
            sentence = read_sentence(raw)
        except FieldRefused as fault:
            self.refused[fault.reason] += 1
            return None
        if sentence is None:
            self.ignored += 1
        else:
            self.accepted += 1
        return sentence


def read_sentence(raw: bytes) -> Sentence | None:
    """Return the meaning of `raw`, None for formatters and talkers that are not ours.

    Raises FieldRefused with a reason: `text`, `checksum_missing`, `checksum_malformed`,
    `checksum_wrong`, `field_count`, or the name of the first impossible field.
    """
    if not raw.isascii():
        raise FieldRefused("text")
    text = raw.decode("ascii")
    shape = _SHAPE.fullmatch(text)
    if shape is None or shape[1] not in TALKERS or shape[2] not in _LAYOUTS:
        return None
    if shape[3] is None:
        raise FieldRefused("checksum_missing")
    if shape[4] is None or shape[5]:
        raise FieldRefused("checksum_malformed")
    try:
        fields: list[str] = pynmea2.NMEASentence.parse(text, check=True).data
    except pynmea2.ChecksumError:
        raise FieldRefused("checksum_wrong") from None
    except pynmea2.ParseError:
        raise FieldRefused("text") from None
    fields_min, fields_max, reader = _LAYOUTS[shape[2]]
    if not fields_min <= len(fields) <= fields_max:
        raise FieldRefused("field_count")
    return reader(shape[1], fields)


def _rmc(talker: str, fields: list[str]) -> Sentence:
    status, mode = _status(fields[1], fields[11:12])
    read.letter("".join(fields[12:]), _NAV_STATUSES, "nav_status")
    time_ms = read.time_of_day_ms(fields[0])
    if not status:
        return _void(talker, "RMC", time_ms, _day_or_none(fields[8]))
    lat_deg, lon_deg = _position(fields[2:6])
    return Sentence(
        talker=talker,
        formatter="RMC",
        time_of_day_ms=time_ms,
        day=read.day_of_ddmmyy(fields[8]),
        valid=True,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        sog_mps=read.speed_mps(fields[6], read.KNOT_MPS),
        cog_deg=read.course_deg(fields[7]),
        origin=_ORIGINS.get(mode),
    )


def _gga(talker: str, fields: list[str]) -> Sentence:
    quality = read.integer(fields[5], 0, 9, "quality")
    time_ms = read.time_of_day_ms(fields[0])
    if not quality:  # 0 or, before a first fix, empty
        return _void(talker, "GGA", time_ms)
    read.letter(fields[9], "M", "altitude")
    lat_deg, lon_deg = _position(fields[1:5])
    return Sentence(
        talker=talker,
        formatter="GGA",
        time_of_day_ms=time_ms,
        valid=True,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        satellites=read.integer(fields[6], 0, 99, "satellites"),
        hdop=read.hdop(fields[7]),
        alt_m=read.decimal(fields[8], *_ALT_M, "altitude"),
        origin=_ORIGINS.get(str(quality)),
    )


def _gns(talker: str, fields: list[str]) -> Sentence:
    modes = fields[5]  # one letter for each constellation; empty: another talker's GNS has it
    if any(mode not in _MODES for mode in modes):
        raise FieldRefused("mode")
    read.letter("".join(fields[12:]), _NAV_STATUSES, "nav_status")
    time_ms = read.time_of_day_ms(fields[0])
    measuring = [mode for mode in modes if mode != "N"]
    if not modes:
        return Sentence(talker=talker, formatter="GNS", time_of_day_ms=time_ms)
    if not measuring:
        return _void(talker, "GNS", time_ms)
    lat_deg, lon_deg = _position(fields[1:5])
    origins = {_ORIGINS.get(mode) for mode in measuring}
    return Sentence(
        talker=talker,
        formatter="GNS",
        time_of_day_ms=time_ms,
        valid=True,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        satellites=read.integer(fields[6], 0, 999, "satellites"),
        hdop=read.hdop(fields[7]),
        alt_m=read.decimal(fields[8], *_ALT_M, "altitude"),
        origin=origins.pop() if len(origins) == 1 else None,
    )


def _gll(talker: str, fields: list[str]) -> Sentence:
    status, mode = _status(fields[5], fields[6:7])
    time_ms = read.time_of_day_ms(fields[4])
    if not status:
        return _void(talker, "GLL", time_ms)
    lat_deg, lon_deg = _position(fields[0:4])
    return Sentence(
        talker=talker,
        formatter="GLL",
        time_of_day_ms=time_ms,
        valid=True,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        origin=_ORIGINS.get(mode),
    )


def _vtg(talker: str, fields: list[str]) -> Sentence:
    for unit, place in zip("TMNK", fields[1:8:2], strict=False):
        read.letter(place, unit, "unit")
    read.decimal(fields[2], 0.0, 360.0, "course")
    cog_deg = read.course_deg(fields[0])
    sog_mps = read.speed_mps(fields[4], read.KNOT_MPS)
    if sog_mps is None and len(fields) > 6:
        sog_mps = read.speed_mps(fields[6], read.KMH_MPS)
    if read.letter("".join(fields[8:9]), _MODES, "mode") == "N":
        return Sentence(talker=talker, formatter="VTG")
    return Sentence(talker=talker, formatter="VTG", sog_mps=sog_mps, cog_deg=cog_deg)


def _gsa(talker: str, fields: list[str]) -> Sentence:
    read.letter(fields[0], "MA", "mode")
    dimension = read.letter(fields[1], "123", "fix_type")
    listed = [read.integer(place, 0, 999, "satellite_id") for place in fields[2:14]]
    system = "".join(fields[17:]) or ("" if talker in _SHARED_NUMBERING else talker)
    for dilution in (fields[14], fields[16]):
        read.hdop(dilution)
    return Sentence(
        talker=talker,
        formatter="GSA",
        dimension=None if dimension is None else _DIMENSIONS[dimension],
        hdop=read.hdop(fields[15]),
        satellite_ids=frozenset((system, number) for number in listed if number),
    )


def _zda(talker: str, fields: list[str]) -> Sentence:
    day = read.day_of_parts(*fields[1:4])
    for zone in fields[4:]:
        read.decimal(zone, -59.0, 59.0, "zone")
    time_ms = read.time_of_day_ms(fields[0])
    return Sentence(talker=talker, formatter="ZDA", time_of_day_ms=time_ms, day=day)


def _gsv(talker: str, fields: list[str]) -> Sentence:
    total = read.integer(fields[0], 1, 99, "gsv_count")
    number = read.integer(fields[1], 1, 99, "gsv_count")
    if total is None or number is None or number > total:
        raise FieldRefused("gsv_count")
    read.integer(fields[2], 0, 999, "gsv_count")
    levels: list[float] = []
    for place in range(3, len(fields) - 3, 4):  # a last single field is the signal id
        identity, elevation, azimuth, snr = fields[place : place + 4]
        read.integer(identity, 0, 999, "satellite_id")
        read.decimal(elevation, -90.0, 90.0, "elevation")
        read.decimal(azimuth, 0.0, 360.0, "azimuth")
        if level := read.decimal(snr, 0.0, 99.9, "snr"):
            levels.append(level)
    return Sentence(talker=talker, formatter="GSV", snr_dbhz=tuple(levels))


def _void(talker: str, formatter: str, time_ms: int | None, day: int | None = None) -> Sentence:
    """Everything but time and date of a void sentence is history or filler: it is not read."""
    return Sentence(
        talker=talker, formatter=formatter, time_of_day_ms=time_ms, day=day, valid=False
    )


def _status(status: str, mode: list[str]) -> tuple[bool, str]:
    """Read status A|V (empty is V) and the optional mode letter; N voids whatever the status is."""
    read.letter(status, "AV", "status")
    mode_letter = read.letter("".join(mode), _MODES, "mode") or ""
    return status == "A" and mode_letter != "N", mode_letter


def _position(fields: list[str]) -> tuple[float, float]:
    position = read.position_deg(fields)
    if position is None:
        raise FieldRefused("position")
    return position


def _day_or_none(text: str) -> int | None:
    """Before its first fix a receiver may date itself 000000; that is no fault of its void."""
    try:
        return read.day_of_ddmmyy(text)
    except FieldRefused:
        return None


_LAYOUTS: Final[dict[str, tuple[int, int, Callable[[str, list[str]], Sentence]]]] = {
    "RMC": (11, 13, _rmc),
    "GGA": (14, 15, _gga),
    "GNS": (12, 13, _gns),
    "GLL": (6, 7, _gll),
    "VTG": (6, 9, _vtg),
    "GSA": (17, 18, _gsa),
    "ZDA": (4, 6, _zda),
    "GSV": (3, 20, _gsv),
}
