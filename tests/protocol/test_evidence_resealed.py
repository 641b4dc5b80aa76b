"""An export under a right seal that lies: what its records prove of each other all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cbor2
import pytest

from protocol import envelope, evidence
from protocol import evidence_records as er
from protocol.entry import StatusChange
from protocol.envelope import Kind
from protocol.evidence_check import examine
from protocol.evidence_records import Held, Record
from protocol.evidence_rest import erasure_bytes
from protocol.evidence_verdict import Fault, Verdict
from protocol.journal_chain import next_chain, next_record
from protocol.pruned import Pruned
from tests.protocol.export import NOW_MS, Fleet, Terminal, at, decisions, filled, key

FLEET: Final = Fleet()
RECORDS: Final = FLEET.records()
WHOLE: Final = FLEET.seal(RECORDS)
ANCHOR: Final = FLEET.verify_key


def verdict(records: Sequence[Record]) -> Verdict:
    """Of records under a new index and a new seal by the right key: whoever holds it may lie."""
    return examine(FLEET.seal(records), ANCHOR)


def fault(records: Sequence[Record]) -> Fault:
    found = verdict(records)
    assert not found.whole
    assert found.fault is not None
    return found.fault


def changed(place: int, one: Record) -> list[Record]:
    return [*RECORDS[:place], one, *RECORDS[place + 1 :]]


def entry_at(n: int, book: bytes = FLEET.a.book) -> int:
    return next(
        i for i, one in enumerate(RECORDS)
        if isinstance(one, er.LoggedEntry) and (one.logbook, one.n) == (book, n)
    )  # fmt: skip


def test_an_entry_changed() -> None:
    place = entry_at(3)
    one = RECORDS[place]
    assert isinstance(one, er.LoggedEntry)
    found = fault(changed(place, replace(one, data=FLEET.a.entries[0])))
    assert (found.part, found.entry) == ("entry", 3)


def test_an_entry_changed_with_its_chain_values() -> None:
    """The terminal's sealed heads do not follow."""
    forged = Terminal("car-7", FLEET.a.enrolment, FLEET.a.book, key("nobody"), FLEET.role_key)
    filled(forged)
    records: list[Record] = []
    for one in RECORDS:
        if isinstance(one, er.LoggedEntry) and one.logbook == FLEET.a.book and one.n >= 3:
            held = replace(one, chain=forged.chains[one.n])
            records.append(held)
        else:
            records.append(one)
    found = fault(records)
    assert found.part in {"entry", "chain"}
    assert found.entry == 3


@pytest.mark.parametrize("n", range(1, 11))
def test_any_entry_taken_out(n: int) -> None:
    found = fault([one for i, one in enumerate(RECORDS) if i != entry_at(n)])
    assert (found.part, found.entry) == ("entry", n)


@pytest.mark.parametrize("n", range(1, 10))
def test_any_two_entries_swapped(n: int) -> None:
    i, j = entry_at(n), entry_at(n + 1)
    records = [*RECORDS]
    records[i], records[j] = records[j], records[i]
    found = fault(records)
    assert (found.part, found.entry) == ("entry", n)


@pytest.mark.parametrize("n", range(1, 11))
def test_any_entry_twice(n: int) -> None:
    i = entry_at(n)
    found = fault([*RECORDS[:i], RECORDS[i], *RECORDS[i:]])
    assert (found.part, found.entry) == ("entry", n)


@pytest.mark.parametrize("n", range(1, 10))
def test_the_end_cut_off_is_told_by_witnesses(n: int) -> None:
    """Entries, heads and length agree; receipts and positions know of more."""
    b = FLEET.b
    kept: list[Record] = []
    heads = 0
    for one in RECORDS:
        if isinstance(one, er.LoggedEntry) and one.logbook == b.book and one.n > n:
            continue
        if isinstance(one, er.SealedHead) and one.logbook == b.book:
            heads += 1
            if cbor2.loads(cbor2.loads(one.sealed)[2])[3] > n:
                continue
        if isinstance(one, er.Media) and one.logbook == b.book and n < 7:
            continue
        is_book = isinstance(one, er.Logbook) and one.logbook == b.book
        kept.append(replace(one, last=n) if is_book else one)  # type: ignore[arg-type]
    assert heads
    found = fault(kept)
    assert found.part in {"receipt", "chain", "seal"}
    assert found.entry is not None
    assert found.entry > n or found.part == "seal"


@pytest.mark.parametrize("n", range(1, 11))
def test_an_entry_of_another_unit(n: int) -> None:
    """The same number, the same bytes even: another logbook's chain does not take it."""
    other = RECORDS[entry_at(n, FLEET.b.book)]
    assert isinstance(other, er.LoggedEntry)
    found = fault(changed(entry_at(n), replace(other, logbook=FLEET.a.book)))
    assert (found.part, found.entry) == ("entry", n)


