"""An old and a new codebook: codes stay, meanings stay, all else may change and is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codebook_change import compare
from protocol.codebook_model import CODE_TABLES, codes_in
from protocol.codebook_reading import read
from protocol.codebook_shipped import shipped, shipped_text
from tests.protocol.codebooks import small

OLD = small()
NEXT = ("version = 3", "version = 4")


def test_the_same_with_a_higher_version() -> None:
    assert compare(OLD, small(NEXT)) == compare(shipped(), shipped().model_copy(
        update={"version": 2}
    ))  # fmt: skip
    assert compare(OLD, small(NEXT)).faults == ()
    assert compare(OLD, small(NEXT)).changes == ()


@pytest.mark.parametrize("version", [3, 2])
def test_the_version_rises(version: int) -> None:
    faults = compare(OLD, small(("version = 3", f"version = {version}"))).faults
    assert [str(fault) for fault in faults] == [
        f"version: does not rise ({version}) – at least 4"
    ]  # fmt: skip


@given(st.data())
def test_no_code_vanishes(data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(CODE_TABLES))
    code = data.draw(st.sampled_from(sorted(codes_in(shipped(), table))))
    rest = {name: one for name, one in codes_in(shipped(), table).items() if name != code}
    new = shipped().model_copy(update={"version": 2, table: rest})
    assert [str(fault) for fault in compare(shipped(), new).faults] == [
        f"{table}.{code}: has vanished: journals name it – put it back with `retired = true`"
    ]


@given(st.data())
def test_no_code_is_used_again(data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(CODE_TABLES))
    codes = codes_in(shipped(), table)
    code = data.draw(st.sampled_from(sorted(codes)))
    other = codes[code].model_copy(update={"zh": "别的意思", "en": "Something else"})
    new = shipped().model_copy(update={"version": 2, table: {**codes, code: other}})
    faults = compare(shipped(), new).faults
    assert [(fault.place, fault.value) for fault in faults] == [(f"{table}.{code}", other.en)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'group = "criminal"', 'group = "help"',
            "kinds.robbery.group: had criminal, which is part of its meaning (help) – retire the",
        ),
        ('"10-31"', '"10-32"', "kinds.robbery.apco: had 10-31, which is part of its meaning (10-3"),
        ('apco = "10-31"', "", "kinds.robbery.apco: had 10-31, which is part of its meaning (none"),
    ],
)  # fmt: skip
def test_a_meaning_does_not_change(old: str, new: str, expected: str) -> None:
    (fault,) = compare(OLD, small(NEXT, (old, new))).faults
    assert str(fault).startswith(expected)


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ('zh = "抢劫"', 'zh = "抢劫案"', "kinds.robbery: zh 抢劫 → 抢劫案"),
        ("priority = 4", "priority = 3", "kinds.visit: priority 4 → 3"),
        ('en = "Dog"', 'en = "Dog", retired = true', "hazards.dog: retired"),
        ('en = "Dog"', 'en = "Dog", gat = "GA/T 1"', "hazards.dog: gat none → GA/T 1"),
        (
            "[hazards]", '[hazards]\nmist = { zh = "大雾", en = "Fog" }',
            "hazards.mist: new",
        ),
        ("answer_s = 20", "answer_s = 15", "priorities.2: answer_s 20 → 15"),
        ('agency = "350600"', 'agency = "350601"', "agency: changed"),
    ],
)  # fmt: skip
def test_what_may_change_is_told(old: str, new: str, change: str) -> None:
    comparison = compare(OLD, small(NEXT, (old, new)))
    assert comparison.faults == ()
    assert comparison.changes == (change,)


def test_a_code_that_retired_may_come_back_as_what_it_was() -> None:
    new = small(NEXT, ('en = "Whip", retired = true', 'en = "Whip"'))
    assert compare(OLD, new).faults == ()


def test_the_shipped_one_is_read_from_its_text() -> None:
    assert read(shipped_text()) == shipped()
