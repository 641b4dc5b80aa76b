"""The records of an evidence export: what the file holds of a journal, one array each.

`[kind, fields...]` in deterministic CBOR; the fields are those of the classes, in their order.
protocol/evidence.py puts them into the sealed file, protocol/evidence_check.py proves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeAlias, TypeVar

from protocol import cbor
from protocol.fields import (
    TIME_MS_MAX,
    U32,
    Check,
    bad,
    integer,
    many,
    maybe,
    octets,
    pair,
    plain,
    record,
    text,
    time_ms,
    uint,
)
from protocol.identities import DOCUMENT_BYTES_MAX
from protocol.logbook import DIGEST_BYTES, ENTRY_BYTES_MAX
from protocol.refusal import Reason, Refused

T = TypeVar("T", bound=IntEnum)
RECORD_BYTES_MAX: Final = DOCUMENT_BYTES_MAX + 4096
_ROW_BYTES_MAX: Final = 1 << 19  # a transaction's command or events
_SEALED_BYTES_MAX: Final = 4096


class RecordKind(IntEnum):
    """Numbers in the file; never reused."""

    ABOUT = 1
    ROOT = 2
    TRUST = 3
    IDENTITIES = 4
    LOGBOOK = 5
    HEAD = 6
    ENTRY = 7
    RECEIPT = 8
    POSITION = 9
    DECISION = 10
    MEDIA = 11
    ERASURE = 12
    THINNED = 13


class Held(IntEnum):
    """What the file holds of an entry: itself, or its digest only and why."""

    WHOLE = 0
    ERASED = 1  # by the centre's retention; an erasure record says so
    OUTSIDE = 2  # not asked for; its digest joins the chain to a seal or a witness
    BARE = 3  # the terminal itself had kept the digest only


@dataclass(frozen=True, slots=True)
class About:
    """What was asked, by whom and why. `audit` is the look-up's place in the centre's audit chain.

    `order` or `from_ms`..`to_ms`; what an order's export spans is in the latter two.
    """

    fleet: str
    made_ms: int
    by: str
    reason: str
    order: str | None
    incident: str | None
    from_ms: int
    to_ms: int
    units: tuple[str, ...]
    audit: int
    audit_chain: bytes


@dataclass(frozen=True, slots=True)
class Root:
    """The fleet root's certificate (X.509, DER). It vouches for nothing unless it is trusted."""

    certificate: bytes


@dataclass(frozen=True, slots=True)
class TrustDocument:
    """A `trust` document as the root sealed it."""

    message: bytes


@dataclass(frozen=True, slots=True)
class IdentitiesDocument:
    """An `identities` document as role enrolment sealed it."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Logbook:
    """Entries first..last of one logbook follow, but for `missing`, which the centre has not got.

    What a position witnesses beyond `last` and the centre never got is in `missing` too.
    """

    logbook: bytes
    enrolment: bytes
    device: str
    first: int
    last: int
    missing: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SealedHead:
    """A batch's head as the terminal sealed it."""

    logbook: bytes
    received_ms: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """Entry n with the chain's value behind it; `data` is its digest unless it is held whole."""

    logbook: bytes
    n: int
    chain: bytes
    held: Held
    data: bytes


@dataclass(frozen=True, slots=True)
class SealedReceipt:
    """A receipt as role receipt sealed it after the commit."""

    logbook: bytes
    at_ms: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class SealedPosition:
    """A position as the terminal sealed it: it witnesses how many entries there were."""

    logbook: bytes
    received_ms: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One transaction of the journal: what was asked of the core, and what it decided."""

    seq: int
    chain_before: bytes
    command: bytes
    events: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class Media:
    """A recorder's file, named with its SHA-256 by entry n."""

    logbook: bytes
    n: int
    device: str
    file: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Erasure:
    """Entries first..last of a logbook whose content went by a rule; chained among erasures."""

    number: int
    at_ms: int
    rule: str
    logbook: bytes
    first: int
    last: int
    count: int
    chain_before: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class ThinnedPoint:
    """The centre's own extract of an erased track: one fix a minute. No terminal sealed it."""

    logbook: bytes
    n: int
    time_ms: int
    lat_e6: int
    lon_e6: int


