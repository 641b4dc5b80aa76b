"""The matcher's side of the link: its subscriptions, its lanes, and the canary that proves them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509

from matcher.settings import MatcherSettings
from protocol import topics
from protocol.names import common_name
from runtime.clock import Clock
from runtime.key_files import dates_ms_of
from runtime.log import Log
from runtime.mqtt_link import MqttLink
from runtime.mqtt_types import Connected, ConnectFailed, Disconnected, LinkSettings, Message
from runtime.send_queue import Lane

CANARY_S: Final = 5.0
CANARY_LOST_MS: Final = 15_000
SING_AGAIN_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Incoming:
    """A new connection, or one message."""

    topic: str = ""
    payload: bytes = b""
    retained: bool = False
    is_new_connection: bool = False
    is_own: bool = False  # retained on a topic that the matcher owns
    message: Message | None = None


@dataclass(slots=True)
class _Song:
    """One proof of the access list under way."""

    nonce: bytes
    name: str
    heard: set[str] = field(default_factory=set)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)


class CanaryLost(Exception):
    """The broker takes our messages and delivers none: a restart makes a new connection."""


class CentreLink:
    """All that the matcher says and hears."""

    def __init__(
        self, settings: MatcherSettings, rng: random.Random, log: Log, clock: Clock
    ) -> None:
        fleet = settings.fleet
        self._log, self._clock = log, clock
        self._canary = topics.canary(fleet)
        self._heard_ms: int | None = None
        self.broker_ends_ms: int | None = None  # of the certificate that was seen last
        self._song: _Song | None = None
        self._songs = itertools.count(1)
        self._fleet = fleet
        lanes = [topics.all_terminals(fleet, "link"), topics.all_terminals(fleet, "logbook")]
        self._link = MqttLink(
            _link_settings(settings, settings.files.keys),
            subscriptions=[
                (self._canary, 0),
                (topics.list_canary(fleet, "+"), 0),
                *((topic, 1) for topic in lanes),
                (topics.all_terminals(fleet, "position"), 0),
                (topics.all_requests(fleet), 1),
            ],
            check_peer=self._saw_peer,
            own_topics=topics.owned_by_matcher(fleet),
            rng=rng,
            log=log,
        )

    def _saw_peer(self, der: bytes) -> None:
        """Its end is told in time (matcher/broker/guard.py); it is no reason not to serve."""
        _, self.broker_ends_ms = dates_ms_of(x509.load_der_x509_certificate(der))

    async def run(self) -> None:
        """Keep the connection and prove its subscriptions every 5 s."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run(), name="mqtt")
            tasks.create_task(self._sing(), name="canary")

    async def _sing(self) -> None:
        while True:
            await asyncio.sleep(CANARY_S)
            if not self._link.is_connected:
                self._heard_ms = None
                continue
            now_ms = self._clock.monotonic_ms()
            self._heard_ms = now_ms if self._heard_ms is None else self._heard_ms
            if now_ms - self._heard_ms > CANARY_LOST_MS:
                raise CanaryLost(f"{self._canary}: own message not back for {CANARY_LOST_MS} ms")
            self._link.publish(self._canary, now_ms.to_bytes(8, "big"), expiry_s=10)

    @property
    def is_connected(self) -> bool:
        return self._link.is_connected

    async def prove_list(self, name: str, patience_s: float) -> frozenset[str]:
        """Which leaves of the list's canary came back: {name} is what should be.

        The broker's list `name` lets us speak on that leaf and on no other, so `shut` comes back
        only where there is no list. `shut` goes first: once `name` is heard, all is.
        """
        song = self._song = _Song(next(self._songs).to_bytes(8, "big"), name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while not song.is_over.is_set():
                    for leaf in (topics.CANARY_SHUT, name):
                        topic = topics.list_canary(self._fleet, leaf)
                        self._link.publish(topic, song.nonce, expiry_s=10)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(SING_AGAIN_S):
                            await song.is_over.wait()
        return frozenset(song.heard)

    def _hear(self, leaf: str, nonce: bytes) -> None:
        self._heard_ms = self._clock.monotonic_ms()
        song = self._song
        if song is not None and nonce == song.nonce:
            song.heard.add(leaf)
            if leaf == song.name:
                song.is_over.set()

    async def events(self, progress: Callable[[], None]) -> AsyncIterator[Incoming]:
        """New connections and messages in order; link trouble is logged by the link."""
        async for event in self._link.events():
            progress()
            match event:
                case Connected():
                    self._heard_ms = self._clock.monotonic_ms()
                    yield Incoming(is_new_connection=True)
                case Message(topic=topic) if topic == self._canary:
                    self._heard_ms = self._clock.monotonic_ms()
                case Message(topic=topic, payload=payload) if topic.startswith(f"{self._canary}/"):
                    self._hear(topic.removeprefix(f"{self._canary}/"), payload)
                case Message(topic=topic, payload=payload, retain=retain):
                    self._heard_ms = self._clock.monotonic_ms()  # behind ours, on a slow disk
                    is_own = topics.parse_owned(self._fleet, topic) is not None
                    yield Incoming(topic, payload, retain, is_own=is_own, message=event)
                case Disconnected() | ConnectFailed():
                    continue

    def release(self, incoming: Incoming) -> None:
        if incoming.message is not None:
            self._link.puback(incoming.message)

    # --- lanes -----------------------------------------------------------------------------------

    def send_order(self, topic: str, payload: bytes, *, urgent: bool = False) -> bool:
        """Numbered messages, welcomes, trust: QoS 1; whoever sends repeats."""
        lane = Lane.URGENT if urgent else Lane.NORMAL
        return self._link.publish(topic, payload, qos=1, lane=lane)

    def send_receipt(self, topic: str, payload: bytes, *, key: str) -> bool:
        """QoS 0; a newer receipt replaces one that still waits."""
        return self._link.publish(topic, payload, lane=Lane.LATEST, key=f"{topic} {key}")

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: int | None = None,
    ) -> bool:
        return self._link.publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)


def _link_settings(settings: MatcherSettings, keys: Path) -> LinkSettings:
    broker = settings.broker
    return LinkSettings(
        host=broker.host,
        port=broker.port,
        client_id=common_name(settings.fleet, settings.name),
        ca_file=keys / "root.pem",
        cert_file=keys / "tls.pem",
        key_file=keys / "tls.key",
        keepalive_s=broker.keepalive_s,
        backoff_cap_s=broker.backoff_cap_s,
        handshake_interval_s=broker.handshake_interval_s,
        inbox_max=2048,
        queue_max=20_000,
        queue_bytes_max=64 * 1024 * 1024,
        inflight_max=512,
        unsent_max_bytes=1024 * 1024,
    )
