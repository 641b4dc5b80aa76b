"""An evidence export: records, each wrapped and indexed, under one seal of role `evidence`.

    payload = ["outrider-evidence/1", index: bstr .cbor [* [kind, key, SHA-256(record)]],
               [* record: bstr .cbor [kind, fields...]]]

Bound to the fleet, enrolment id empty. The records are in protocol/evidence_records.py; how they
prove each other is in protocol/evidence_check.py. Made by the matcher's export, read by
`outrider evidence verify`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cbor2

from protocol import cbor, envelope
from protocol.envelope import Kind, Signer
from protocol.evidence_records import KIND_OF, Record, RecordKind, encode_record, key_of, numbered
from protocol.fields import many, octets, record, uint
from protocol.refusal import Reason, Refused

VERSION: Final = "outrider-evidence/1"
_VERSION: Final = cbor2.dumps(VERSION)
EXPORT_BYTES_MAX: Final = 256 << 20
RECORDS_MAX: Final = 1_000_000
_INDEX_BYTES_MAX: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """A record's line in the index; `key` names it: an entry's number, a head's first, ..."""

    kind: RecordKind
    key: int
    digest: bytes


_decode_index = many(record(Row, numbered(RecordKind), uint(1 << 53), octets(32)), RECORDS_MAX)


def digest_of(encoded: bytes) -> bytes:
    return hashlib.sha256(encoded).digest()


def encode(records: Iterable[Record]) -> bytes:
    """The payload: index and records, in their order."""
    encoded = [(int(KIND_OF[type(r)]), key_of(r), encode_record(r)) for r in records]
    index = cbor2.dumps([[kind, key, digest_of(data)] for kind, key, data in encoded])
    return cbor2.dumps([VERSION, index, [data for _, _, data in encoded]])


def decode_index(data: bytes) -> tuple[Row, ...]:
    """Raises Refused."""
    found: tuple[Row, ...] = _decode_index(_decode_large(data), "index")
    return found


def _decode_large(data: bytes) -> object:
    """As `cbor.decode`, for an index that may have a million rows."""
    if len(data) > _INDEX_BYTES_MAX:
        raise Refused(Reason.TOO_LARGE, f"index of {len(data)} bytes")
    if cbor.skip_item(data, 0, 3, tags=False, heads_max=4 * RECORDS_MAX + 1) != len(data):
        raise Refused(Reason.MALFORMED, "index: bytes behind it")
    try:
        value: object = cbor2.loads(data)
        again = cbor.encode(value)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, EOFError) as cause:
        raise Refused(Reason.MALFORMED, f"index: not CBOR: {cause!s:.60}") from cause
    if again != data:
        raise Refused(Reason.MALFORMED, "index: not the deterministic encoding")
    return value


class Torn(Exception):
    """The payload cannot be taken apart: `at` is how many records came before the fault."""

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(f"record {at}: {reason}")
        self.at, self.reason = at, reason


def take_apart(payload: bytes, keep_index: Callable[[bytes], None]) -> Sequence[bytes]:
    """The encoded records of a payload, none decoded yet; the index goes to `keep_index`.

    Raises Torn. Only definite lengths in their shortest form are read, to the last byte.
    """
    found: list[bytes] = []
    try:
        at, count = cbor.read_head(payload, 0, 4, "payload")
        if count != 3 or payload[at : at + len(_VERSION)] != _VERSION:
            raise Torn(0, f"payload does not begin as {VERSION}")
        at, index = cbor.read_bytes(payload, at + len(_VERSION), "index")
        keep_index(index)
        at, count = cbor.read_head(payload, at, 4, "records")
        if count > RECORDS_MAX:
            raise Torn(0, f"{count} records; at most {RECORDS_MAX}")
        for number in range(count):
            at, one = cbor.read_bytes(payload, at, f"record {number}")
            found.append(one)
        if at != len(payload):
            raise Torn(len(found), f"{len(payload) - at} bytes behind the last record")
    except Refused as refused:
        raise Torn(len(found), refused.detail) from refused
    return found


def seal(records: Iterable[Record], fleet: str, key: Signer) -> bytes:
    """A whole export; raises Refused(too_large) beyond EXPORT_BYTES_MAX."""
    sealed = envelope.seal(Kind.EVIDENCE, fleet, b"", encode(records), key)
    if len(sealed) > EXPORT_BYTES_MAX:
        detail = f"export of {len(sealed)} bytes; at most {EXPORT_BYTES_MAX}: ask for less time"
        raise Refused(Reason.TOO_LARGE, detail)
    return sealed
