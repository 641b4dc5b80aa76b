"""The shipped codebook edited, offered to a fleet of the tests, and calls reported by its words."""

from __future__ import annotations

from matcher.core import events as ev
from matcher.core.commands import TakeCodebook
from protocol.codebook_shipped import shipped_text
from protocol.request import Reply
from tests.matcher.fleet import FleetUnderTest
from tests.protocol.codebooks import edited

UNITS = {"a": 10_000, "b": 20_000, "c": 30_000, "d": 40_000}
PLACE = {"lat": 24.513, "lon": 117.647}


def text_of(*edits: tuple[str, str], version: int = 2) -> str:
    return edited(("version = 1\n", f"version = {version}\n"), *edits, text=shipped_text())


def take(fleet: FleetUnderTest, text: str) -> list[ev.Event]:
    return fleet.do(TakeCodebook(fleet.now_ms, text))


def report(fleet: FleetUnderTest, kind: str, **fields: object) -> Reply:
    return fleet.request({"verb": "report", "kind": kind, "place": PLACE, **fields})
