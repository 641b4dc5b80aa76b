"""A real MQTT client with a valid certificate and bad intentions; shares no code with the link.

What it may say and hear is what the test grants it in the broker's access list (`World.grant`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.rim.daemon import DEADLINE_S, Waiter


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as the broker delivered it."""

    topic: str
    payload: bytes
    retained: bool


class Stranger:
    """`heard` is everything that came on what it subscribed to, in order."""

    def __init__(self, keys: Path, common_name: str, port: int) -> None:
        self.heard: list[Heard] = []
        self._waiter = Waiter()
        self._subscribed = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=common_name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.tls_set(
            str(keys / "root.pem"), certfile=str(keys / "tls.pem"), keyfile=str(keys / "tls.key")
        )
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        self._client.connect("127.0.0.1", port, keepalive=10)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def listen(self, *filters: str) -> None:
        """Subscribe; back once the broker has said so."""
        wanted = self._subscribed + 1
        self._client.subscribe([(one, SubscribeOptions(qos=1)) for one in filters])
        self._waiter.wait(lambda: self._subscribed >= wanted, DEADLINE_S, lambda: "SUBACK")

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1; back once the broker has it."""
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        sent.wait_for_publish(DEADLINE_S)
        assert sent.is_published(), f"no PUBACK for {topic}"

    def first(self, topic: str, since: int = 0) -> bytes:
        """The payload of the first message on `topic` after the first `since` heard."""

        def find() -> Heard | None:
            return next((one for one in self.heard[since:] if one.topic == topic), None)

        return self._waiter.wait(find, DEADLINE_S, lambda: f"nothing heard on {topic}").payload

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append(Heard(message.topic, bytes(message.payload), message.retain))
        self._waiter.notify()

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _data: object,
        _mid: int,
        _codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._subscribed += 1
        self._waiter.notify()
