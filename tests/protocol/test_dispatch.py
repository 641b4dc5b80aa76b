"""Dispatch messages: exact both ways, and refused with the field's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import cbor, dispatch
from protocol.dispatch import Numbered, Order
from protocol.refusal import Refused
from tests.protocol.samples import (
    CANCEL,
    CONFIRM,
    MESSAGE,
    ORDER,
)

assert isinstance(ORDER.body, Order)


@pytest.mark.parametrize("numbered", [ORDER, CONFIRM, CANCEL, MESSAGE], ids=lambda n: type(n.body))
def test_dispatch_exact_both_ways(numbered: Numbered) -> None:
    payload = dispatch.encode(numbered)
    assert dispatch.decode(payload) == numbered
    assert cbor.encode(cbor.decode(payload)) == payload
    body = numbered.body
    assert numbered.expires_ms == (None if numbered is CONFIRM else getattr(body, "expires_ms"))  # noqa: B009


def dispatch_fault(**changes: Any) -> str:
    body = replace(ORDER.body, **changes)
    with pytest.raises(Refused) as caught:
        dispatch.decode(dispatch.encode(replace(ORDER, body=body)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"order": "o" * 32}, "malformed: order.order: "),
        ({"revision": 65_536}, "out_of_range: order.revision: 65536, wanted 0..65535"),
        ({"revision_class": 4}, "out_of_range: order.revision_class: 4, wanted 0..3"),
        ({"kind": "visit"}, "malformed: order.kind: 'visit', wanted one of assign, backup"),
        ({"kind": 1}, "malformed: order.kind: 1, wanted one of assign"),
        ({"priority": 10}, "out_of_range: order.priority: 10, wanted 0..9"),
        ({"answer_s": 3601}, "out_of_range: order.answer_s: 3601, wanted 0..3600"),
        ({"hazards": ("x",) * 17}, "malformed: order.hazards: "),
        ({"notes": "n" * 1001}, "malformed: order.notes: "),
        ({"place": None}, "malformed: order.place: None, wanted an array of 6"),
        ({"eta_s": -1}, "out_of_range: order.eta_s: -1, wanted 0..86400"),
    ],
)
def test_orders_that_are_refused(changes: dict[str, Any], text: str) -> None:
    assert dispatch_fault(**changes).startswith(text)


def test_a_place_lies_on_the_earth() -> None:
    place = replace(ORDER.body.place, lat_e7=900_000_001)  # type: ignore[union-attr]
    assert dispatch_fault(place=place).startswith("out_of_range: order.place.lat_e7: 900000001")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1, 0, 2, []], "out_of_range: dispatch.counter: 0, wanted 1..4294967295"),
        ([-1, 1, 2, []], "out_of_range: dispatch.term: -1"),
        ([1, 1, 0, []], "malformed: dispatch: unknown type 0"),
        ([1, 1, 7, []], "malformed: dispatch: unknown type 7"),
        ([1, 1, True, []], "malformed: dispatch: unknown type True"),
        ([1, 1, 2, []], "malformed: confirm: [], wanted an array of 5"),
        ([1, 1, 2], "malformed: dispatch: not an array of 4"),
    ],
)
def test_numbers_and_types(value: list[object], text: str) -> None:
    with pytest.raises(Refused) as caught:
        dispatch.decode(cbor2.dumps(value))
    assert str(caught.value).startswith(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_cleanly(data: bytes) -> None:
    for payload in (data, b"\x84" + data, b"\x82" + data):
        for decode in (dispatch.decode,):
            try:
                decode(payload)
            except Refused:
                continue
