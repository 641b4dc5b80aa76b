"""After a silent SOS the screen's feed says so: until the crew's word, or half an hour."""

from __future__ import annotations

import pytest

from agent.core.silence import LASTS_MS, Silence
from protocol import device


def sos(**detail: device.Scalar) -> device.Event:
    return device.Event(
        device="body-1", device_kind="recorder", boot=1, event=1, name="sos", detail=detail
    )


@pytest.mark.parametrize(
    ("detail", "holds"), [({"silent": True}, True), ({}, False), ({"silent": "yes"}, False)]
)
def test_only_what_was_raised_in_silence_is_silent(
    detail: dict[str, device.Scalar], holds: bool
) -> None:
    silence = Silence()
    silence.raised(sos(**detail), 1_000)
    assert silence.holds(1_000) is holds


def test_it_ends_by_the_crews_word_or_by_itself() -> None:
    silence = Silence()
    silence.raised(sos(silent=True), 0)
    assert silence.holds(LASTS_MS - 1)
    assert not silence.holds(LASTS_MS)
    silence.said(device.SetStatus(status="emergency", reason="silent"), LASTS_MS)
    silence.said(device.SetStatus(status="available"), LASTS_MS)
    assert silence.holds(LASTS_MS)
    silence.said(device.SetStatus(status="available", reason="false_alarm"), LASTS_MS)
    assert not silence.holds(LASTS_MS)
