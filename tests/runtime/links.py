"""A broker, certificates and running links for the tests of `runtime.mqtt_link`.

Every wait has a deadline, and a fault of a link's `run` fails the test at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from runtime.log import get_log
from runtime.mqtt_link import MqttLink
from runtime.mqtt_types import Connected, Disconnected, Event, LinkSettings, Message, Will
from tests.broker import Broker
from tests.pki import Identity, Pki

WAIT_S = 10.0
KEEPALIVE_S = 2.0

T = TypeVar("T")
E = TypeVar("E", bound=Event)


def run(test: Coroutine[Any, Any, T], timeout_s: float = 60.0) -> T:
    """One test in its own loop."""
    return asyncio.run(asyncio.wait_for(test, timeout_s))


async def until(holds: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> None:
    """Let the loop run until `holds`; there is no event to wait for where this is used."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    while not holds():
        assert loop.time() < deadline_s, f"not within {timeout_s} s: {what}"
        await asyncio.sleep(0.002)


@dataclass(frozen=True)
class World:
    """What the tests of one module share."""

    pki: Pki
    broker: Broker
    identities: dict[str, Identity] = field(default_factory=dict)

    def settings(self, name: str, **changes: Any) -> LinkSettings:
        """Of client `name`, with short times; any field may be changed."""
        identity = self.identities.get(name)
        if identity is None:
            identity = self.identities[name] = self.pki.client(name)
        values: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.broker.port,
            "client_id": name,
            "ca_file": self.pki.ca_file,
            "cert_file": identity.cert_file,
            "key_file": identity.key_file,
            "keepalive_s": KEEPALIVE_S,
            "connect_timeout_s": 5.0,
            "tcp_user_timeout_s": 3.0,
            "backoff_base_s": 0.05,
            "backoff_cap_s": 0.5,
            "handshake_interval_s": 0.0,
        }
        return LinkSettings(**(values | changes))

    def peer(
        self,
        name: str,
        *topics: str,
        make_will: Callable[[int], Will | None] | None = None,
        check_peer: Callable[[bytes], None] | None = None,
        own_topics: Sequence[str] = (),
        qos: int = 1,
        **changes: Any,
    ) -> Peer:
        """A link of client `name`, subscribed to `topics`; run it with `async with`."""
        subscriptions = [(topic, qos) for topic in topics]
        settings = self.settings(name, **changes)
        return Peer(settings, subscriptions, make_will, check_peer, own_topics)


class Peer:
    """A running link whose events are taken by the test, one at a time."""

    def __init__(
        self,
        settings: LinkSettings,
        subscriptions: Sequence[tuple[str, int]] = (),
        make_will: Callable[[int], Will | None] | None = None,
        check_peer: Callable[[bytes], None] | None = None,
        own_topics: Sequence[str] = (),
    ) -> None:
        self.link = MqttLink(
            settings,
            subscriptions=subscriptions,
            rng=random.Random(7),
            log=get_log("link"),
            make_will=make_will,
            check_peer=check_peer,
            own_topics=own_topics,
        )
        self._events = self.link.events()
        self._seen: list[Event] = []

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.link.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def next(self, kind: type[E], timeout_s: float = WAIT_S) -> E:
        """The next event of `kind`; others before it are passed over."""
        async with asyncio.timeout(timeout_s):
            while True:
                event = await anext(self._events)
                if isinstance(event, kind):
                    return event

    async def connected(self, timeout_s: float = WAIT_S) -> Connected:
        return await self.next(Connected, timeout_s)

    async def disconnected(self, timeout_s: float = WAIT_S) -> Disconnected:
        return await self.next(Disconnected, timeout_s)

    async def message(self, timeout_s: float = WAIT_S) -> Message:
        return await self.next(Message, timeout_s)

    async def messages(self, count: int, timeout_s: float = WAIT_S) -> list[Message]:
        """The next `count`, each released."""
        found: list[Message] = []
        async with asyncio.timeout(timeout_s):
            while len(found) < count:
                found.append(await self.message(timeout_s))
                self.link.puback(found[-1])
        return found


def make_world(folder: Path, **broker: Any) -> World:
    """Certificates and a running broker in `folder`; stop it with `broker.kill()`."""
    pki = Pki(folder / "pki")
    return World(pki, Broker(folder / "broker", pki, **broker).start())
