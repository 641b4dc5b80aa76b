"""The bench of arrivals: no drive-by of the shared drives is one, and a hasty rule is found out."""

from __future__ import annotations

import asyncio

import pytest

from agent.core import arrival as rule
from bench import arrival
from bench.options import Options
from tests.hil.helpers import needs_data


@needs_data
def test_no_drive_by_of_the_shared_drives_is_an_arrival() -> None:
    false, seen = asyncio.run(arrival.run(Options(quick=True)))
    print(false.value, *false.beside, sep="\n")  # noqa: T201
    assert false.value == 0, false.beside
    assert int(false.beside[0].split()[2]) > 80, "hardly any drive-by"
    assert seen.value == 1, seen.beside


@needs_data
def test_a_rule_without_a_minute_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "NEARBY_MS", 5_000)
    false, _ = asyncio.run(arrival.run(Options(quick=True)))
    assert false.value