def test_a_head_of_another_unit() -> None:
    a, b = (at(RECORDS, er.SealedHead, which) for which in (2, 9))
    other = RECORDS[b]
    assert isinstance(other, er.SealedHead)
    assert other.logbook == FLEET.b.book
    found = fault(changed(a, replace(other, logbook=FLEET.a.book)))
    assert (found.part, found.record) == ("seal", a)


def test_another_units_whole_logbook_under_this_name() -> None:
    records = [
        replace(one, device="car-7", enrolment=FLEET.a.enrolment)
        if isinstance(one, er.Logbook) and one.logbook == FLEET.b.book
        else one
        for one in RECORDS
    ]
    assert fault(records).part == "seal"


def test_any_head_receipt_or_position_taken_out_or_false() -> None:
    heads = [i for i, one in enumerate(RECORDS) if isinstance(one, er.SealedHead)]
    for place in heads:
        assert fault([one for i, one in enumerate(RECORDS) if i != place]).part == "seal"
    a = FLEET.a
    wrong = replace(a.receipt(4), sealed=FLEET.b.receipt(4).sealed)
    assert fault(changed(at(RECORDS, er.SealedReceipt), wrong)).part == "receipt"
    wrong_head = a.position(3, b"another.")
    assert fault(changed(at(RECORDS, er.SealedPosition), wrong_head)).part == "chain"


def test_a_gap_cannot_be_talked_away_where_a_receipt_knows_better() -> None:
    """Entry 5 left out and said never to have come."""
    records: list[Record] = []
    for one in RECORDS:
        if isinstance(one, er.Logbook) and one.logbook == FLEET.a.book:
            records.append(replace(one, missing=((5, 5), *one.missing)))
        elif not (isinstance(one, er.LoggedEntry) and (one.logbook, one.n) == (FLEET.a.book, 5)):
            records.append(one)
    assert not verdict(records).whole


def test_a_lost_tail_is_told_with_its_witness() -> None:
    """Nothing is altered, and yet it says how many entries never came."""
    found = examine(WHOLE, ANCHOR)
    assert found.counts.missing == 2
    place = at(RECORDS, er.Logbook)
    book = RECORDS[place]
    assert isinstance(book, er.Logbook)
    hidden = fault(changed(place, replace(book, missing=())))
    assert (hidden.part, hidden.entry) == ("chain", 12)


def test_a_key_that_nobody_named() -> None:
    """Heads behind the rotation are by the key that entry 5 names; without it they fail."""
    place = entry_at(5)
    one = RECORDS[place]
    assert isinstance(one, er.LoggedEntry)
    bare = replace(FLEET.a.logged(5, Held.BARE))
    found = fault(changed(place, bare))
    assert found.part == "seal"
    assert found.record is not None
    assert found.record > place


def test_an_erased_entry_needs_an_erasure() -> None:
    records = [one for one in RECORDS if not isinstance(one, er.Erasure)]
    found = fault(records)
    assert (found.part, found.entry) == ("entry", 2)


def test_a_decision_on_an_entry_that_was_not_sealed() -> None:
    place = at(RECORDS, er.DecisionRow, 1)
    forged = replace(FLEET.a, entries=[*FLEET.a.entries])
    forged.entries[3] = FLEET.a.entries[2]
    found = fault(changed(place, decisions(forged)[1]))
    assert (found.part, found.entry) == ("chain", 4)


def test_media_are_what_the_entries_name() -> None:
    place = at(RECORDS, er.Media)
    one = RECORDS[place]
    assert isinstance(one, er.Media)
    assert fault(changed(place, replace(one, sha256=bytes(32)))).part == "media"
    assert fault([r for i, r in enumerate(RECORDS) if i != place]).part == "media"
    assert fault([*RECORDS, one]).part == "media"


def test_a_key_of_another_role_or_past_its_time_seals_nothing() -> None:
    late = replace(FLEET.about(), made_ms=FLEET.about().made_ms + 30 * 86_400_000)
    found = fault([late, *RECORDS[1:]])
    assert found.part == "seal"
    assert not examine(evidence.seal(RECORDS, "zz", FLEET.a.seal_key), ANCHOR).whole


