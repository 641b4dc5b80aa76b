"""Birth, welcome and will: what is said at each connection (wire contract, birth and welcome)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocol import cbor
from protocol.fields import U32, maybe, octets, plain, record, time_ms, uint

NONCE_BYTES: Final = 16
NO_NONCE: Final = bytes(NONCE_BYTES)  # in a welcome: the centre knows no birth and asks for one

_n = uint(U32)
_digest = octets(32)
_logbook = octets(16)


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of signed documents held; 0 where none is held."""

    trust: int
    configuration: int
    codebook: int
    roster: int


@dataclass(frozen=True, slots=True)
class Birth:
    """A terminal's first words on a connection; repeated unchanged until its welcome."""

    boot: int
    connection: int
    nonce: bytes
    logbook: bytes
    lowest_entry: int  # the lowest entry still held
    entry_count: int  # synced
    entry_head: bytes  # h(entry_count)
    term: int  # highest term seen
    order_floor: int  # every dispatch number of that term up to it was seen
    logon: int | None  # log-on number in force
    time_ms: int
    time_trust: int
    versions: Versions


@dataclass(frozen=True, slots=True)
class Welcome:
    """The centre's answer to one birth, echoing its nonce."""

    nonce: bytes
    time_ms: int
    term: int
    highest_boot: int  # highest boot seen of this enrolment before this connection
    logbook: bytes
    n: int  # every entry up to and with n is committed
    head: bytes  # h(n)
    logon: int | None  # log-on number that the centre holds


@dataclass(frozen=True, slots=True)
class Will:
    """Left with the broker at connect; a hint only, an older connection's will says nothing."""

    boot: int
    connection: int


_versions = record(Versions, _n, _n, _n, _n)
_decode_birth = record(
    Birth, uint(U32), uint(U32), octets(NONCE_BYTES), _logbook, _n, _n, _digest, _n, _n,
    maybe(_n), time_ms, uint(3), _versions,
)  # fmt: skip
_decode_welcome = record(
    Welcome, octets(NONCE_BYTES), time_ms, _n, uint(U32), _logbook, _n, _digest, maybe(_n)
)
_decode_will = record(Will, uint(U32), uint(U32))


def encode(value: Birth | Welcome | Will) -> bytes:
    return cbor.encode(plain(value))


def decode_birth(payload: bytes) -> Birth:
    """Raises Refused."""
    return _decode_birth(cbor.decode(payload), "birth")


def decode_welcome(payload: bytes) -> Welcome:
    """Raises Refused."""
    return _decode_welcome(cbor.decode(payload), "welcome")


def decode_will(payload: bytes) -> Will:
    """Raises Refused."""
    return _decode_will(cbor.decode(payload), "will")
