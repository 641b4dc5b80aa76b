"""Makes NMEA 0183 sentences from a receiver's state, as an emulated receiver sends them.

`$` talker type `,` fields `*` two hex digits (XOR of all between) CR LF. Written from the field
lists of NMEA 0183 version 4.1; shares nothing with the product's decoder. Used by hil/gnss.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from operator import xor
from typing import Final

KNOT_MPS: Final = 1852 / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Satellite:
    """One satellite in view."""

    number: int
    elevation_deg: int
    azimuth_deg: int
    snr_dbhz: int


SKY: Final = tuple(
    Satellite(number=n, elevation_deg=e, azimuth_deg=a, snr_dbhz=s)
    for n, e, a, s in [
        (2, 61, 41, 44), (5, 23, 118, 37), (12, 47, 301, 42), (15, 12, 254, 31),
        (18, 72, 190, 46), (21, 35, 77, 40), (24, 18, 335, 34), (25, 54, 226, 43),
        (29, 28, 161, 38), (31, 9, 20, 28),
    ]
)  # fmt: skip


# System identifier of NMEA 4.11 and how many of SKY it has in view: with all five, GSA and GSV of
# one epoch and one each of the other sentences fill nine tenths of 115,200 baud at 10 Hz.
CONSTELLATIONS: Final[Mapping[str, tuple[int, int]]] = {
    "GP": (1, 8), "GL": (2, 4), "GA": (3, 4), "GB": (4, 4), "GQ": (5, 1),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GnssState:
    """What a receiver knows at one epoch; positions are WGS 84."""

    utc: datetime
    lat_deg: float
    lon_deg: float
    sog_mps: float = 0.0
    cog_deg: float | None = None  # None: too slow to have a course
    altitude_m: float = 12.0
    geoid_m: float = 9.3
    hdop: float = 0.8
    has_fix: bool = True
    sky: tuple[Satellite, ...] = SKY


def checksum(body: bytes) -> int:
    """XOR over what stands between `$` and `*`."""
    return reduce(xor, body, 0)


def sentence(body: str) -> bytes:
    """The whole sentence with checksum and line end."""
    return f"${body}*{checksum(body.encode('ascii')):02X}\r\n".encode("ascii")


def _angle(value_deg: float, degree_digits: int, sides: str) -> str:
    """Degrees and minutes to 1e-5 minutes (2 cm), rounded as one number, and the side."""
    units = round(abs(value_deg) * 60 * 100_000)
    degrees, minutes = divmod(units, 60 * 100_000)
    whole, fraction = divmod(minutes, 100_000)
    side = sides[value_deg < 0]
    return f"{degrees:0{degree_digits}}{whole:02}.{fraction:05},{side}"


def position_fields(lat_deg: float, lon_deg: float) -> str:
    """`ddmm.mmmmm,N,dddmm.mmmmm,E`."""
    return f"{_angle(lat_deg, 2, 'NS')},{_angle(lon_deg, 3, 'EW')}"


def _place(state: GnssState) -> str:
    return position_fields(state.lat_deg, state.lon_deg) if state.has_fix else ",,,"


def _clock(state: GnssState) -> str:
    return f"{state.utc:%H%M%S}.{state.utc.microsecond // 10_000:02}"


def _mode(state: GnssState) -> str:
    return "A" if state.has_fix else "N"


def _speed_and_course(state: GnssState) -> tuple[str, str]:
    if not state.has_fix:
        return "", ""
    course = "" if state.cog_deg is None else f"{round(state.cog_deg, 2) % 360:.2f}"
    return f"{state.sog_mps / KNOT_MPS:.3f}", course


def rmc(talker: str, state: GnssState) -> list[bytes]:
    """Recommended minimum: time, date, position, speed, course."""
    speed, course = _speed_and_course(state)
    valid = "A" if state.has_fix else "V"
    body = (
        f"{talker}RMC,{_clock(state)},{valid},{_place(state)},{speed},{course},"
        f"{state.utc:%d%m%y},,,{_mode(state)},V"
    )
    return [sentence(body)]


def gga(talker: str, state: GnssState) -> list[bytes]:
    """Fix quality, satellites used, HDOP, altitude."""
    if not state.has_fix:
        return [sentence(f"{talker}GGA,{_clock(state)},,,,,0,00,99.99,,,,,,")]
    body = (
        f"{talker}GGA,{_clock(state)},{_place(state)},1,{len(state.sky):02},{state.hdop:.2f},"
        f"{state.altitude_m:.1f},M,{state.geoid_m:.1f},M,,"
    )
    return [sentence(body)]


def gns(talker: str, state: GnssState) -> list[bytes]:
    """As GGA, for several systems."""
    if not state.has_fix:
        return [sentence(f"{talker}GNS,{_clock(state)},,,,,NN,00,99.99,,,,,V")]
    body = (
        f"{talker}GNS,{_clock(state)},{_place(state)},AA,{len(state.sky):02},{state.hdop:.2f},"
        f"{state.altitude_m:.1f},{state.geoid_m:.1f},,,V"
    )
    return [sentence(body)]


def gsa(talker: str, state: GnssState, system: str = "") -> list[bytes]:
    """Fix dimension, satellites used, PDOP, HDOP, VDOP; `system` is `,n` where it is told."""
    if not state.has_fix:
        return [sentence(f"{talker}GSA,A,1{',' * 12},99.99,99.99,99.99{system}")]
    numbers = [f"{satellite.number:02}" for satellite in state.sky[:12]]
    used = ",".join(numbers + [""] * (12 - len(numbers)))
    vdop = state.hdop * 1.25
    pdop = (state.hdop**2 + vdop**2) ** 0.5
    return [sentence(f"{talker}GSA,A,3,{used},{pdop:.2f},{state.hdop:.2f},{vdop:.2f}{system}")]


def gsv(talker: str, state: GnssState) -> list[bytes]:
    """Satellites in view, four a sentence; talker GN is never used for them."""
    groups = [state.sky[start : start + 4] for start in range(0, len(state.sky), 4)]
    who = "GP" if talker == "GN" else talker
    sentences = []
    for place, group in enumerate(groups, start=1):
        seen = ",".join(
            f"{s.number:02},{s.elevation_deg:02},{s.azimuth_deg:03},{s.snr_dbhz:02}" for s in group
        )
        sentences.append(sentence(f"{who}GSV,{len(groups)},{place},{len(state.sky):02},{seen}"))
    return sentences


def vtg(talker: str, state: GnssState) -> list[bytes]:
    """Course and speed, in knots and km/h."""
    speed, course = _speed_and_course(state)
    kmh = f"{state.sog_mps * 3.6:.3f}" if state.has_fix else ""
    return [sentence(f"{talker}VTG,{course},T,,M,{speed},N,{kmh},K,{_mode(state)}")]


def gll(talker: str, state: GnssState) -> list[bytes]:
    """Position and time of day."""
    valid = "A" if state.has_fix else "V"
    return [sentence(f"{talker}GLL,{_place(state)},{_clock(state)},{valid},{_mode(state)}")]


def zda(talker: str, state: GnssState) -> list[bytes]:
    """Time and date with the century."""
    return [sentence(f"{talker}ZDA,{_clock(state)},{state.utc:%d,%m,%Y},00,00")]


MAKERS: Final[Mapping[str, Callable[[str, GnssState], list[bytes]]]] = {
    "RMC": rmc,
    "GGA": gga,
    "GNS": gns,
    "GSA": gsa,
    "GSV": gsv,
    "VTG": vtg,
    "GLL": gll,
    "ZDA": zda,
}


def epoch_sentences(
    talker: str, types: Sequence[str], state: GnssState, constellations: Sequence[str] = ()
) -> list[bytes]:
    """All sentences of one epoch, in the order of `types` (keys of `MAKERS`).

    With `constellations` (keys of `CONSTELLATIONS`) GSA and GSV come once for each of them.
    """
    return [
        line
        for name in types
        for line in (
            _by_constellation(name, state, constellations)
            if constellations and name in ("GSA", "GSV")
            else MAKERS[name](talker, state)
        )
    ]


def _by_constellation(name: str, state: GnssState, constellations: Sequence[str]) -> list[bytes]:
    """As multi-constellation receivers do: GSA from GN with a system id, GSV from each talker."""
    lines = []
    for talker in constellations:
        system, count = CONSTELLATIONS[talker]
        part = replace(state, sky=state.sky[:count])
        lines += gsa("GN", part, f",{system}") if name == "GSA" else gsv(talker, part)
    return lines
