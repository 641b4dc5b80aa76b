"""The chain, batches and receipts: what joins, what does not, and who says so."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import cbor, logbook
from protocol.logbook import Head, Item, Receipt
from protocol.refusal import Reason, Refused
from tests.protocol.samples import ENROLMENT, LOGBOOK, TERMINAL_KEY, batch

entries = st.lists(st.binary(max_size=40), min_size=1, max_size=20)
ZERO = bytes(32)


def head_and_items(
    contents: list[bytes], first: int = 1, before: bytes = ZERO
) -> tuple[Head, list[Item]]:
    items = [Item(logbook.digest(data), data) for data in contents]
    last = logbook.chain_over(before, first, (item.digest for item in items))
    return Head(LOGBOOK, first, before, first + len(items) - 1, last), items


def fault(head: Head, items: list[Item]) -> str:
    with pytest.raises(Refused) as caught:
        logbook.check_joins(head, items)
    assert caught.value.reason is Reason.CHAIN_BROKEN
    return caught.value.detail


def test_the_chain_as_it_is_defined() -> None:
    entry_digest = hashlib.sha256(b"entry").digest()
    assert logbook.digest(b"entry") == entry_digest
    assert (
        logbook.chain(ZERO, 258, entry_digest)
        == hashlib.sha256(ZERO + bytes([0, 0, 0, 0, 0, 0, 1, 2]) + entry_digest).digest()
    )
    start = cbor2.dumps(["outrider/1", "logbook", LOGBOOK, ENROLMENT, TERMINAL_KEY.public])
    expected = hashlib.sha256(start).digest()
    assert logbook.chain_start(LOGBOOK, ENROLMENT, TERMINAL_KEY.public) == expected


def test_the_start_binds_logbook_enrolment_and_key() -> None:
    starts = {
        logbook.chain_start(book, enrolment, key)
        for book in (bytes(16), LOGBOOK)
        for enrolment in (bytes(16), ENROLMENT)
        for key in (ZERO, TERMINAL_KEY.public)
    }
    assert len(starts) == 8


@given(entries, st.integers(1, 2**32 - 600))
def test_a_batch_joins_and_survives_the_way(contents: list[bytes], first: int) -> None:
    head, items = head_and_items(contents, first)
    assert logbook.decode_head(logbook.encode_head(head)) == head
    received = logbook.decode_batch(logbook.encode_batch(b"sealed head", items))
    assert received == logbook.Batch(b"sealed head", tuple(items))
    logbook.check_joins(head, received.items)


@given(entries, st.data())
def test_thinned_entries_join_all_the_same(contents: list[bytes], data: st.DataObject) -> None:
    head, items = head_and_items(contents)
    bare = data.draw(st.sets(st.integers(0, len(items) - 1)))
    thinned = [Item(x.digest, None) if i in bare else x for i, x in enumerate(items)]
    received = logbook.decode_batch(logbook.encode_batch(b"", thinned))
    assert received.items == tuple(thinned)
    logbook.check_joins(head, received.items)


@given(entries, st.data())
def test_any_change_breaks_the_chain(contents: list[bytes], data: st.DataObject) -> None:
    head, items = head_and_items(contents)
    at = data.draw(st.integers(0, len(items) - 1))
    changed = contents[at] + b"\x00"
    other = [*items[:at], Item(logbook.digest(changed), changed), *items[at + 1 :]]
    assert fault(head, other) == f"entries 1..{len(items)} do not give the head"
    assert fault(head, items[:-1]) == f"{len(items) - 1} items for entries 1..{len(items)}"
    assert fault(head, [*items, items[0]]).endswith(f"items for entries 1..{len(items)}")
    shifted = replace(head, first=head.first + 1, last=head.last + 1)
    assert "do not give the head" in fault(shifted, items)
    assert "do not give the head" in fault(replace(head, head_before=b"x" * 32), items)


def test_swapped_entries_break_the_chain() -> None:
    head, items = head_and_items([b"a", b"b"])
    assert fault(head, items[::-1]) == "entries 1..2 do not give the head"


def test_all_kinds_of_entry_in_one_batch() -> None:
    head, items = batch(bare=frozenset({2, 5}))
    received = logbook.decode_batch(logbook.encode_batch(b"", items))
    logbook.check_joins(head, received.items)
    assert [item.data is None for item in received.items][:6] == [0, 1, 0, 0, 1, 0]


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 3), (2, 1), (1, 513), (1, 2**32 - 1)])
def test_heads_that_are_none(first: int, last: int) -> None:
    payload = logbook.encode_head(Head(LOGBOOK, first, ZERO, last, ZERO))
    with pytest.raises(Refused) as caught:
        logbook.decode_head(payload)
    assert str(caught.value) == f"out_of_range: head: entries {first}..{last}"


def test_the_longest_batch() -> None:
    head = Head(LOGBOOK, 1, ZERO, 512, ZERO)
    assert logbook.decode_head(logbook.encode_head(head)) == head


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([b"", []], "out_of_range: batch: 0 entries"),
        ([b"", [b""] * 513], "out_of_range: batch: 513 entries"),
        ([b"", b""], "malformed: batch: wanted a sealed head and an array of entries"),
        (["", [b""]], "malformed: batch: wanted a sealed head and an array of entries"),
        ([b""], "malformed: batch: not an array of 2"),
        ([b"", [b""], 0], "malformed: batch: not an array of 2"),
        ({}, "malformed: batch: not an array of 2"),
        ([b"", [b"", "x"]], "malformed: batch: item 1 is neither entry nor digest"),
        ([b"", [[bytes(31)]]], "malformed: batch: item 0 is neither entry nor digest"),
        ([b"", [[ZERO, ZERO]]], "malformed: batch: item 0 is neither entry nor digest"),
        ([b"", [[]]], "malformed: batch: item 0 is neither entry nor digest"),
        ([b"", [bytes(3073)]], "malformed: batch: item 0 is neither entry nor digest"),
    ],
)
def test_batches_that_are_none(value: object, text: str) -> None:
    with pytest.raises(Refused) as caught:
        logbook.decode_batch(cbor2.dumps(value))
    assert str(caught.value) == text


def test_a_batch_has_a_size() -> None:
    items = [Item(ZERO, bytes(3000))] * 22
    with pytest.raises(Refused) as caught:
        logbook.decode_batch(logbook.encode_batch(b"", items))
    assert caught.value.reason is Reason.TOO_LARGE


def test_what_is_encoded_is_the_deterministic_encoding() -> None:
    _, items = batch()
    message = logbook.encode_batch(b"", items)
    assert cbor.encode(cbor.decode(message, cbor.BATCH_BYTES_MAX)) == message


spans = st.lists(st.integers(2, 50), max_size=8).map(
    lambda steps: [sum(steps[: i + 1]) for i in range(len(steps))]
)


@given(st.integers(0, 100), spans, st.integers(0, 1))
def test_receipts(n: int, starts: list[int], length: int) -> None:
    apart = [s + 2 * i for i, s in enumerate(starts)]
    ranges = tuple((n + s, n + s + length) for s in apart)
    receipt = Receipt(LOGBOOK, n, b"h" * 32, ranges)
    assert logbook.decode_receipt(logbook.encode_receipt(receipt)) == receipt


@pytest.mark.parametrize(
    "ranges",
    [
        ((11, 12),), ((10, 12),), ((5, 6),), ((14, 13),), ((13, 14), (15, 16)),
        ((13, 14), (13, 20)),
        ((20, 21), (13, 14)),
    ],
)  # fmt: skip
def test_ranges_lie_beyond_apart_and_in_order(ranges: tuple[tuple[int, int], ...]) -> None:
    payload = logbook.encode_receipt(Receipt(LOGBOOK, 10, ZERO, ranges))
    with pytest.raises(Refused) as caught:
        logbook.decode_receipt(payload)
    assert caught.value.reason is Reason.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"logbook": bytes(15)}, "receipt.logbook: "),
        ({"head": bytes(31)}, "receipt.head: "),
        ({"n": -1}, "receipt.n: -1, wanted 0..4294967295"),
        ({"n": True}, "receipt.n: True, wanted an integer"),
        ({"ranges": ((20, 21),) * 33}, "receipt.ranges: "),
        ({"ranges": ((20,),)}, "receipt.ranges[0]: [20], wanted a pair"),
    ],
)
def test_receipts_that_are_none(changes: dict[str, Any], text: str) -> None:
    payload = logbook.encode_receipt(replace(Receipt(LOGBOOK, 10, ZERO, ()), **changes))
    with pytest.raises(Refused) as caught:
        logbook.decode_receipt(payload)
    assert caught.value.detail.startswith(text)
