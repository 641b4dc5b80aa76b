"""A dispatcher at the rim: the product's manager client in a thread, and what it was shown.

What the topics said is kept as plain JSON, in order, and read without the product's models.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from manager.build import build
from manager.client import ManagerClient, fleet_topics
from manager.settings import ManagerSettings
from protocol.request import Reply
from runtime.clock import SystemClock
from runtime.settings import load
from tests.rim.daemon import DEADLINE_S, Waiter

T = TypeVar("T")
Json = dict[str, Any]


class Desk:
    """`units`, `incidents`, `alerts` by id, `statistics`, `history` of (kind, JSON) in order."""

    def __init__(self, config: Path) -> None:
        self.units: dict[str, Json] = {}
        self.incidents: dict[str, Json] = {}
        self.alerts: dict[str, Json] = {}
        self.statistics: Json = {}
        self.history: list[tuple[str, Json]] = []
        self._settings = load(config, ManagerSettings)
        self._ids = itertools.count(1)
        self._waiter = Waiter()
        self._loop = asyncio.new_event_loop()
        self._over: asyncio.Event | None = None
        self._client: ManagerClient | None = None
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._thread.start()

    def connected(self, timeout_s: float = DEADLINE_S) -> Desk:
        """Wait until its subscriptions stand."""
        self._waiter.wait(lambda: self._client, timeout_s, lambda: "desk's client")
        assert self._client is not None
        asyncio.run_coroutine_threadsafe(self._client.connected(), self._loop).result(timeout_s)
        return self

    def close(self) -> None:
        if self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self._loop.close()

    def ask(self, verb: str, *, life_s: int = 20, **fields: Any) -> Reply:
        """One sealed request and its sealed reply; raises NoReply."""
        assert self._client is not None
        request_id = f"{self._settings.name}-rim-{next(self._ids):06d}"
        asked = build(verb, fields, request_id, SystemClock().utc_ms(), life_s)
        asking = self._client.request(asked)
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result(life_s + 5)

    def ask_again(self, issued_ms: int) -> Reply:
        """A call for service that was asked for at `issued_ms`, and is repeated only now."""
        assert self._client is not None
        request_id = f"{self._settings.name}-rim-{next(self._ids):06d}"
        place = {"lat": 24.5, "lon": 117.6}
        fields = {"kind": "theft", "priority": 1, "place": place,
                  "plan": {"units": 1, "officers": 1, "alert": False}}  # fmt: skip
        asked = build("report", fields, request_id, issued_ms, 60)
        asking = self._client.request(asked)
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result(65)

    def done(self, verb: str, **fields: Any) -> Reply:
        """A request that must be done."""
        reply = self.ask(verb, **fields)
        assert reply.outcome == "done", reply
        return reply

    def report(self, at: tuple[float, float], priority: int = 1, units: int = 1) -> str:
        """A call for service; the incident's id."""
        place = {"lat": at[0], "lon": at[1]}
        plan = {"units": units, "officers": 1, "alert": False}
        reply = self.done("report", kind="theft", priority=priority, place=place, plan=plan)
        assert reply.incident is not None
        return reply.incident

    def wait(self, find: Callable[[], T | None], what: str, timeout_s: float = DEADLINE_S) -> T:
        """What `find` gives once the topics make it true."""
        return self._waiter.wait(find, timeout_s, lambda: f"{what}; {self.summary()}")

    def incident(self, incident: str, state: str) -> Json:
        """The incident once its topic says `state`."""
        return self.wait(
            lambda: next(
                (
                    one
                    for kind, one in self.history
                    if kind == "incident" and one["id"] == incident and one["state"] == state
                ),
                None,
            ),
            f"{incident} {state}",
        )

    def order(self, incident: str, unit: str, state: str = "") -> str:
        """The order id of `unit` for the incident, once it is (and was) in `state`."""

        def find() -> str | None:
            for kind, one in self.history:
                if kind == "incident" and one["id"] == incident:
                    for of in one["units"]:
                        if of["unit"] == unit and of["state"].startswith(state):
                            return str(of["order"])
            return None

        return self.wait(find, f"order of {unit} for {incident} {state}")

    def unit(self, unit: str, true: Callable[[Json], bool], timeout_s: float = DEADLINE_S) -> Json:
        """The unit's feature once `true` holds of its properties."""

        def find() -> Json | None:
            feature = self.units.get(unit)
            return feature if feature is not None and true(feature["properties"]) else None

        return self.wait(find, f"unit {unit}: {self.units.get(unit)}", timeout_s)

    def refused(self, reason: str) -> int:
        """How many messages were refused for `reason`, by the newest statistics."""
        return int(self.statistics.get("refused", {}).get(reason, 0))

    def refused_replies(self) -> dict[str, int]:
        """Replies that the client did not believe, by reason."""
        assert self._client is not None
        return {str(reason): count for reason, count in self._client.counters.items()}

    def states_of(self, incident: str, unit: str) -> list[str]:
        """The order states that the incident's topic showed for `unit`, each once, in order."""
        seen: list[str] = []
        for kind, one in self.history:
            if kind == "incident" and one["id"] == incident:
                for of in one["units"]:
                    if of["unit"] == unit and of["state"] not in seen[-1:]:
                        seen.append(of["state"])
        return seen

    def summary(self) -> str:
        states = {key: (one["state"], one["units"]) for key, one in self.incidents.items()}
        alerts = [one["kind"] for one in self.alerts.values()]
        return f"incidents {states}, alerts {alerts}, statistics {self.statistics}"

    # --- in its own thread -----------------------------------------------------------------------

    async def _run(self) -> None:
        self._over = asyncio.Event()
        watch = fleet_topics(self._settings.fleet, self._settings.groups)
        async with ManagerClient(self._settings, watch=watch) as self._client:
            self._waiter.notify()
            updates = asyncio.create_task(self._updates(self._client))
            over = asyncio.create_task(self._over.wait())
            await asyncio.wait({updates, over}, return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
            updates.cancel()
            if updates.done() and not updates.cancelled():
                updates.result()

    async def _updates(self, client: ManagerClient) -> None:
        async for update in client.updates():
            if update.payload:
                leaves = update.topic.split("/")[4:]
                kind = leaves[2] if leaves[0] == "group" else leaves[0]
                self._take(kind, json.loads(update.payload))
                self._waiter.notify()

    def _take(self, kind: str, said: Json) -> None:
        self.history.append((kind, said))
        match kind:
            case "unit":
                self.units[said["id"]] = said
            case "incident":
                self.incidents[said["id"]] = said
            case "alert":
                self.alerts[said["alert"]] = said
            case "statistics":
                self.statistics = said
