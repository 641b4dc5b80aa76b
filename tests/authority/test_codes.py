"""One-time codes and fingerprints: what people type still means the same, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authority import codes
from protocol.refusal import Refused


@given(st.binary(min_size=codes.CODE_BYTES, max_size=codes.CODE_BYTES))
def test_a_code_means_the_same_in_any_case_and_grouping(random: bytes) -> None:
    code = codes.code_text(random)
    assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
    key = codes.code_key("f", "car", code)
    for typed in (code.lower(), code.replace("-", ""), code.replace("-", " "), f" {code} "):
        assert codes.code_key("f", "car", typed) == key
    assert codes.code_key("f", "bus", code) != key
    assert codes.code_key("g", "car", code) != key


@pytest.mark.parametrize(
    "typed", ["", "WXYZ", "WXYZ-EFGH-IJKL-MNO", "ABCD-EFGH-IJKL-MNO!", "é" * 16]
)
def test_what_is_no_code_is_refused_without_showing_it(typed: str) -> None:
    with pytest.raises(Refused) as caught:
        codes.code_key("f", "car", typed)
    assert not typed or typed not in str(caught.value)


def test_a_fingerprint_is_four_groups_of_five_digits() -> None:
    shown = codes.fingerprint(b"abc")
    groups = shown.split(" ")
    assert [len(group) for group in groups] == [5, 5, 5, 5]
    assert shown.replace(" ", "").isdigit()
    assert codes.same_fingerprint(shown, shown.replace(" ", "-"))
    assert codes.same_fingerprint(shown, shown.replace(" ", "") + "\n")
    assert not codes.same_fingerprint(shown, codes.fingerprint(b"abd"))
    assert not codes.same_fingerprint(shown, "")


def test_one_purpose_does_not_stand_in_for_another() -> None:
    assert codes.proof(b"k", "request", b"x") != codes.proof(b"k", "approval", b"x")
    assert codes.proof(b"k", "request", b"x", b"y") != codes.proof(b"k", "request", b"xy")
