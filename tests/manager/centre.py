"""A centre that answers requests as a test tells it to: real link, real seals, no decisions."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from manager.settings import BrokerSettings, KeysSettings, ManagerSettings
from protocol import envelope, topics
from protocol.envelope import Kind
from protocol.keys import SealKey, VerifyKey
from protocol.request import Common, Reply, decode_request, encode
from runtime.key_files import enrolment_of, load_certificate, load_private
from runtime.log import get_log
from runtime.mqtt_link import MqttLink
from runtime.mqtt_types import Connected, LinkSettings, Message
from tests.authority.fleet import FLEET, Fleet, real_now_ms
from tests.broker import Broker

MANAGER = "d07-shell"


def manager_settings(keys: Path, port: int) -> ManagerSettings:
    broker = BrokerSettings(port=port, backoff_cap_s=0.1, handshake_interval_s=0.05)
    return ManagerSettings(fleet=FLEET, name=MANAGER, broker=broker, keys=KeysSettings(folder=keys))


@dataclass
class Centre:
    """What came, and how replies are made; `answer` gives the messages to publish."""

    link: MqttLink
    dispatch: SealKey
    enrolment: bytes
    manager_key: VerifyKey
    answer: Callable[[Centre, Common, int], list[bytes]]
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    connected: asyncio.Event = field(default_factory=asyncio.Event)

    def reply(self, asked: Common, **fields: str) -> Reply:
        verb = self.seen[-1][0].rsplit("/", 1)[1]
        text = {"outcome": "done", **fields}
        return Reply.model_validate(
            {"request_id": asked.request_id, "verb": verb, "time_ms": real_now_ms(), **text}
        )

    def sealed(
        self, reply: Reply, key: SealKey | None = None, enrolment: bytes | None = None
    ) -> bytes:
        topic = topics.reply(FLEET, MANAGER)
        bound = self.enrolment if enrolment is None else enrolment
        return envelope.seal(Kind.REPLY, topic, bound, encode(reply), key or self.dispatch)

    async def run(self) -> None:
        async for event in self.link.events():
            if isinstance(event, Connected):
                self.connected.set()
            if isinstance(event, Message):
                self._take(event)
                self.link.puback(event)

    def _take(self, message: Message) -> None:
        opened = envelope.open_sealed(
            message.payload,
            kinds=frozenset({Kind.REQUEST}),
            bound_to=message.topic,
            enrolment=self.enrolment,
            key_for=lambda _kind, kid: self.manager_key if kid == self.manager_key.kid else None,
        )
        self.seen.append((message.topic, message.payload))
        asked = decode_request(opened.payload)
        for made in self.answer(self, asked, len(self.seen)):
            self.link.publish(topics.reply(FLEET, MANAGER), made, qos=1)


def says_done(centre: Centre, asked: Common, _count: int) -> list[bytes]:
    return [centre.sealed(centre.reply(asked, incident="17"))]


@contextlib.asynccontextmanager
async def centre_at(
    fleet: Fleet, broker: Broker, keys: Path, answer: Callable[[Centre, Common, int], list[bytes]]
) -> AsyncIterator[Centre]:
    """A connected centre of `fleet` for the manager whose keys are in `keys`."""
    folder = fleet.centre
    settings = LinkSettings(
        host="localhost",
        port=broker.port,
        client_id=f"{FLEET}.matcher",
        ca_file=folder / "root.pem",
        cert_file=folder / "tls.pem",
        key_file=folder / "tls.key",
        backoff_cap_s=0.1,
        handshake_interval_s=0.05,
    )
    link = MqttLink(
        settings,
        subscriptions=((topics.all_requests(FLEET), 1),),
        rng=random.Random(1),
        log=get_log("centre"),
    )
    centre = Centre(
        link,
        SealKey(load_private(folder / "dispatch.key")),
        enrolment_of(load_certificate(keys / "tls.pem")),
        SealKey(load_private(keys / "seal.key")).verify_key,
        answer,
    )
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(link.run()), tasks.create_task(centre.run())]
        await centre.connected.wait()
        yield centre
        for task in running:
            task.cancel()
