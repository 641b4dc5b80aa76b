"""An export tells on whoever touches it: every bit, list and splice; and names the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cbor2
import pytest

from protocol import evidence_records as er
from protocol.evidence_check import examine
from protocol.evidence_records import Record, RecordKind, decode_record, encode_record
from protocol.evidence_verdict import Memo, Verdict
from protocol.refusal import Refused
from tests.protocol import make_evidence_vectors
from tests.protocol.export import Fleet, at, one_terminal

FLEET: Final = Fleet()
RECORDS: Final = FLEET.records()
WHOLE: Final = FLEET.seal(RECORDS)
ANCHOR: Final = FLEET.verify_key
BYTES: Final = 8192
SHARDS: Final = 8


def test_a_whole_export() -> None:
    found = examine(WHOLE, ANCHOR)
    assert (found.whole, found.anchored, found.fault) == (True, True, None)
    shown = found.as_json()
    assert shown["entries"] == 20
    assert (shown["held_whole"], shown["erased"], shown["bare"], shown["missing"]) == (16, 2, 2, 2)


def test_certificates_in_the_file_never_anchor_themselves() -> None:
    found = examine(WHOLE)
    assert (found.whole, found.anchored) == (True, False)


def test_made_anew_under_another_root() -> None:
    forged = Fleet("another")
    data = forged.seal(forged.records())
    assert examine(data).whole, "by itself it holds together"
    found = examine(data, ANCHOR)
    assert (found.whole, found.anchored) == (False, False)
    assert found.fault is not None
    assert found.fault.part == "certificate"
    assert "not the trusted root" in found.fault.reason


def test_the_forgers_papers_with_our_root_beside_them() -> None:
    """Our root certificate, which is public, and everything else from another authority."""
    forged = Fleet("another")
    records = [RECORDS[1] if isinstance(one, er.Root) else one for one in forged.records()]
    found = examine(forged.seal(records), ANCHOR)
    assert not found.whole
    assert found.fault is not None
    assert found.fault.part == "certificate"


# --- every bit ----------------------------------------------------------------------------------


SMALL: Final = one_terminal(FLEET, BYTES - len(one_terminal(FLEET, 300)) + 300)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_bit_of_it_counts(shard: int) -> None:
    """Whatever bit is turned, it is found and its place is named."""
    memo, data = Memo(), bytearray(SMALL)
    assert examine(SMALL, ANCHOR, memo).whole
    for bit in range(shard, len(SMALL) * 8, SHARDS):
        data[bit >> 3] ^= 1 << (bit & 7)
        found = examine(bytes(data), ANCHOR, memo)
        data[bit >> 3] ^= 1 << (bit & 7)
        assert not found.whole, f"bit {bit}"
        assert found.fault is not None
        assert found.fault.reason


def test_that_one_has_8_kib() -> None:
    assert len(SMALL) == BYTES


def test_a_turned_bit_in_an_entry_names_it() -> None:
    for place, one in enumerate(RECORDS):
        if not isinstance(one, er.LoggedEntry):
            continue
        data = bytearray(WHOLE)
        data[WHOLE.index(encode_record(one)) + len(encode_record(one)) - 3] ^= 1
        found = examine(bytes(data), ANCHOR).fault
        assert found is not None
        assert (found.part, found.entry, found.record) == ("entry", one.n, place), found


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (er.Root, "certificate"), (er.TrustDocument, "certificate"),
        (er.IdentitiesDocument, "certificate"), (er.SealedHead, "seal"),
        (er.SealedReceipt, "receipt"), (er.SealedPosition, "seal"), (er.Media, "media"),
        (er.DecisionRow, "chain"), (er.Erasure, "chain"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)  # fmt: skip
def test_a_turned_bit_elsewhere_names_the_record(kind: type[Record], part: str) -> None:
    place = at(RECORDS, kind)
    data = bytearray(WHOLE)
    encoded = encode_record(RECORDS[place])
    data[WHOLE.index(encoded) + len(encoded) - 3] ^= 1
    found = examine(bytes(data), ANCHOR).fault
    assert found is not None
    assert (found.part, found.record) == (part, place), found


def test_the_seal_itself() -> None:
    data = bytearray(WHOLE)
    data[-1] ^= 1
    found = examine(bytes(data), ANCHOR).fault
    assert found is not None
    assert found.part == "seal"


@pytest.mark.parametrize("keep", [0, 1, 5, 100, len(WHOLE) // 2, len(WHOLE) - 65, len(WHOLE) - 1])
def test_cut_short(keep: int) -> None:
    found = examine(WHOLE[:keep], ANCHOR)
    assert not found.whole
    assert found.fault is not None


@pytest.mark.parametrize("more", [b"\x00", b"\xf6", WHOLE], ids=["zero", "null", "twice"])
def test_bytes_behind_it(more: bytes) -> None:
    assert not examine(WHOLE + more, ANCHOR).whole


def test_other_things_are_no_evidence() -> None:
    for data in (
        b"",
        b"\x84",
        b"hello",
        cbor2.dumps([1, 2, 3]),
        cbor2.dumps({"a": 1}),
        b"\xff" * 99,
    ):
        found = examine(data)
        assert (found.whole, found.fault is not None) == (False, True)


def test_lengths_not_in_shortest_form() -> None:
    """The same content in another encoding is another file."""
    payload = cbor2.loads(WHOLE)[2]
    assert payload[0] == 0x83
    longer = b"\x98\x03" + payload[1:]
    parts = cbor2.loads(WHOLE)
    data = cbor2.dumps([parts[0], {}, longer, parts[3]])
    found = examine(data, ANCHOR).fault
    assert found is not None
    assert found.part == "file"


# --- every index of every list, by somebody without the key ------------------------------------


def relisted(change: Callable[[list[bytes]], None]) -> Verdict:
    """The records changed as bytes; index and seal as they were."""
    protected, _, payload, signature = cbor2.loads(WHOLE)
    version, index, records = cbor2.loads(payload)
    change(records)
    again = cbor2.dumps([version, index, records])
    return examine(cbor2.dumps([protected, {}, again, signature]), ANCHOR)


@pytest.mark.parametrize("act", ["delete", "swap", "duplicate", "truncate", "splice"])
def test_every_index_of_the_records(act: str) -> None:
    foreign = encode_record(FLEET.b.position(5))
    for i in range(len(RECORDS) - (act == "swap")):

        def change(records: list[bytes], i: int = i) -> None:
            if act == "delete":
                del records[i]
            elif act == "swap":
                records[i], records[i + 1] = records[i + 1], records[i]
            elif act == "duplicate":
                records.insert(i, records[i])
            elif act == "truncate":
                del records[i:]
            else:
                records[i] = foreign

        found = relisted(change)
        assert not found.whole, (act, i)
        assert found.fault is not None
        wanted = {"duplicate": i + 1}.get(act, i)
        assert found.fault.record in {wanted, None}, (act, i, found.fault)
        if act == "delete" and isinstance(one := RECORDS[i], er.LoggedEntry):
            assert found.fault.entry == one.n


# --- records --------------------------------------------------------------------------------------


def test_records_come_back_as_they_were() -> None:
    kinds = {type(one) for one in RECORDS}
    assert len(kinds) == len(RecordKind)
    for one in RECORDS:
        assert decode_record(encode_record(one)) == one


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80", b"\x81\x18\x63", b"\x82\x01\x02", b"\x98\x02\x03\x40", b"\xa0", b"\x81\xf5"],
    ids=lambda data: data.hex() or "empty",
)
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(Refused):
        decode_record(data)


# --- the published example ------------------------------------------------------------------------


def test_the_published_example_is_what_the_code_makes() -> None:
    text = make_evidence_vectors.FILE.read_text(encoding="utf-8")
    assert make_evidence_vectors.text() == text, (
        "run: python -m tests.protocol.make_evidence_vectors"
    )
