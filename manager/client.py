"""One connection of a manager's tool: many requests at a time, and what the fleet's topics say.

    async with ManagerClient(settings) as client:
        reply = await client.request(report)

A request is repeated byte for byte (protocol/repeats.py) until its sealed reply comes or it ends,
also over a broken connection; the centre makes a repeat harmless. What comes on the watched topics
is plain: it may be shown, and is acted on by nobody. Callers: `manager.request`, demo, bench.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from manager.seals import TRUST, Seals, load_root, load_trust
from manager.settings import ManagerSettings
from protocol import topics
from protocol.refusal import Reason, Refused
from protocol.repeats import REQUEST
from protocol.request import Common, Reply
from runtime.clock import Clock, SystemClock
from runtime.faults import ConfigFault, OutriderFault, StoreFault
from runtime.log import get_log
from runtime.mqtt_link import MqttLink
from runtime.mqtt_types import Connected, ConnectFailed, Disconnected, Message
from runtime.store import atomic_write

WAITING_MAX: Final = 1024  # requests without a reply
UPDATES_MAX: Final = 8192  # then the oldest is dropped and counted
_TRUST_AGAIN_MS: Final = 5_000
_MS_PER_S: Final = 1000


class NoReply(OutriderFault):
    """The request ended without a reply: it may or may not have been acted on."""


@dataclass(frozen=True, slots=True)
class Update:
    """A plain message of a watched topic. An empty payload clears what was retained."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(slots=True)
