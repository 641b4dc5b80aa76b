"""Hostile receiver bytes: what a seed becomes, cut, spliced, with impossible fields, resealed.

A byte that is changed at random nearly always breaks a checksum and gets no further than the gate,
so most mutations work on fields and set the checksum right again. Used by the loop of
test_fuzz_nmea.py and, as its mutator, by atheris (with_atheris.py).
"""

from __future__ import annotations

import random
import re
from functools import reduce
from operator import xor
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
BYTES_MAX = 384
_SENTENCE = re.compile(rb"\$([^*$\r\n]{4,200})\*([0-9A-Fa-f]{2})")
_TIME = re.compile(rb",2[0-9]{5}\.")
FIELDS = (
    b" 0 -0 -1 00 99 1e9 nan inf +1 0x1 1. . - A V N S E W M K T D AN NNNNNN 1 2 3 4 5 6 7 8 9 "
    b"235960 235959.999999999 240000 000000 006060 310224 290223 311280 010100 1980 2100 "
    b"9000.0000 9000.0001 18000.0000 18000.0001 2460.00 0000.0000 00000.0000 2400 360.0 360.1 "
    b"999999999 9999999999999999999999999 1.00000000000000000000000000000 \xef\xbc\x91"
).split(b" ")
NOISE = [b"\x00", b"\xb5\x62\x01\x07", b"\xff" * 8, b"$", b"!", b"*", b"\r", b"\n", b"\r\n", b",",
         b"$GN", b"$GNRMC,", b"*00", b"\xd3\x00\x13", b"\x80", b"#", b"A" * 300]  # fmt: skip


def seeds() -> list[bytes]:
    """Each file of our corpus."""
    return [path.read_bytes() for path in sorted(CORPUS.iterdir())]


def mutate(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """`data` at another time of day, after one to four changes."""
    if chance.random() < 0.8:
        data = _moved(data, chance)
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(_CHANGES)(data, others, chance)
    return data[:BYTES_MAX]


def _moved(data: bytes, chance: random.Random) -> bytes:
    """Every time of day replaced by one drawn, so that an epoch is seldom one of before."""
    new = b",%02d%02d%02d." % (chance.randrange(24), chance.randrange(60), chance.randrange(60))
    return _SENTENCE.sub(reseal, _TIME.sub(new, data))


def reseal(match: re.Match[bytes]) -> bytes:
    """The sentence with its checksum right."""
    return b"$%b*%02X" % (match[1], reduce(xor, match[1], 0))


def _field(data: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    found = list(_SENTENCE.finditer(data))
    if not found:
        return data + chance.choice(FIELDS)
    one = chance.choice(found)
    fields = one[1].split(b",")
    at = chance.randrange(len(fields))
    kind = chance.randrange(8)
    if kind == 0:
        del fields[at]
    elif kind == 1:
        fields.insert(at, chance.choice(FIELDS))
    elif kind == 2:
        fields[at] = chance.choice(FIELDS) + fields[at]
    elif kind == 3:
        fields = fields[: at + 1]
    else:
        fields[at] = chance.choice(FIELDS)
    body = b",".join(fields)
    return data[: one.start()] + b"$%b*%02X" % (body, reduce(xor, body, 0)) + data[one.end() :]


def _splice(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    other = chance.choice(others)
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


def _cut(data: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    begin = chance.randint(0, len(data))
    return data[:begin] + data[begin + chance.randint(0, 40) :]


def _repeat(data: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    begin = chance.randint(0, len(data))
    return data[:begin] + data[begin : begin + 80] * chance.randint(1, 4) + data[begin:]


def _flip(data: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    changed = bytearray(data or b"$")
    changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _noise(data: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + chance.choice(NOISE) + data[at:]


def _digits(data: bytes, _others: list[bytes], chance: random.Random) -> bytes:
    """Other digits throughout, with the checksums right: other times, places and dates."""
    changed = bytearray(data)
    for at, byte in enumerate(changed):
        if 0x30 <= byte <= 0x39 and chance.random() < 0.1:
            changed[at] = chance.randrange(0x30, 0x3A)
    return _SENTENCE.sub(reseal, bytes(changed))


_CHANGES = (_field, _field, _field, _field, _digits, _digits, _splice, _cut, _repeat, _flip, _noise)
