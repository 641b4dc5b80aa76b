"""The line speed is found where the configured one gives only noise."""

from __future__ import annotations

import pytest

from agent.core.baud_search import BAUDS, JUDGE_MS, LISTEN_MS, NOISE_BYTES, BaudSearch
from hil.wrong_speed import heard_at
from tests.agent.receiver import gga, line, rmc

NOISE = bytes(range(128, 228))
EPOCH = line(rmc("120000.00")) + line(gga("120000.00"))


def test_a_burst_of_noise_tries_the_next_speed() -> None:
    search = BaudSearch(38_400)
    assert search.heard(NOISE, 0, 1000) is None
    assert search.heard(NOISE, 0, 1000 + JUDGE_MS - 1) is None
    assert search.quiet(1400) == BAUDS[0]
    assert search.quiet(2400) is None, "nothing has come at the new speed yet"
    assert search.heard(NOISE, 0, 3000) is None
    assert search.heard(NOISE, 0, 3000 + JUDGE_MS) == BAUDS[1], "a line that is never quiet"


def test_a_speed_that_gave_sentences_is_not_left_for_a_disturbance() -> None:
    search = BaudSearch(9600)
    search.heard(EPOCH, 2, 0)
    assert search.heard(NOISE, 0, 60_000) is None, "silence before counts for nothing"
    assert search.quiet(60_400) is None
    assert search.heard(EPOCH, 2, 61_000) is None
    assert search.heard(NOISE, 0, 62_000) is None
    assert search.heard(NOISE, 0, 62_000 + LISTEN_MS - 1) is None
    assert search.heard(NOISE, 0, 62_000 + LISTEN_MS) == BAUDS[1]


def test_silence_and_other_text_are_not_searched() -> None:
    search = BaudSearch(9600)
    assert search.quiet(60_000) is None
    assert search.heard(NOISE[: NOISE_BYTES - 1], 0, 60_000) is None
    assert search.quiet(90_000) is None
    search.reopened()
    for second in range(60):  # sentences that are not ours, at the right speed
        assert search.heard(b"$PXYZ,1,2,3*00\r\n" * 4, 0, second * 1000) is None
        assert search.quiet(second * 1000 + 400) is None


def test_a_burst_that_was_joined_at_its_end_is_not_noise() -> None:
    search = BaudSearch(9600)
    search.heard(EPOCH[-40:], 0, 0)
    assert search.quiet(400) is None


@pytest.mark.parametrize("real", BAUDS)
def test_every_speed_is_found_within_8_s(real: int) -> None:
    search = BaudSearch(9600)
    for second in range(9):
        if search.baud == real:
            break
        chunk = heard_at(EPOCH, real, search.baud)
        assert search.heard(chunk, 0, second * 1000) is None
        search.quiet(second * 1000 + 400)
    assert search.baud == real


def test_every_speed_gets_its_turn_and_the_configured_one_comes_again() -> None:
    search, tried = BaudSearch(4800), []
    for second in range(len(BAUDS)):
        search.heard(NOISE, 0, second * 1000)
        tried.append(search.quiet(second * 1000 + 400))
    assert sorted(filter(None, tried)) == sorted(BAUDS)
    assert tried[-1] == 4800
