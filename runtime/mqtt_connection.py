"""One connection to the broker, from CONNECT to its end: paho, driven by our transport.

paho's own timer (`loop_misc`) is not used: `runtime.liveness` sees a dead link sooner, and knows
"not reading" from "dead". What goes wrong is raised by `ended`: ConnectionEnded is the peer's or
the network's fault, anything else is ours. Used by `runtime.mqtt_link`.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from runtime.mqtt_sender import BrokerLimits, Sender
from runtime.mqtt_transport import Transport, TransportHooks
from runtime.mqtt_types import (
    PACKET_BYTES_MAX,
    ConnectionEnded,
    LinkCounters,
    LinkReason,
    LinkSettings,
    Message,
    Will,
)
from runtime.mqtt_wire import (
    ERROR_FROM,
    SESSION_TAKEN_OVER,
    PacedClient,
    Subscription,
    connect_properties,
    property_values,
    reason_text,
    why_lost,
    will_properties,
)
from runtime.send_queue import SendQueue

_DRAIN_S: Final = 0.5


class MqttConnection:
    """`deliver` takes each message; `refused` a line for each message that the broker refused."""

    def __init__(
        self,
        number: int,
        tls: ssl.SSLSocket,
        settings: LinkSettings,
        counters: LinkCounters,
        deliver: Callable[[Message], None],
        refused: Callable[[str], None],
    ) -> None:
        self.number, self._settings, self._counters = number, settings, counters
        self._deliver, self._refused = deliver, refused
        hooks = TransportHooks(self._read, self._take_turn, self._silent, self._lost)
        self._transport = Transport(tls, settings.keepalive_s, counters, hooks)
        self._client = PacedClient(settings.client_id, self._transport.socket, self._on_puback)
        loop = asyncio.get_running_loop()
        self._now_s = loop.time
        self._connack: asyncio.Future[tuple[ReasonCode, Properties | None]] = loop.create_future()
        self._suback: asyncio.Future[list[ReasonCode]] = loop.create_future()
        self._sender: Sender | None = None
        self._fault: Exception | None = None  # of our own code, inside a callback of paho
        self._goodbye: ConnectionEnded | None = None  # the broker's DISCONNECT
        self._drained: asyncio.Future[None] | None = None

    # --- life ------------------------------------------------------------------------------------

    async def establish(
        self, will: Will | None, subscriptions: Sequence[Subscription]
    ) -> SendQueue:
        """CONNECT, then SUBSCRIBE; the queue that it sends from. Raises ConnectionEnded."""
        self._set_callbacks()
        if will is not None:
            self._client.will_set(
                will.topic, will.payload, will.qos, will.retain, will_properties(will)
            )
        started_s = self._now_s()
        self._transport.start()
        self._client.connect(
            self._settings.host,
            self._settings.port,
            keepalive=int(self._settings.keepalive_s),
            clean_start=True,
            properties=connect_properties(self._settings),
        )
        self._flush()
        reason, properties = await self._transport.first(self._connack)
        if reason.value >= ERROR_FROM:
            raise self._over(LinkReason.REFUSED, reason_text(reason))
        round_trip_s = self._now_s() - started_s
        await self._subscribe(subscriptions)
        return self._open(properties, round_trip_s)

    async def ended(self) -> None:
        """Wait for the end, which it raises."""
        await asyncio.shield(self._transport.ended)

    def abort(self) -> None:
        """Close at once, if it is not over yet."""
        self._transport.end(self._over(LinkReason.LOST, "closed by us"))

    async def close(self) -> None:
        """Send what leaves within half a second, then DISCONNECT, so that no will is sent.

        The caller limits the time; cancelled or not, the socket is closed afterwards.
        """
        try:
            if self._sender is not None and self._sender.queue:
                self._drained = asyncio.get_running_loop().create_future()
                either = (self._drained, self._transport.ended)
                await asyncio.wait(either, timeout=_DRAIN_S, return_when=asyncio.FIRST_COMPLETED)
            if self.is_open:
                self._client.disconnect()
                self._client.loop_write()
                await self._transport.finish()
        except (ConnectionEnded, OSError):
            return  # gone already: nobody to say goodbye to
        finally:
            self.abort()

    # --- what the link asks ----------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return not self._transport.ended.done()

    @property
    def bytes_unsent(self) -> int:
        return self._transport.socket.unsent_bytes() if self.is_open else 0

    @property
    def throughput_bytes_per_s(self) -> float | None:
        return None if self._sender is None else self._sender.throughput.bytes_per_s

    @property
    def packet_bytes_max(self) -> int:
        return PACKET_BYTES_MAX if self._sender is None else self._sender.limits.packet_bytes_max

    @property
    def inflight(self) -> int:
        """QoS 1 messages without PUBACK."""
        return 0 if self._sender is None else self._sender.inflight

    def schedule(self) -> None:
        """Something waits in the queue: send it when the loop comes round."""
        self._transport.schedule()

    def puback(self, mid: int) -> None:
        """Release one QoS 1 message to the broker."""
        self._client.ack(mid, 1)
        self._transport.schedule()

    def pause(self) -> None:
        self._transport.pause()

    def resume(self) -> None:
        self._transport.resume()

    # --- connecting ------------------------------------------------------------------------------

    def _set_callbacks(self) -> None:
        client = self._client
        client.on_connect, client.on_subscribe = self._on_connack, self._on_suback
        client.on_message, client.on_disconnect = self._on_message, self._on_disconnect
        client.on_socket_register_write = self._on_wants_write

    async def _subscribe(self, subscriptions: Sequence[Subscription]) -> None:
        if not subscriptions:
            return
        self._client.subscribe(list(subscriptions))
        self._flush()
        answers = await self._transport.first(self._suback)
        if len(answers) != len(subscriptions):
            raise self._over(LinkReason.PROTOCOL, "a SUBACK of another length")
        for (topic, _), answer in zip(subscriptions, answers, strict=True):
            if answer.value >= ERROR_FROM:
                raise self._over(LinkReason.SUBSCRIPTION, f"{topic}: {reason_text(answer)}")

    def _open(self, properties: Properties | None, round_trip_s: float) -> SendQueue:
        said = property_values(properties)
        limits = BrokerLimits.of(said, self._settings)
        self._sender = Sender(self._settings, self._client, limits, self._counters)
        self._sender.throughput.acknowledged(0, 0, round_trip_s)
        self._transport.keep_alive(said.get("ServerKeepAlive", self._settings.keepalive_s))
        return self._sender.queue

    # --- the transport's hooks -------------------------------------------------------------------

    def _read(self) -> None:
        transport, client = self._transport, self._client
        while transport.socket.has_input and not transport.is_paused:
            failed = client.loop_read()
            if self._fault is not None:
                raise self._fault
            if failed or transport.socket.is_closed_by_paho:
                transport.end(self._lost())
                return
        if client.want_write() or (self._sender is not None and self._sender.queue):
            transport.schedule()

    def _take_turn(self) -> float | None:
        again_s = None
        if self._sender is not None:
            again_s = self._sender.pump(
                self._now_s(), self._flush, self._transport.socket.unsent_bytes
            )
            if self._drained is not None and not self._sender.queue and not self._drained.done():
                self._drained.set_result(None)
        return again_s if self._flush() else None

    def _flush(self) -> bool:
        if self._client.want_write():
            self._client.loop_write()
        return self._transport.flush()

    def _silent(self) -> ConnectionEnded:
        return self._over(LinkReason.SILENT, "no answer to a ping")

    def _lost(self) -> ConnectionEnded:
        """What paho, the socket and the broker's last words add up to."""
        sock = self._transport.socket
        if self._goodbye is not None:
            return self._goodbye
        if sock.too_large is not None:
            return self._over(LinkReason.PROTOCOL, f"a packet of {sock.too_large} bytes")
        return self._over(*why_lost(sock.error, in_handshake=not self._connack.done()))

    def _over(self, reason: LinkReason, detail: str) -> ConnectionEnded:
        return ConnectionEnded(self._settings.address, reason, detail)

    # --- paho's callbacks ------------------------------------------------------------------------

    def _on_wants_write(self, _client: Client, _userdata: object, _socket: object) -> None:
        """Set so that paho does not write from inside `publish`: our turn does, many at once."""

    def _on_connack(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if not self._connack.done():
            self._connack.set_result((reason, properties))

    def _on_suback(
        self,
        _client: Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if not self._suback.done():
            self._suback.set_result(reasons)

    def _on_message(self, client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._counters.received += 1
        mid, qos, retain = message.mid, message.qos, message.retain
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._counters.dropped["topic is not UTF-8"] += 1
            client.ack(mid, qos)
            return
        try:
            payload = bytes(message.payload)
            self._deliver(Message(topic, payload, qos, retain, message.dup, mid, self.number))
        except Exception as fault:  # noqa: BLE001 - raised by `_read`
            self._fault = fault

    def _on_puback(self, mid: int, reason: ReasonCode) -> None:
        if self._sender is None:
            return
        try:
            refusal = self._sender.acknowledged(mid, reason, self._now_s())
            if refusal is not None:
                self._refused(refusal)
        except Exception as fault:  # noqa: BLE001 - raised by `_read`
            self._fault = fault

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            is_twin = reason.value == SESSION_TAKEN_OVER
            kind = LinkReason.TAKEN_OVER if is_twin else LinkReason.CLOSED
            self._goodbye = self._over(kind, reason_text(reason))
