"""Verdicts, spreads and the two ways of printing."""

from __future__ import annotations

import json

import pytest

from bench.figure import Figure, Spread, number, print_table, to_json


@pytest.mark.parametrize(
    ("value", "at_least", "verdict"),
    [(2.9, False, "met"), (3.0, False, "met"), (3.1, False, "missed"),
     (2.9, True, "missed"), (3.0, True, "met")],
)  # fmt: skip
def test_verdict_compares_with_the_budget(value: float, at_least: bool, verdict: str) -> None:
    assert Figure("x", "what", value, "s", 3.0, at_least=at_least).verdict == verdict


def test_no_verdict_without_budget_or_value() -> None:
    assert Figure("x", "what", 1.0, "s").verdict == "-"
    assert Figure("x", "what", None, "s", 3.0).verdict == "-"


def test_spread_is_median_and_nearest_rank() -> None:
    spread = Spread.of([float(n) for n in range(200, 0, -1)])
    assert (spread.count, spread.p50, spread.p99, spread.low, spread.high) == (
        200, 100.5, 198.0, 1.0, 200.0,
    )  # fmt: skip


def test_spread_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        Spread.of([])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01523, "0.0152"), (1.154, "1.15"), (23.8, "23.8"), (8374.2, "8,374")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_json_carries_machine_and_verdict() -> None:
    found = json.loads(to_json([Figure("x", "what", 4.0, "s", 3.0)], {"cores": "2"}))
    assert found["machine"] == {"cores": "2"}
    assert found["figures"][0]["verdict"] == "missed"


def test_table_names_what_missed(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Figure("x", "bytes of it", 141.0, "bytes", 140.0, beside=("a peer",))], "title")
    shown = capsys.readouterr().out
    assert "141 bytes" in shown
    assert "≤ 140 bytes" in shown
    assert "missed" in shown
    assert "a peer" in shown
