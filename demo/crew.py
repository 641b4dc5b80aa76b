"""One crew of the demo: reads its terminal's screen feed, answers, and drives there.

It touches nothing but what a crew has: the device socket, and the steering wheel of its emulated
vehicle. What it reports is reached through its own receiver's sentences.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from typing import Any

from pydantic import BaseModel

from demo.city import Point, way
from demo.layout import Layout, Member
from demo.processes import Running
from protocol import device
from protocol.refusal import Refused
from runtime.faults import LinkLost
from runtime.local_client import Line, LocalClient, Opened

SPEED_MPS = {"car": 17.0, "motorcycle": 19.0, "drone": 15.0, "foot": 2.0}
REACTION_S = (0.4, 1.6)
ON_SCENE_S = (5.0, 10.0)
AGAIN_S = 2.0
SILENT_PRIORITY = 1  # below it silence is waited out for longer than the demo lasts
CLOSED = frozenset({"cleared", "declined", "expired", "cancelled", "superseded"})
_PASSED = {
    "accept": {"accepted", "confirmed", "en_route", "on_scene"} | CLOSED,
    "decline": CLOSED,
    "en-route": {"en_route", "on_scene"} | CLOSED,
    "on-scene": {"on_scene"} | CLOSED,
    "clear": CLOSED,
}


class Crew:
    """`whims`: the chance to decline or to stay silent, 0 once the calls have ended."""

    def __init__(self, member: Member, layout: Layout, post: Point, rng: random.Random) -> None:
        self.member, self.post = member, post
        self.whims = 0.06
        self.at: Point = post
        self.state: dict[str, Any] = {}
        self.shown: list[tuple[str, int]] = []  # what the screen showed, in order
        self.refused: dict[str, int] = {}
        self.is_driving = False
        self._rng = rng
        self._client = LocalClient(layout.socket(member), retry_s_max=0.5)
        self._emulator: Running | None = None
        self._changed, self._arrived = asyncio.Event(), asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def take_wheel(self, emulator: Running) -> None:
        self._emulator = emulator

    def on_vehicle(self, line: str) -> None:
        """An event of the emulated receiver."""
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if event.get("event") == "position":
                self.at = (event["lat"], event["lon"])
            elif event.get("event") == "arrived":
                self.is_driving = False
                self._arrived.set()

    async def run(self) -> None:
        """Watch the terminal for ever; it may go and come back."""
        async for event in self._client.events():
            if isinstance(event, Opened):
                await self._send(device.Watch())
            elif isinstance(event, Line):
                await self._on_line(event.data)

    async def _on_line(self, line: bytes) -> None:
        try:
            message = device.decode(line, device.TO_CLIENT)
        except Refused:
            return
        if isinstance(message, device.State):
            self.state = message.model_dump()
            self.refused = message.refused
            self._changed.set()
            if message.logon is None:
                logon = device.Logon(unit=self.member.unit, crew=tuple(self.member.crew))
                await self._send(logon)
            for order in message.orders:
                self._see(order)

    def _see(self, order: dict[str, Any]) -> None:
        key, revision = order["order"], order["shown_revision"]
        if (key, revision) not in self.shown:
            self.shown.append((key, revision))
        is_new = key not in self._tasks and order["state"] not in CLOSED
        if is_new and order["kind"] in ("assign", "backup"):
            self._tasks[key] = asyncio.create_task(self._attend(key), name=key)

    def order(self, key: str) -> dict[str, Any] | None:
        return next((o for o in self.state.get("orders", ()) if o["order"] == key), None)

    def _is_open(self, key: str) -> bool:
        order = self.order(key)
        return order is not None and order["state"] not in CLOSED

    # --- what a crew does ------------------------------------------------------------------------

    async def _attend(self, key: str) -> None:
        """From the order on the screen to clear, or until it is withdrawn."""
        order = self.order(key)
        assert order is not None
        await asyncio.sleep(self._rng.uniform(*REACTION_S))
        chance = self._rng.random()
        if chance < self.whims and order["state"] == "delivered":
            if chance < self.whims / 2 or order["priority"] > SILENT_PRIORITY:
                await self._answer(key, "decline", reason="engaged")
            return  # silent otherwise: the next best is added
        place = order["place"]
        scene = (place["lat_e7"] / 1e7, place["lon_e7"] / 1e7)
        if not await self._answer(key, "accept") or not await self._confirmed(key):
            return
        await self._answer(key, "en-route")
        if await self._drive(scene, key):
            await self._answer(key, "on-scene")
            await asyncio.sleep(self._rng.uniform(*ON_SCENE_S))
            await self._answer(key, "clear", disposition="handled")
        self._go(self.post)

    async def _confirmed(self, key: str) -> bool:
        """The centre's word; until then the screen says so and the crew waits."""
        while self._is_open(key):
            order = self.order(key)
            if order is not None and order["confirm"] is not None:
                return bool(order["confirm"] in ("held", "attached"))
            await self._wait(AGAIN_S)
        return False

    async def _drive(self, scene: Point, key: str) -> bool:
        """True on arrival; False when the order was withdrawn on the way."""
        self._arrived.clear()
        self._go(scene)
        while not self._arrived.is_set():
            if not self._is_open(key):
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._arrived.wait()
        return True

    def _go(self, target: Point) -> None:
        kind = self.member.kind
        points = [target] if kind in ("drone", "foot") else way(self.at, target)
        self.is_driving = True
        self._steer({"do": "route", "points": points, "speed_mps": SPEED_MPS[kind]})

    def _steer(self, what: dict[str, object]) -> None:
        if self._emulator is not None:
            self._emulator.say(json.dumps(what).encode() + b"\n")

    async def _answer(self, key: str, word: str, **more: str) -> bool:
        """Touch until the screen has it; False when the order was closed meanwhile."""
        touch = device.Answer.model_validate({"order": key, "answer": word, **more})
        while True:
            order = self.order(key)
            if order is None or order["state"] in _PASSED[word]:
                return order is not None and order["state"] not in CLOSED
            await self._send(touch)
            await self._wait(AGAIN_S)

    async def _wait(self, timeout_s: float) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()

    async def _send(self, message: BaseModel) -> None:
        with contextlib.suppress(LinkLost):  # the daemon is down: said again when it is back
            await self._client.send(device.encode(message).rstrip(b"\n"))
