"""What the GNSS tests share: sentences with right checksums, and a whole receiver's second."""

from __future__ import annotations

from functools import reduce
from operator import xor

from agent.core.nmea import Sentence, read_sentence


def framed(body: str) -> bytes:
    """`body` without `$` and checksum, as the framer would hand it on."""
    checksum = reduce(xor, body.encode(), 0)
    return f"${body}*{checksum:02X}".encode()


def line(body: str) -> bytes:
    """`body` as a receiver sends it."""
    return framed(body) + b"\r\n"


def read(body: str) -> Sentence:
    """The meaning of a sentence that must pass."""
    sentence = read_sentence(framed(body))
    assert sentence is not None
    return sentence


def rmc(
    time: str,
    *,
    status: str = "A",
    lat: str = "2430.7800",
    date: str = "240324",
    talker: str = "GN",
) -> str:
    """RMC at a place in the south of China, driving east."""
    return f"{talker}RMC,{time},{status},{lat},N,11738.8200,E,010.0,090.0,{date},,,A"


def gga(time: str, *, quality: int = 1, lat: str = "2430.7800", talker: str = "GN") -> str:
    """GGA of the same place, 12 m above the sea."""
    return f"{talker}GGA,{time},{lat},N,11738.8200,E,{quality},09,0.9,12.0,M,-5.0,M,,"


def gsa(fix_type: int = 3, system: int = 1) -> str:
    """GSA with five satellites of one constellation."""
    return f"GNGSA,A,{fix_type},01,02,03,04,05,,,,,,,,1.5,0.9,1.2,{system}"
