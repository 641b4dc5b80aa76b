"""The board's CBOR against the standard's own examples, and against an independent library."""

import math

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.tiny_cbor import CborError, Value, decode, encode

APPENDIX_A: list[tuple[str, Value]] = [  # RFC 8949, appendix A
    ("00", 0), ("17", 23), ("1818", 24), ("1903e8", 1000), ("1a000f4240", 1_000_000),
    ("1b000000e8d4a51000", 1_000_000_000_000), ("1bffffffffffffffff", 2**64 - 1),
    ("20", -1), ("3863", -100), ("3bffffffffffffffff", -(2**64)),
    ("f93c00", 1.0), ("f97bff", 65504.0), ("fa47c35000", 100000.0), ("fb3ff199999999999a", 1.1),
    ("f4", False), ("f5", True), ("f6", None),
    ("40", b""), ("4401020304", b"\x01\x02\x03\x04"), ("60", ""), ("6449455446", "IETF"),
    ("62c3bc", "ü"), ("80", []), ("8301820203820405", [1, [2, 3], [4, 5]]),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"), ("7f657374726561646d696e67ff", "streaming"),
    ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
    ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
    ("bf6346756ef563416d7421ff", {"Fun": True, "Amt": -2}),
]  # fmt: skip

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)


def _wrapped(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)


VALUES = _wrapped(_wrapped(_wrapped(LEAVES) | LEAVES) | LEAVES) | LEAVES  # at most 4 deep


@pytest.mark.parametrize(("hexed", "value"), APPENDIX_A)
def test_examples_of_the_standard(hexed: str, value: Value) -> None:
    decoded = decode(bytes.fromhex(hexed))
    assert decoded == value
    assert type(decoded) is type(value)


@given(VALUES)
def test_what_is_encoded_reads_the_same_elsewhere(value: Value) -> None:
    assert cbor2.loads(encode(value)) == value


@given(VALUES)
def test_what_is_encoded_elsewhere_reads_the_same(value: Value) -> None:
    assert decode(cbor2.dumps(value)) == value


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = decode(data)
    except CborError:
        return
    again = decode(encode(value))
    assert again == value or any(isinstance(v, float) and math.isnan(v) for v in _leaves(again))


def _leaves(value: Value) -> list[Value]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


@pytest.mark.parametrize(
    "hexed",
    [
        "", "18", "5b", "61ff", "62c3", "0000", "a1", "a10101", "c000", "fc", "1c", "f800",
        "9bffffffffffffffff", "bbffffffffffffffff", "5bffffffffffffffff", "81" * 9 + "00",
        "9f" * 9, "ff", "1f", "5f6161ff", "9f01",
    ],
)  # fmt: skip
def test_what_is_no_item_is_refused(hexed: str) -> None:
    with pytest.raises(CborError):
        decode(bytes.fromhex(hexed))


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(CborError, match="64 bits"):
        encode(2**64)
