"""The demo's desk: what managers' topics say, alerts acknowledged, callers' reports sealed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.city import Point
from manager.build import build, report
from manager.client import ManagerClient, NoReply, fleet_topics
from manager.settings import ManagerSettings
from protocol import managers as m
from protocol.geodesy import distance_m
from protocol.order import HELD, OrderState
from protocol.refusal import Refused
from protocol.request import Reply
from runtime.clock import Clock
from runtime.settings import load

ACKNOWLEDGE_S = (0.5, 2.0)
THERE_M = 75.0


@dataclass(slots=True)
class Picture:
    """What the topics have said so far."""

    units: dict[str, m.UnitFeature] = field(default_factory=dict)
    incidents: dict[str, m.IncidentState] = field(default_factory=dict)
    alerts: dict[str, m.Alert] = field(default_factory=dict)
    statistics: m.Statistics | None = None
    attended: set[str] = field(default_factory=set)
    reached: dict[str, str] = field(default_factory=dict)  # order that was on scene -> incident
    first_position_ms: int | None = None  # boot-time clock

    def open_incidents(self) -> list[m.IncidentState]:
        return [i for i in self.incidents.values() if i.state not in ("cleared", "cancelled")]

    def whole_order(self) -> str | None:
        """The first order that was on scene and whose incident is cleared."""
        for order, incident in self.reached.items():
            if self.incidents[incident].state == "cleared":
                return order
        return None

    def take(self, topic: str, payload: bytes, now_ms: int) -> None:
        """One update; an empty payload clears a retained topic and says nothing new."""
        kind = topic.split("/")[4]
        if not payload:
            return
        if kind == "unit":
            unit = m.decode(m.UnitFeature, payload)
            self.units[unit.id] = unit
            if unit.geometry is not None and self.first_position_ms is None:
                self.first_position_ms = now_ms
        elif kind == "incident":
            incident = m.decode(m.IncidentState, payload)
            self.incidents[incident.id] = incident
        elif kind == "alert":
            alert = m.decode(m.Alert, payload)
            self.alerts[alert.alert] = alert
        elif kind == "statistics":
            self.statistics = m.decode(m.Statistics, payload)
        self._see_arrivals()

    def _see_arrivals(self) -> None:
        """Attended: a unit on scene whose own verified position is at the place."""
        for incident in self.incidents.values():
            for one in incident.units:
                if one.state is OrderState.ON_SCENE:
                    self.reached.setdefault(one.order, incident.id)
            if incident.id in self.attended:
                continue
            for one in incident.units:
                feature = self.units.get(one.unit)
                if one.state == "on_scene" and feature is not None and feature.geometry:
                    lon, lat = feature.geometry.coordinates
                    if distance_m(lat, lon, incident.place.lat, incident.place.lon) <= THERE_M:
                        self.attended.add(incident.id)


class Desk:
    """A dispatcher's and a caller's tool, each an identity of its own."""

    def __init__(
        self, desk_config: Path, caller_config: Path, clock: Clock, rng: random.Random
    ) -> None:
        settings = load(desk_config, ManagerSettings)
        self.picture = Picture()
        self.changed = asyncio.Event()
        self.replies: list[Reply] = []
        self._clock, self._rng = clock, rng
        self._desk = ManagerClient(settings, watch=fleet_topics(settings.fleet), clock=clock)
        self._caller = ManagerClient(load(caller_config, ManagerSettings), clock=clock)
        self._acknowledged: set[str] = set()
        self._stood_down: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Watch and acknowledge for ever."""
        async with self._desk, self._caller, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._acknowledge(), name="acknowledge")
            async for update in self._desk.updates():
                with contextlib.suppress(Refused):  # counted where it comes from
                    self.picture.take(update.topic, update.payload, self._clock.monotonic_ms())
                self.changed.set()

    async def report(
        self, kind: str, priority: int, scene: Point, units: int, officers: int, **more: Any
    ) -> str | None:
        """A caller's report; the incident's id, or None where no reply came."""
        options: dict[str, Any] = {
            "kind": kind, "priority": priority, "lat": scene[0], "lon": scene[1],
            "units": units, "officers": officers, "capabilities": (), "alert": False,
            "channel": "phone", **more,
        }  # fmt: skip
        reply = await self._ask(self._caller, "report", report(options))
        return reply.incident if reply else None

    async def request(self, verb: str, **fields: Any) -> Reply | None:
        """A dispatcher's request; None where no reply came."""
        return await self._ask(self._desk, verb, fields)

    async def stand_down(self) -> None:
        """Release who is still on the way to a scene that another unit has handled."""
        for incident in self.picture.open_incidents():
            handled = incident.id in self.picture.attended and all(
                one.state is not OrderState.ON_SCENE for one in incident.units
            )
            for one in incident.units if handled else ():
                if one.state in HELD and (incident.id, one.unit) not in self._stood_down:
                    self._stood_down.add((incident.id, one.unit))
                    fields = {"incident": incident.id, "unit": one.unit}
                    await self._ask(self._desk, "release", fields)

    async def _ask(self, client: ManagerClient, verb: str, fields: dict[str, Any]) -> Reply | None:
        asked = build(verb, fields, str(uuid.UUID(int=self._rng.getrandbits(128))),
                      self._clock.utc_ms(), 30)  # fmt: skip
        try:
            reply = await client.request(asked)
        except NoReply:
            return None
        self.replies.append(reply)
        return reply

    async def _acknowledge(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(*ACKNOWLEDGE_S))
            for alert in list(self.picture.alerts.values()):
                if alert.acknowledged_by is None and alert.alert not in self._acknowledged:
                    self._acknowledged.add(alert.alert)
                    await self._ask(self._desk, "acknowledge", {"alert": alert.alert})