Record: TypeAlias = (
    About | Root | TrustDocument | IdentitiesDocument | Logbook | SealedHead | LoggedEntry
    | SealedReceipt | SealedPosition | DecisionRow | Media | Erasure | ThinnedPoint
)  # fmt: skip


def numbered(kind: type[T]) -> Check:
    """A member of a numbered list; `true` is no number, though Python takes it for 1."""
    whole = integer(min(kind), max(kind))
    return lambda value, place: kind(whole(value, place))


_n = uint(U32)
_digest = octets(32)
_logbook = octets(16)
_name = text(31)
_sealed = octets(size_max=_SEALED_BYTES_MAX)
_number = integer(1, 1 << 53)
_row = octets(size_max=_ROW_BYTES_MAX)
_TABLE: Final[tuple[tuple[RecordKind, type[Any], Check], ...]] = (
    (RecordKind.ABOUT, About,
     record(About, _name, time_ms, text(64), text(200), maybe(_name), maybe(_name), time_ms,
            time_ms, many(_name, 256), uint(1 << 53), _digest)),
    (RecordKind.ROOT, Root, record(Root, octets(size_max=8192))),
    (RecordKind.TRUST, TrustDocument, record(TrustDocument, octets(size_max=DOCUMENT_BYTES_MAX))),
    (RecordKind.IDENTITIES, IdentitiesDocument,
     record(IdentitiesDocument, octets(size_max=DOCUMENT_BYTES_MAX))),
    (RecordKind.LOGBOOK, Logbook,
     record(Logbook, _logbook, _logbook, _name, _n, _n, many(pair(_n, _n), 4096))),
    (RecordKind.HEAD, SealedHead, record(SealedHead, _logbook, time_ms, _sealed)),
    (RecordKind.ENTRY, LoggedEntry,
     record(LoggedEntry, _logbook, _n, _digest, numbered(Held), octets(size_max=ENTRY_BYTES_MAX))),
    (RecordKind.RECEIPT, SealedReceipt, record(SealedReceipt, _logbook, time_ms, _sealed)),
    (RecordKind.POSITION, SealedPosition, record(SealedPosition, _logbook, time_ms, _sealed)),
    (RecordKind.DECISION, DecisionRow,
     record(DecisionRow, _number, _digest, _row, _row, _digest)),
    (RecordKind.MEDIA, Media, record(Media, _logbook, _n, _name, text(256), _digest)),
    (RecordKind.ERASURE, Erasure,
     record(Erasure, _number, time_ms, text(32), _logbook, _n, _n, _n, _digest, _digest)),
    (RecordKind.THINNED, ThinnedPoint,
     record(ThinnedPoint, _logbook, _n, uint(TIME_MS_MAX), integer(-90_000_000, 90_000_000),
            integer(-180_000_000, 180_000_000))),
)  # fmt: skip
KIND_OF: Final = {cls: kind for kind, cls, _ in _TABLE}
_CHECK: Final = {kind: check for kind, _, check in _TABLE}


def key_of(one: Record) -> int:
    """The number by which people name a record; 0 where it has none."""
    match one:
        case LoggedEntry(n=n) | Media(n=n) | ThinnedPoint(n=n):
            return n
        case Logbook(first=first):
            return first
        case SealedHead(received_ms=at_ms) | SealedPosition(received_ms=at_ms):
            return at_ms
        case SealedReceipt(at_ms=at_ms):
            return at_ms
        case DecisionRow(seq=number) | Erasure(number=number):
            return number
        case _:
            return 0


def encode_record(one: Record) -> bytes:
    body = plain(one)
    assert isinstance(body, list)
    return cbor.encode([int(KIND_OF[type(one)]), *body])


def decode_record(data: bytes) -> Record:
    """Raises Refused; only the one deterministic encoding is taken."""
    value = cbor.decode(data, RECORD_BYTES_MAX)
    if not isinstance(value, list) or not value:
        raise Refused(Reason.MALFORMED, "record: not an array")
    kind = value[0]
    if type(kind) is not int or kind not in _CHECK:
        raise bad("record", kind, "a known kind")
    found: Record = _CHECK[RecordKind(kind)](value[1:], RecordKind(kind).name.lower())
    if (
        isinstance(found, LoggedEntry)
        and found.held is not Held.WHOLE
        and len(found.data) != DIGEST_BYTES
    ):
        raise bad("entry", found.data, "a digest of 32 bytes")
    return found
