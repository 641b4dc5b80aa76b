"""The small checks: what passes, what is malformed and what is out of range."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from protocol import fields
from protocol.refusal import Reason, Refused


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Inner:
    level: Level
    data: bytes


@dataclass(frozen=True)
class Outer:
    name: str
    inner: tuple[Inner, ...]
    colour: Colour | None


two_flags = fields.pair(fields.flag, fields.flag)
inner = fields.record(Inner, fields.word(Level), fields.octets(2))
outer = fields.record(
    Outer, fields.text(4), fields.many(inner, 2, 1), fields.maybe(fields.word(Colour))
)


@pytest.mark.parametrize(
    ("check", "value", "text"),
    [
        (fields.integer(1, 3), 0, "out_of_range: x: 0, wanted 1..3"),
        (fields.integer(1, 3), 4, "out_of_range: x: 4, wanted 1..3"),
        (fields.integer(0, 3), True, "malformed: x: True, wanted an integer 0..3"),
        (fields.integer(0, 3), 1.0, "malformed: x: 1.0, wanted an integer 0..3"),
        (fields.uint(), -1, "out_of_range: x: -1, wanted 0..4294967295"),
        (fields.time_ms, (1 << 43) + 1, "out_of_range: x: 8796093022209, wanted 0..8796093022208"),
        (fields.octets(2), b"abc", "malformed: x: b'abc', wanted 2 bytes"),
        (fields.octets(size_max=2), b"abc", "malformed: x: b'abc', wanted at most 2 bytes"),
        (fields.octets(2), "ab", "malformed: x: 'ab', wanted 2 bytes"),
        (fields.text(2), "abc", "malformed: x: 'abc', wanted a text of at most 2 characters"),
        (fields.text(2), b"ab", "malformed: x: b'ab', wanted a text of at most 2 characters"),
        (fields.flag, 1, "malformed: x: 1, wanted true or false"),
        (fields.word(Colour), "green", "malformed: x: 'green', wanted one of red, blue"),
        (fields.word(Colour), [], "malformed: x: [], wanted one of red, blue"),
        (fields.word(Level), 2, "malformed: x: 2, wanted one of 1"),
        (fields.many(fields.flag, 1), [1, 1], "malformed: x: [1, 1], wanted an array of 0..1"),
        (fields.many(fields.flag), [True, 0], "malformed: x[1]: 0, wanted true or false"),
        (fields.many(fields.flag), {}, "malformed: x: {}, wanted an array of 0..64"),
        (two_flags, [True], "malformed: x: [True], wanted a pair"),
        (two_flags, [True, 1], "malformed: x[1]: 1, wanted true or false"),
        (outer, ["n"], "malformed: x: ['n'], wanted an array of 3"),
        (outer, ["n", [], None], "malformed: x.inner: [], wanted an array of 1..2"),
        (outer, ["n", [[1, b""]], None], "malformed: x.inner[0].data: b'', wanted 2 bytes"),
        (outer, ["n", [[2, b"ab"]], None], "malformed: x.inner[0].level: 2, wanted one of 1"),
    ],
)  # fmt: skip
def test_refused(check: fields.Check, value: object, text: str) -> None:
    with pytest.raises(Refused) as caught:
        check(value, "x")
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("check", "value", "found"),
    [
        (fields.integer(-3, 3), -3, -3), (fields.octets(size_max=2), b"", b""),
        (fields.text(2), "中文", "中文"), (fields.maybe(fields.flag), None, None),
        (fields.maybe(fields.flag), False, False), (fields.word(Colour), "red", Colour.RED),
        (fields.pair(fields.flag, fields.uint()), [True, 1], (True, 1)),
    ],
)  # fmt: skip
def test_taken(check: fields.Check, value: object, found: object) -> None:
    assert check(value, "x") == found


def test_a_record_there_and_back() -> None:
    value: list[Any] = ["n", [[1, b"ab"]], "blue"]
    found = outer(value, "x")
    assert found == Outer("n", (Inner(Level.LOW, b"ab"),), Colour.BLUE)
    assert fields.plain(found) == value
    assert fields.named(found) == {
        "name": "n", "inner": [{"level": 1, "data": "6162"}], "colour": "blue"
    }  # fmt: skip


def test_a_record_wants_a_check_for_each_field() -> None:
    with pytest.raises(TypeError, match="Inner: 2 fields, 1 checks"):
        fields.record(Inner, fields.flag)


def test_a_long_value_is_named_shortly() -> None:
    with pytest.raises(Refused) as caught:
        fields.text(2)("y" * 5000, "x")
    assert len(caught.value.detail) < 120
    assert caught.value.reason is Reason.MALFORMED