class _Waiting:
    topic: str = ""
    reply: Reply | None = None
    refused: str | None = None  # by the broker
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class ManagerClient:
    """`counters` counts refused replies and dropped updates by reason; `trouble` is the last."""

    def __init__(
        self,
        settings: ManagerSettings,
        *,
        watch: tuple[tuple[str, int], ...] = (),
        clock: Clock | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        """`watch`: topic filters and QoS, as from `fleet_topics`. Raises ConfigFault."""
        self._settings, self._clock = settings, clock or SystemClock()
        self._on_trouble = on_trouble
        self.seals = Seals.load(settings.keys.folder, settings.fleet, settings.name)
        self._root = load_root(settings.keys.folder)
        self._trust_topic = topics.trust(settings.fleet)
        self.counters: Counter[str] = Counter()
        self.trouble = "no connection yet"
        self._rng = random.Random()
        self._link = MqttLink(
            settings.link(),
            subscriptions=((self.seals.reply_topic, 1), (self._trust_topic, 1), *watch),
            rng=self._rng,
            log=get_log("manager", self._clock),
            on_refused=self._on_refused,
        )
        self._waiting: dict[str, _Waiting] = {}
        self._updates: asyncio.Queue[Update] = asyncio.Queue(UPDATES_MAX)
        self._connected = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._running: list[asyncio.Task[None]] = []
        self._trust_read_ms = -_TRUST_AGAIN_MS
        self._held_trust = b""

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._running = [
            self._tasks.create_task(self._link.run(), name="link"),
            self._tasks.create_task(self._take_events(), name="events"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._running:
            task.cancel()
        await self._tasks.__aexit__(kind, fault, traceback)

    async def connected(self) -> None:
        """Wait until the subscriptions stand."""
        await self._connected.wait()

    async def request(self, asked: Common) -> Reply:
        """Send `asked` until its reply comes; raises NoReply once it has expired.

        A reply may say `refused`. Raises ValueError for a request id that is waited for already.
        """
        if asked.request_id in self._waiting or len(self._waiting) >= WAITING_MAX:
            raise ValueError(f"{asked.request_id} waits already, or {WAITING_MAX} others do")
        topic, sealed = self.seals.seal(asked)
        waiting = self._waiting[asked.request_id] = _Waiting(topic)
        try:
            return await self._repeated(asked, topic, sealed, waiting)
        finally:
            del self._waiting[asked.request_id]

    async def updates(self) -> AsyncIterator[Update]:
        """What the watched topics say, as it comes; for one consumer."""
        while True:
            yield await self._updates.get()

    async def _repeated(self, asked: Common, topic: str, sealed: bytes, waiting: _Waiting) -> Reply:
        life_ms = asked.expires_ms - self._clock.utc_ms()
        end_ms = self._clock.monotonic_ms() + life_ms
        attempt = 0
        while waiting.reply is None:
            if waiting.refused is not None:
                remedy = "use an identity whose person has the role for this verb"
                raise NoReply(topic, "the broker lets it not through", waiting.refused, remedy)
            left_ms = end_ms - self._clock.monotonic_ms()
            if left_ms <= 0:
                remedy = "ask again, once the cause is mended"
                raise NoReply(topic, "no reply came", self.trouble, remedy)
            waiting.wake.clear()
            delay_ms = left_ms
            if self._link.publish(topic, sealed, qos=1, expiry_s=left_ms / _MS_PER_S):
                delay_ms = min(left_ms, REQUEST.delay_ms(attempt, self._rng.random()))
                attempt += 1
            await self._woken(waiting.wake, delay_ms)
        return waiting.reply

    async def _woken(self, wake: asyncio.Event, delay_ms: int) -> None:
        """By a reply, by a new connection, or after `delay_ms`."""
        try:
            async with asyncio.timeout(delay_ms / _MS_PER_S):
                await wake.wait()
        except TimeoutError:
            return  # time to say it again

    async def _take_events(self) -> None:
        async for event in self._link.events():
            match event:
                case Message():
                    self._take(event)
                    self._link.puback(event)
                case Connected():
                    self._connected.set()
                    self._tell("no reply from the centre")
                    for waiting in self._waiting.values():
                        waiting.wake.set()
                case Disconnected() | ConnectFailed():
                    self._connected.clear()
                    self._tell(event.detail)
                    if self._on_trouble is not None:
                        self._on_trouble(event.detail)

    def _on_refused(self, refusal: str) -> None:
        for waiting in self._waiting.values():
            if refusal.startswith(waiting.topic):
                waiting.refused = refusal
                waiting.wake.set()

    def _tell(self, trouble: str) -> None:
        self.trouble = trouble

    def _take(self, message: Message) -> None:
        if message.topic == self._trust_topic:
            self._take_trust(message.payload)
            return
        if message.topic != self.seals.reply_topic:
            self._put(Update(message.topic, message.payload, message.retain))
            return
        try:
            self._settle(self._open(message.payload))
        except Refused as cause:
            self.counters[cause.reason] += 1
            self._tell(f"a reply was refused: {cause}")

    def _take_trust(self, message: bytes) -> None:
        """The centre's role keys have changed: kept in the folder too, for the next start."""
        if self._held_trust == message or not message:
            return
        try:
            trust = self.seals.newer_trust(message, self._root)
        except Refused as cause:
            if cause.reason is not Reason.STALE_VERSION:
                self.counters[cause.reason] += 1
                self._tell(f"a trust document was refused: {cause}")
            return
        self.seals, self._held_trust = replace(self.seals, trust=trust), message
        try:
            atomic_write(self._settings.keys.folder / TRUST, message, 0o644)
        except StoreFault as fault:
            self._tell(f"trust {trust.version} holds, and is not kept: {fault}")

    def _open(self, message: bytes) -> Reply:
        now_ms = self._clock.utc_ms()
        try:
            return self.seals.open_reply(message, now_ms)
        except Refused as cause:
            if cause.reason is not Reason.UNKNOWN_KEY or not self._trust_read_again():
                raise
        return self.seals.open_reply(message, now_ms)

    def _trust_read_again(self) -> bool:
        """Whether a newer trust document has come into the folder since."""
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._trust_read_ms < _TRUST_AGAIN_MS:
            return False
        self._trust_read_ms = now_ms
        try:
            trust = load_trust(self._settings.keys.folder, self._settings.fleet)
        except ConfigFault as fault:
            self._tell(str(fault))
            return False
        if trust.version <= self.seals.trust.version:
            return False
        self.seals = replace(self.seals, trust=trust)
        return True

    def _settle(self, reply: Reply) -> None:
        waiting = self._waiting.get(reply.request_id)
        if waiting is None:
            self.counters["unasked"] += 1  # a repeated reply, or of an earlier run
            return
        waiting.reply = reply
        waiting.wake.set()

    def _put(self, update: Update) -> None:
        if self._updates.full():
            self._updates.get_nowait()
            self.counters["updates_dropped"] += 1
        self._updates.put_nowait(update)


def fleet_topics(fleet: str, groups: Iterable[str] = ()) -> tuple[tuple[str, int], ...]:
    """Filters of all that a manager may watch, with their QoS; of its `groups` too."""
    open_to_all = (
        (topics.unit(fleet, "+"), 0),
        (topics.incident(fleet, "+"), 1),
        (topics.alert(fleet, "+"), 1),
        (topics.statistics(fleet), 0),
    )
    own = (
        (
            (topics.group_unit(fleet, group, "+"), 0),
            (topics.group_incident(fleet, group, "+"), 1),
            (topics.group_alert(fleet, group, "+"), 1),
        )
        for group in groups
    )
    return open_to_all + tuple(one for filters in own for one in filters)
