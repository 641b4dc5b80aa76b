"""A crew that plays a part in the story: when it answers, whether it takes what it overhears.

Only crews' decisions are scripted. Everything else is the demo's crew: the device socket, and the
steering wheel of its own emulated vehicle.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from demo.city import Point
from demo.crew import CLOSED, Crew
from demo.layout import Layout, Member
from protocol import device

READ_S = 0.8
LOOK_S = 0.2
SHORT_STAY_S = 2.0
BREATH_S = 5.0  # after an order, before the way back to the post


@dataclass(slots=True)
class Script:
    """Seconds until an order is answered, and until an alert is taken (None: left to others)."""

    answers_s: float = 0.8
    takes_s: float | None = None


@dataclass(slots=True)
class Scenes:
    """What all crews know by eye: incidents that go on, and how those ended that are over."""

    going_on: set[str] = field(default_factory=set)
    over: dict[str, str] = field(default_factory=dict)  # incident -> disposition


class StoryCrew(Crew):
    """`seen_s` is when a revision of an order stood on its screen; `showings` how often, as new."""

    def __init__(
        self,
        member: Member,
        layout: Layout,
        post: Point,
        rng: random.Random,
        scenes: Scenes,
        now_s: Callable[[], float],
    ) -> None:
        super().__init__(member, layout, post, rng)
        self.whims = 0.0
        self.script = Script()
        self.seen_s: dict[tuple[str, int], float] = {}
        self.showings: Counter[tuple[str, int]] = Counter()
        self._scenes, self._now_s = scenes, now_s
        self._states: dict[str, str] = {}
        self._reading: set[tuple[str, int]] = set()

    def orders_of(self, incident: str) -> list[dict[str, Any]]:
        """What its screen shows of an incident."""
        return [o for o in self.state.get("orders", ()) if o["incident"] == incident]

    def saw_s(self, order: str, revision: int = 1) -> float | None:
        return self.seen_s.get((order, revision))

    def _see(self, order: dict[str, Any]) -> None:
        key, state, revision = order["order"], order["state"], order["shown_revision"]
        before, self._states[key] = self._states.get(key), state
        if before is None or (state == "delivered" and before != "delivered"):
            self.showings[key, revision] += 1
        self.seen_s.setdefault((key, revision), self._now_s())
        is_offered = order["kind"] == "alert" and state == "delivered" and key not in self._tasks
        if is_offered and self.script.takes_s is not None:
            self._tasks[key] = asyncio.create_task(self._attend(key), name=key)
        if order["must_read"] and (key, revision) not in self._reading and state not in CLOSED:
            self._reading.add((key, revision))
            self._tasks[f"{key} {revision}"] = asyncio.create_task(self._read(key))
        super()._see(order)

    async def _read(self, key: str) -> None:
        await asyncio.sleep(READ_S)
        while (order := self.order(key)) is not None and order["must_read"]:
            await self._send(device.Answer(order=key, answer="read"))
            await self._wait(2.0)

    async def _attend(self, key: str) -> None:
        """As a crew does; where the scene moves it goes on after it, and stays until it is over."""
        order = self.order(key)
        assert order is not None
        is_alert = order["kind"] == "alert"
        wait_s = self.script.takes_s if is_alert else self.script.answers_s
        await asyncio.sleep(wait_s or 0.0)
        if not await self._answer(key, "accept") or not await self._confirmed(key):
            return
        await self._answer(key, "en-route")
        if await self._follow(key):
            await self._answer(key, "on-scene")
            disposition = await self._stay(key)
            if disposition is not None:
                await self._answer(key, "clear", disposition=disposition)
        await asyncio.sleep(BREATH_S)
        if not any(self._is_open(o["order"]) for o in self.state.get("orders", ()) if _binds(o)):
            self._go(self.post)

    async def _follow(self, key: str) -> bool:
        """True once it is where the order says; the order may say another place on the way."""
        target: Point | None = None
        while self._is_open(key):
            wanted = self._place(key)
            if wanted != target:
                target = wanted
                self._arrived.clear()
                self._go(wanted)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._arrived.wait()
                    return True
        return False

    def _place(self, key: str) -> Point:
        order = self.order(key)
        assert order is not None
        return order["place"]["lat_e7"] / 1e7, order["place"]["lon_e7"] / 1e7

    async def _stay(self, key: str) -> str | None:
        """Until it is over, after whoever runs; its disposition, None where it was withdrawn."""
        order = self.order(key)
        assert order is not None
        incident, place = order["incident"], self._place(key)
        if incident not in self._scenes.going_on:
            await asyncio.sleep(SHORT_STAY_S)
        while self._is_open(key):
            if incident not in self._scenes.going_on:
                return self._scenes.over.get(incident, "handled")
            if self._place(key) != place:
                place = self._place(key)
                self._go(place)
            await asyncio.sleep(LOOK_S)
        return None


def _binds(order: dict[str, Any]) -> bool:
    """An alert that was taken binds too."""
    return order["kind"] != "alert" or order["confirm"] is not None
