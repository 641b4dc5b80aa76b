"""The line speed is found where the configured one gives only noise."""

from __future__ import annotations

from agent.core.baud_search import BAUDS, LISTEN_MS, BaudSearch


def test_noise_tries_the_next_speed_and_sentences_stay() -> None:
    search = BaudSearch(38_400, 0)
    assert search.heard(500, 0, LISTEN_MS - 1) is None
    assert search.heard(1, 0, LISTEN_MS) == BAUDS[0]
    assert search.heard(500, 3, 2 * LISTEN_MS) is None
    assert search.heard(500, 0, 3 * LISTEN_MS - 1) is None, "a short disturbance moves nothing"
    assert search.baud == BAUDS[0]


def test_a_silent_line_is_not_searched() -> None:
    search = BaudSearch(9600, 0)
    assert search.heard(5, 0, 60_000) is None


def test_every_speed_gets_its_turn_and_the_configured_one_comes_again() -> None:
    search, tried, now_ms = BaudSearch(4800, 0), [], 0
    for _ in range(len(BAUDS)):
        now_ms += LISTEN_MS
        tried.append(search.heard(1000, 0, now_ms))
    assert sorted(filter(None, tried)) == sorted(BAUDS)
    assert tried[-1] == 4800
