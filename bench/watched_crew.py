"""A demo crew whose screen is watched: what the officer sees as a new order, and how often.

An order is new to the officer each time it turns up as `delivered`. After a restart the terminal
shows its cards as they were, which is no second showing; one that was answered or closed and turns
up as new again is.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, Final

from demo.city import Point
from demo.crew import CLOSED, Crew
from demo.layout import Layout, Member

_RANK: Final = {
    word: rank
    for rank, word in enumerate(
        ("issued", "delivered", "accepted", "confirmed", "en_route", "on_scene")
    )
}
_CLOSED_RANK: Final = len(_RANK)


class Screen:
    """`showings` by (order, revision); `went_back` names states that fell behind earlier ones."""

    def __init__(self) -> None:
        self.showings: Counter[tuple[str, int]] = Counter()
        self.went_back: list[str] = []
        self._states: dict[str, str] = {}

    def see(self, order: dict[str, Any]) -> None:
        """One order of a `State`."""
        key, state = order["order"], order["state"]
        before = self._states.get(key)
        if before == state:
            return
        self._states[key] = state
        if state == "delivered" or before is None:
            self.showings[key, order["shown_revision"]] += 1
        if before is not None and _falls_back(before, state):
            self.went_back.append(f"order {key} from {before} to {state}")


class WatchedCrew(Crew):
    """Plays as the demo's crew does; `screen` remembers what it saw."""

    def __init__(self, member: Member, layout: Layout, post: Point, rng: random.Random) -> None:
        super().__init__(member, layout, post, rng)
        self.screen = Screen()

    async def _attend(self, key: str) -> None:
        """The officer on foot declines: the walk would outlast the run."""
        if self.member.kind == "foot":
            await self._answer(key, "decline", reason="engaged")
        else:
            await super()._attend(key)

    def _see(self, order: dict[str, Any]) -> None:
        self.screen.see(order)
        super()._see(order)


def _falls_back(before: str, after: str) -> bool:
    """Whether a screen showed an order in a state that it had left behind.

    A late accept brings an expired offer back to life; nothing else that is closed returns.
    """
    if before == "expired":
        return after == "delivered"
    return _rank(after) < _rank(before)


def _rank(state: str) -> int:
    return _CLOSED_RANK if state in CLOSED else _RANK[state]
