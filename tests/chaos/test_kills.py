"""Parts of the running system are killed at drawn moments; nothing is lost, doubled or shown twice.

The run is the bench's (bench/chaos.py), smaller. What it asserts are invariants, never times.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from bench.chaos import Chaos, Plan
from bench.options import Options
from bench.watched_crew import Screen

SEED = 20


@pytest.mark.timeout(240)
@pytest.mark.xdist_group("alone")
def test_random_kills_lose_and_double_nothing(long_run: bool) -> None:
    """Orders, requests, screens, logbooks and the journal after kills of every part."""
    plan = Plan(16, 40, 60.0, SEED) if long_run else Plan(8, 10, 12.0, SEED)
    folder = Path(tempfile.mkdtemp(prefix="outrider-kills-"))  # short: it holds sockets
    chaos = Chaos(plan, folder, Options())
    outcome = asyncio.run(chaos.run())
    assert outcome.faults == {}, f"seed {SEED}; journal, stores and logs are in {folder}"
    shutil.rmtree(folder)
    assert sum(chaos.strikes.struck.values()) == plan.strikes
    assert {name.partition("-")[0] for name in chaos.strikes.killed} == {
        "agent", "broker", "matcher",
    }  # fmt: skip
    assert outcome.orders["cleared"] >= 3, "too few orders lived through it to say anything"


def card(state: str) -> dict[str, Any]:
    return {"order": "o-1-1", "shown_revision": 1, "state": state}


def test_the_watch_counts_what_comes_new_again() -> None:
    """An answered order that turns up as new is a second showing; the same state again is none."""
    watched = Screen()
    for state in ("delivered", "delivered", "confirmed", "en_route", "en_route"):
        watched.see(card(state))
    assert watched.showings == {("o-1-1", 1): 1}
    assert watched.went_back == []
    watched.see(card("delivered"))
    assert watched.showings == {("o-1-1", 1): 2}
    assert len(watched.went_back) == 1


def test_a_late_accept_may_bring_an_offer_back() -> None:
    watched = Screen()
    for state in ("delivered", "expired", "confirmed"):
        watched.see(card(state))
    assert watched.went_back == []
    assert watched.showings == {("o-1-1", 1): 1}
