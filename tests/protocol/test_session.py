"""Birth, welcome and will: exact both ways, and refused with the field's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import session
from protocol.refusal import Refused
from tests.protocol.samples import (
    BIRTH,
    WELCOME,
    WILL,
)


def test_session_exact_both_ways() -> None:
    assert session.decode_birth(session.encode(BIRTH)) == BIRTH
    assert session.decode_welcome(session.encode(WELCOME)) == WELCOME
    assert session.decode_will(session.encode(WILL)) == WILL
    without = replace(BIRTH, logon=None)
    assert session.decode_birth(session.encode(without)) == without


def test_one_session_payload_is_not_another() -> None:
    payloads = [session.encode(value) for value in (BIRTH, WELCOME, WILL)]
    decoders = (session.decode_birth, session.decode_welcome, session.decode_will)
    for i, payload in enumerate(payloads):
        for j, decode in enumerate(decoders):
            if i != j:
                with pytest.raises(Refused, match="malformed"):
                    decode(payload)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"nonce": bytes(15)}, "birth.nonce: "), ({"entry_head": b""}, "birth.entry_head: "),
        ({"time_trust": 4}, "birth.time_trust: 4"), ({"boot": -1}, "birth.boot: -1"),
        ({"versions": None}, "birth.versions: None, wanted an array of 4"),
        ({"time_ms": 1 << 44}, "birth.time_ms: "),
    ],
)  # fmt: skip
def test_births_that_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(Refused) as caught:
        session.decode_birth(session.encode(replace(BIRTH, **changes)))
    assert caught.value.detail.startswith(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_cleanly(data: bytes) -> None:
    for payload in (data, b"\x84" + data, b"\x82" + data):
        for decode in (session.decode_birth, session.decode_welcome, session.decode_will):
            try:
                decode(payload)
            except Refused:
                continue