@pytest.mark.parametrize("is_admitted", [True, False])
def test_what_the_centre_lost_itself_is_excused_by_the_terminal_alone(is_admitted: bool) -> None:
    """Restored from a copy: entries 3 and 4 were receipted and are gone; the terminal says so."""
    one = Fleet().a
    fleet = Fleet()
    fleet.a = Terminal("car-7", one.enrolment, one.book, key("car-7 first"), fleet.role_key)
    one = fleet.a
    for status in (1, 2):
        one.add(StatusChange(status, None))
    one.add(StatusChange(3, None), StatusChange(4, None))
    body = Pruned(4, one.chains[4], one.receipt(4).sealed)
    one.add(body if is_admitted else StatusChange(5, None))
    kept = [one.logged(n) for n in (1, 2, 5)]
    heads = [head for i, head in enumerate(one.sealed_heads()) if i != 2]
    book = er.Logbook(one.book, one.enrolment, one.device, 1, 5, ((3, 4),))
    records = [fleet.about(), *fleet.papers(), book, *heads, *kept, one.receipt(5)]
    found = examine(fleet.seal(records), fleet.verify_key)
    assert (found.whole, found.counts.missing) == (is_admitted, 2)
    if not is_admitted:
        assert found.fault is not None
        assert found.fault.part == "receipt"


def test_the_last_batch_changed_with_its_chain_values() -> None:
    """No later head contradicts it: its own does."""
    forged = Terminal("car-8", FLEET.b.enrolment, FLEET.b.book, key("car-8 first"), FLEET.role_key)
    for data in FLEET.b.entries[:-1]:
        forged.append(data)
    forged.append(FLEET.a.entries[0])
    last = len(forged.entries)
    place = entry_at(last, FLEET.b.book)
    found = fault(changed(place, forged.logged(last)))
    assert (found.part, found.entry) == ("chain", last)


def test_a_logbook_that_begins_with_nobodys_key() -> None:
    """The terminal's own seals, but h(0) binds another enrolment."""
    fleet = Fleet()
    fleet.a = Terminal("car-7", fleet.a.enrolment, fleet.a.book, key("car-7 first"), fleet.role_key)
    fleet.a.chains[0] = bytes(32)
    filled(fleet.a)
    found = examine(fleet.seal(fleet.records()), fleet.verify_key).fault
    assert found is not None
    assert (found.part, found.entry) == ("chain", 1)


def test_heads_and_receipts_of_the_terminals_other_logbook() -> None:
    other = Terminal("car-7", FLEET.a.enrolment, b"C" * 16, key("car-7 first"), FLEET.role_key)
    filled(other)
    head = er.SealedHead(FLEET.a.book, NOW_MS, other.heads[0])
    assert "another logbook" in fault(changed(at(RECORDS, er.SealedHead), head)).reason
    receipt = replace(other.receipt(4), logbook=FLEET.a.book)
    assert "another logbook" in fault(changed(at(RECORDS, er.SealedReceipt), receipt)).reason


def test_neighbours_that_do_not_join() -> None:
    """Each gives its own chain value; together they do not."""
    place = at(RECORDS, er.DecisionRow, 1)
    row = RECORDS[place]
    assert isinstance(row, er.DecisionRow)
    chain = next_chain(bytes(32), row.seq, row.command, row.events)
    found = fault(changed(place, replace(row, chain_before=bytes(32), chain=chain)))
    assert (found.part, found.record) == ("chain", place)
    place = at(RECORDS, er.Erasure, 1)
    erasure = RECORDS[place]
    assert isinstance(erasure, er.Erasure)
    chain = next_record(bytes(32), erasure_bytes(erasure))
    found = fault(changed(place, replace(erasure, chain_before=bytes(32), chain=chain)))
    assert (found.part, found.record) == ("chain", place)


def test_an_extract_of_what_was_not_erased() -> None:
    place = at(RECORDS, er.ThinnedPoint)
    point = RECORDS[place]
    assert isinstance(point, er.ThinnedPoint)
    found = fault(changed(place, replace(point, n=7)))
    assert (found.part, found.record) == ("file", place)


def sealed_parts(version: str, index: bytes, records: list[bytes], more: bytes = b"") -> Fault:
    payload = cbor2.dumps([version, index, records]) + more
    found = examine(envelope.seal(Kind.EVIDENCE, "zz", b"", payload, FLEET.role_key), ANCHOR)
    assert not found.whole
    assert found.fault is not None
    return found.fault


def test_an_index_that_names_a_record_wrongly_and_other_encodings() -> None:
    version, index, records = cbor2.loads(cbor2.loads(WHOLE)[2])
    rows = cbor2.loads(index)
    rows[5][1] += 1
    found = sealed_parts(version, cbor2.dumps(rows), records)
    assert (found.part, found.record) == ("file", 5)
    assert sealed_parts(version, b"\x99\x00" + index[1:], records).part == "file"
    assert sealed_parts(version, index, records, b"\x00").part == "file"
    assert sealed_parts("outrider-evidence/2", index, records).part == "file"
