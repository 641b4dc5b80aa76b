"""The logbook as it travels: a hash chain of entries, sealed heads, batches, receipts.

    d(n) = SHA-256(entry)         h(n) = SHA-256(h(n-1) || n as 8 bytes || d(n))
    h(0) = SHA-256(cbor(["outrider/1", "logbook", logbook id, enrolment id, first public key]))

A batch message is `[sealed head, [entry or [digest], ...]]`; the head's payload is
`[logbook, first, h(first-1), last, h(last)]`. An entry that was thinned or erased travels as its
bare digest, so the chain still joins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cbor2

from protocol import cbor
from protocol.fields import U32, many, octets, pair, plain, record, uint
from protocol.refusal import Reason, Refused

DIGEST_BYTES: Final = 32
ENTRY_BYTES_MAX: Final = 3072
BATCH_ENTRIES_MAX: Final = 512
RANGES_MAX: Final = 32

_n = uint(U32)
_digest = octets(DIGEST_BYTES)
_logbook = octets(16)


@dataclass(frozen=True, slots=True)
class Head:
    """What a batch's seal covers."""

    logbook: bytes
    first: int
    head_before: bytes  # h(first-1)
    last: int
    head_last: bytes  # h(last)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Sealed by role `receipt` after the centre's commit; idempotent, the highest wins."""

    logbook: bytes
    n: int  # every entry up to and with n is committed
    head: bytes  # h(n) as the centre computed it
    ranges: tuple[tuple[int, int], ...]  # committed beyond n, first and last


@dataclass(frozen=True, slots=True)
class Batch:
    """A received batch: what is claimed by the head and what lies beside it."""

    sealed_head: bytes
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One entry, or its bare digest where it was thinned or erased."""

    digest: bytes
    data: bytes | None


_decode_head = record(Head, _logbook, _n, _digest, _n, _digest)
_decode_receipt = record(Receipt, _logbook, _n, _digest, many(pair(_n, _n), RANGES_MAX))


def digest(entry: bytes) -> bytes:
    return hashlib.sha256(entry).digest()


def chain(head_before: bytes, n: int, entry_digest: bytes) -> bytes:
    """h(n) from h(n-1), n and d(n)."""
    return hashlib.sha256(head_before + n.to_bytes(8, "big") + entry_digest).digest()


def chain_start(logbook: bytes, enrolment: bytes, first_public_key: bytes) -> bytes:
    """h(0), which binds the logbook to its enrolment and its first key."""
    start = ["outrider/1", "logbook", logbook, enrolment, first_public_key]
    return hashlib.sha256(cbor.encode(start)).digest()


def chain_over(head_before: bytes, first: int, digests: Iterable[bytes]) -> bytes:
    """h(last) after `digests` of entries first, first+1, ..."""
    head = head_before
    for n, entry_digest in enumerate(digests, first):
        head = chain(head, n, entry_digest)
    return head


def encode_head(head: Head) -> bytes:
    return cbor.encode(plain(head))


def decode_head(payload: bytes) -> Head:
    """Raises Refused; first <= last and at most BATCH_ENTRIES_MAX entries."""
    head = _decode_head(cbor.decode(payload), "head")
    if head.first < 1 or not 0 <= head.last - head.first < BATCH_ENTRIES_MAX:
        raise Refused(Reason.OUT_OF_RANGE, f"head: entries {head.first}..{head.last}")
    return head


def encode_batch(sealed_head: bytes, items: Sequence[Item]) -> bytes:
    """The message beside whose head the entries lie."""
    return cbor2.dumps(
        [sealed_head, [item.data if item.data is not None else [item.digest] for item in items]]
    )


def decode_batch(message: bytes) -> Batch:
    """Structure and bounds only; raises Refused."""
    value = cbor.array(cbor.decode(message, cbor.BATCH_BYTES_MAX), 2, "batch")
    sealed, entries = value
    if not isinstance(sealed, bytes) or not isinstance(entries, list):
        raise Refused(Reason.MALFORMED, "batch: wanted a sealed head and an array of entries")
    if not 1 <= len(entries) <= BATCH_ENTRIES_MAX:
        raise Refused(Reason.OUT_OF_RANGE, f"batch: {len(entries)} entries")
    return Batch(sealed, tuple(_item(entry, i) for i, entry in enumerate(entries)))


def _item(value: object, i: int) -> Item:
    match value:
        case bytes() if len(value) <= ENTRY_BYTES_MAX:
            return Item(digest(value), value)
        case [bytes() as bare] if len(bare) == DIGEST_BYTES:
            return Item(bare, None)
        case _:
            raise Refused(Reason.MALFORMED, f"batch: item {i} is neither entry nor digest")


def check_joins(head: Head, items: Sequence[Item]) -> None:
    """Raises Refused(chain_broken) unless the items lead from h(first-1) to h(last)."""
    if len(items) != head.last - head.first + 1:
        detail = f"{len(items)} items for entries {head.first}..{head.last}"
        raise Refused(Reason.CHAIN_BROKEN, detail)
    if chain_over(head.head_before, head.first, (i.digest for i in items)) != head.head_last:
        raise Refused(
            Reason.CHAIN_BROKEN, f"entries {head.first}..{head.last} do not give the head"
        )


def encode_receipt(receipt: Receipt) -> bytes:
    return cbor.encode(plain(receipt))


def decode_receipt(payload: bytes) -> Receipt:
    """Raises Refused; ranges lie beyond n, apart and in order."""
    receipt = _decode_receipt(cbor.decode(payload), "receipt")
    end = receipt.n
    for first, last in receipt.ranges:
        if not end + 1 < first <= last:
            raise Refused(Reason.OUT_OF_RANGE, f"receipt: range {first}..{last} after {end}")
        end = last
    return receipt
