"""Hands waiting messages to one connection: as many as leave soon, in the queue's order.

Invariants: QoS 1 messages without PUBACK never exceed what the broker allows, a few places being
kept for urgent ones; a message that is not urgent stays in our queue, where a newer one can take
its place, until the kernel has room. Used by `runtime.mqtt_connection`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self

from paho.mqtt.client import MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from runtime.mqtt_types import PACKET_BYTES_MAX, LinkCounters, LinkSettings
from runtime.mqtt_wire import ERROR_FROM, TopicAliases, publish_properties, reason_text
from runtime.send_gate import SendGate, Throughput
from runtime.send_queue import Outgoing, SendQueue

_BURST_MAX: Final = 128  # messages in one turn of the loop
_URGENT_PLACES_MAX: Final = 4
_LARGE_BYTES: Final = 1024
_WINDOW_MAX: Final = 65_535  # MQTT 5: the receive maximum where the CONNACK names none
_PACKET_HEAD_BYTES: Final = 12


class Publisher(Protocol):
    """paho's `Client`, as far as it is needed here."""

    def publish(
        self, topic: str, payload: bytes, qos: int, retain: bool, properties: Properties | None
    ) -> MQTTMessageInfo: ...


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """What the CONNACK allowed."""

    receive_maximum: int
    alias_max: int
    packet_bytes_max: int

    @classmethod
    def of(cls, said: Mapping[str, int], settings: LinkSettings) -> Self:
        """From the CONNACK's properties, within our own limits."""
        return cls(
            min(settings.inflight_max, said.get("ReceiveMaximum", _WINDOW_MAX)),
            said.get("TopicAliasMaximum", 0),
            min(PACKET_BYTES_MAX, said.get("MaximumPacketSize", PACKET_BYTES_MAX)),
        )


@dataclass(frozen=True, slots=True)
class _Inflight:
    topic: str
    size_bytes: int
    ahead_bytes: int  # unsent when it was handed over
    handed_s: float


class Sender:
    """Owns the queue's way out. `flush` empties our buffer into the kernel, `unsent` measures."""

    def __init__(
        self,
        settings: LinkSettings,
        client: Publisher,
        limits: BrokerLimits,
        counters: LinkCounters,
    ) -> None:
        self.limits, self.throughput = limits, Throughput()
        self.queue = SendQueue(settings.queue_max, settings.queue_bytes_max, counters.dropped)
        self._client, self._counters = client, counters
        self._aliases = TopicAliases(limits.alias_max)
        self._gate = SendGate(settings.unsent_max_bytes)
        self._inflight: dict[int, _Inflight] = {}
        self._urgent_places = min(_URGENT_PLACES_MAX, limits.receive_maximum // 4)

    @property
    def inflight(self) -> int:
        return len(self._inflight)

    def pump(
        self, now_s: float, flush: Callable[[], bool], unsent: Callable[[], int]
    ) -> float | None:
        """Hand over what may go; returns when to come again (seconds), None: when woken."""
        for _ in range(_BURST_MAX):
            if not self.queue:
                return None
            if not self._gate.is_open:
                flush()
                self._gate.measured(now_s, unsent())
            message = self._next(now_s)
            if message is None:
                return None if self._gate.is_open else self._gate.poll_s(now_s)
            self._hand_over(message, now_s, unsent)
        return 0.0

    def acknowledged(self, mid: int, reason: ReasonCode, now_s: float) -> str | None:
        """A PUBACK came. Returns the topic and reason where the broker refused the message."""
        sent = self._inflight.pop(mid, None)
        self._counters.acknowledged += 1
        if sent is None:
            return None
        self.throughput.acknowledged(sent.size_bytes, sent.ahead_bytes, now_s - sent.handed_s)
        if reason.value < ERROR_FROM:
            return None
        return f"{sent.topic}: {reason_text(reason)}"

    def _next(self, now_s: float) -> Outgoing | None:
        places = self.limits.receive_maximum - len(self._inflight)
        return self.queue.pop(
            now_s,
            qos1=places > self._urgent_places,
            urgent_qos1=places > 0,
            urgent_only=not self._gate.is_open,
        )

    def _hand_over(self, message: Outgoing, now_s: float, unsent: Callable[[], int]) -> None:
        name, alias = self._aliases.name(message.topic)
        expiry_s = None
        if message.expires_s is not None:
            expiry_s = max(1, math.ceil(message.expires_s - now_s))
        size_bytes = len(name) + len(message.payload) + _PACKET_HEAD_BYTES
        ahead_bytes = unsent() if message.qos and size_bytes >= _LARGE_BYTES else 0
        mid = self._publish(name, message, publish_properties(alias, expiry_s))
        self._gate.wrote(size_bytes)
        self._counters.published += 1
        if message.qos:
            self._inflight[mid] = _Inflight(message.topic, size_bytes, ahead_bytes, now_s)

    def _publish(self, name: str, message: Outgoing, properties: Properties | None) -> int:
        """Its packet identifier; those still in flight are stepped over (paho counts on)."""
        for _ in range(self.limits.receive_maximum + 1):
            info = self._client.publish(
                name, message.payload, message.qos, message.retain, properties
            )
            if not info.rc:
                return info.mid
            if info.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                break
        raise RuntimeError(f"paho did not take a message for {message.topic}: {info.rc!r}")
