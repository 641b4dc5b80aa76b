"""The one way to the broker: connects, mends, sends in order of urgency, hands events to one task.

No session anywhere (clean start): "the broker forgot everything" is the ordinary case. A PUBACK
means nothing. Wire: MQTT 5 over TLS 1.3 with client certificate; a new paho client and freshly read
certificates for each connection.

The link drops nothing silently: `publish` answers False when there is no connection or no room,
and what is queued or without PUBACK at a disconnect is forgotten, which `Disconnected` says; the
layers above repeat by their own rules. `publish` is open from the moment the consumer has taken
`Connected` until the connection breaks, so nothing of one connection reaches the next by mistake.

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.run())
        async for event in link.events(): ...
"""

import asyncio
import random
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from logging import INFO
from typing import Final, NoReturn

from runtime.backoff import Backoff
from runtime.log import Log
from runtime.mqtt_change import Change, say_goodbye
from runtime.mqtt_connection import MqttConnection
from runtime.mqtt_inbox import Inbox
from runtime.mqtt_tls import Credentials, client_context, open_tls
from runtime.mqtt_types import (
    Connected,
    ConnectFailed,
    ConnectionEnded,
    Disconnected,
    Event,
    LinkCounters,
    LinkReason,
    LinkSettings,
    Message,
    Will,
)
from runtime.mqtt_wire import subscription_list
from runtime.resolver import Resolver
from runtime.send_queue import Lane, Outgoing, SendQueue

_PACKET_HEAD_BYTES: Final = 32
_BAD_TOPIC: Final = re.compile("[+#\0]")
_TOPIC_BYTES_MAX: Final = 65_535


class MqttLink:
    """Owns the connection. `run` and `events` each belong to one task of one loop."""

    def __init__(
        self,
        settings: LinkSettings,
        *,
        subscriptions: Sequence[tuple[str, int]],
        rng: random.Random,
        log: Log,
        make_will: Callable[[int], Will | None] | None = None,
        check_peer: Callable[[bytes], None] | None = None,
        own_topics: Sequence[str] = (),
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        """`make_will` is asked before each CONNECT with the connection's number; `check_peer` gets
        the server's certificate (DER) after each handshake and may raise PeerRefused; `own_topics`
        are read too, without what we say there ourselves; `on_refused` gets the topic and reason
        of a message that the broker refused."""
        self.counters = LinkCounters()
        self._subscriptions = subscription_list(subscriptions, own_topics)
        self._make_will, self._check_peer, self._log = make_will, check_peer, log
        self._tell_refused = on_refused or (lambda _refusal: None)
        self._rng, self._change = rng, Change()
        self._use(settings)
        self._inbox = Inbox(settings.inbox_max, self._on_room, self._on_taken)
        self._connection: MqttConnection | None = None
        self._queue: SendQueue | None = None
        self._number, self._taken = 0, 0  # of the newest connection; of the one its consumer knows
        self._stage = (LinkReason.TIMEOUT, "")

    # --- for the tasks ---------------------------------------------------------------------------

    async def run(self) -> NoReturn:
        """Keep the connection until cancelled, then say DISCONNECT within a second.

        Raises only our own faults: ConfigFault when certificates cannot be read at the start, or
        what a callback raised.
        """
        fault: BaseException | None = None
        try:
            while True:
                delay_s = await self._one_connection()
                await self._change.pause(delay_s)
        except Exception as cause:
            fault = cause
            raise
        finally:
            self._inbox.close(fault)

    def events(self) -> AsyncIterator[Event]:
        """Connected, Disconnected, ConnectFailed and Message in their order; ends with `run`.

        Raises what ended `run`. Waiting for the next may be cancelled; nothing is lost by it.
        """
        return self._inbox

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: float | None = None,
        lane: Lane = Lane.NORMAL,
        key: str | None = None,
    ) -> bool:
        """Queue one message; False (and counted) when there is no connection or no room.

        `key` names the slot in `Lane.LATEST`, by default the topic. `expiry_s` counts from now, in
        our queue and in the broker. Raises ValueError for a topic or QoS that MQTT has not.
        """
        if qos not in {0, 1} or not topic or _BAD_TOPIC.search(topic):
            raise ValueError(f"cannot publish to {topic!r} with QoS {qos}")
        connection, queue = self._connection, self._queue
        if connection is None or queue is None or not self.is_connected:
            return self._dropped("not connected")
        size_bytes = len(topic.encode()) + len(payload) + _PACKET_HEAD_BYTES
        if size_bytes > connection.packet_bytes_max or len(topic.encode()) > _TOPIC_BYTES_MAX:
            return self._dropped("too large")
        expires_s = None if expiry_s is None else asyncio.get_running_loop().time() + expiry_s
        if not queue.put(Outgoing(topic, payload, qos, retain, expires_s), lane, key or topic):
            return self._dropped("queue full")
        connection.schedule()
        return True

    def puback(self, message: Message) -> None:
        """Release a QoS 1 message to the broker; call it in the order of arrival.

        Nothing for QoS 0, and for a message of an earlier connection.
        """
        connection = self._connection
        if connection is None or connection.number != message.connection:
            return
        if message.qos and connection.is_open:
            connection.puback(message.mid)

    def reconnect(self, settings: LinkSettings | None = None) -> None:
        """End this connection politely, make the next at once: certificate files are read again,
        `settings` hold where given. Raises ConfigFault for files that cannot be used."""
        if settings is not None:
            client_context(settings)
        self._change.ask(settings)

    # --- what a caller may know ------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether `publish` is open."""
        connection = self._connection
        return connection is not None and connection.is_open and connection.number == self._taken

    @property
    def bytes_unsent(self) -> int:
        """Bytes given to the kernel that the other side has not acknowledged."""
        return 0 if self._connection is None else self._connection.bytes_unsent

    @property
    def bytes_queued(self) -> int:
        """Bytes that still wait in our own queue."""
        return 0 if self._queue is None else self._queue.bytes_waiting

    @property
    def throughput_bytes_per_s(self) -> float | None:
        """Measured from PUBACKs of this connection; None: nothing measured yet, start small."""
        return None if self._connection is None else self._connection.throughput_bytes_per_s

    @property
    def inbox_messages(self) -> int:
        """Messages received and not yet taken by the consumer."""
        return self._inbox.messages_waiting

    # --- one connection after the other ----------------------------------------------------------

    async def _one_connection(self) -> float:
        """Until it is over; returns the delay before the next."""
        loop = asyncio.get_running_loop()
        if (wanted := self._change.take()) is not None:
            self._use(wanted)
        context = self._credentials.context()
        try:
            connection = await self._connect(context)
        except ConnectionEnded as ended:
            return self._failed(ended)
        self._backoff.connected(loop.time())
        try:
            await self._change.until_over(connection, self._settings.address, self._log)
        except ConnectionEnded as ended:
            return self._ended(connection, ended)
        except asyncio.CancelledError:
            await say_goodbye(connection, self._settings.address, self._log)
            raise
        finally:
            self._forget(connection)
        raise AssertionError("a connection ends with its reason")

    def _use(self, settings: LinkSettings) -> None:
        base_s, interval_s = settings.backoff_base_s, settings.handshake_interval_s
        self._settings = settings
        self._backoff = Backoff(base_s, settings.backoff_cap_s, interval_s, self._rng)
        self._resolver = Resolver(settings.host, settings.port)
        self._credentials = Credentials(settings, self._log)

    async def _connect(self, context: ssl.SSLContext) -> MqttConnection:
        settings = self._settings
        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                tls, certificate = await open_tls(
                    settings, context, self._resolver, check_peer=self._check_peer,
                    stage=self._set_stage, on_handshake=self._on_handshake,
                )  # fmt: skip
                return await self._establish(tls, certificate)
        except TimeoutError as cause:
            raise ConnectionEnded(settings.address, *self._stage) from cause

    async def _establish(self, tls: ssl.SSLSocket, certificate: bytes) -> MqttConnection:
        self._set_stage(LinkReason.TIMEOUT, "no CONNACK or SUBACK")
        self._number += 1
        connection = MqttConnection(
            self._number, tls, self._settings, self.counters, self._deliver, self._on_refused
        )
        self._connection = connection
        self._inbox.hold()
        try:
            will = None if self._make_will is None else self._make_will(self._number)
            self._queue = await connection.establish(will, self._subscriptions)
        except BaseException:
            connection.abort()
            self._connection = None
            self._inbox.forget_held()
            raise
        self.counters.connects += 1
        self._log.limited("mqtt_connected", level=INFO, broker=self._settings.address)
        self._inbox.admit(Connected(connection.number, certificate))
        return connection

    def _set_stage(self, reason: LinkReason, detail: str) -> None:
        self._stage = (reason, detail)

    def _on_handshake(self) -> None:
        self.counters.handshakes += 1
        self._backoff.started(asyncio.get_running_loop().time())

    def _failed(self, ended: ConnectionEnded) -> float:
        delay_s = self._backoff.delay_s(asyncio.get_running_loop().time())
        self.counters.connects_failed[ended.reason] += 1
        self._log.limited("mqtt_connect_failed", str(ended), broker=ended.place)
        attempt = self._backoff.failures
        self._inbox.put(ConnectFailed(attempt, ended.reason, str(ended), delay_s))
        return delay_s

    def _ended(self, connection: MqttConnection, ended: ConnectionEnded) -> float:
        self.counters.disconnects[ended.reason] += 1
        self._log.limited("mqtt_disconnected", str(ended), broker=ended.place)
        self._inbox.put(Disconnected(connection.number, ended.reason, str(ended)))
        now_s, is_twin = asyncio.get_running_loop().time(), ended.reason is LinkReason.TAKEN_OVER
        return self._backoff.delay_s(now_s, taken_over=is_twin)

    def _forget(self, connection: MqttConnection) -> None:
        connection.abort()
        waiting = 0 if self._queue is None else len(self._queue)
        self.counters.dropped["connection lost"] += waiting + connection.inflight
        self._connection = self._queue = None

    # --- callbacks -------------------------------------------------------------------------------

    def _deliver(self, message: Message) -> None:
        if not self._inbox.put_message(message):
            self.counters.dropped["before SUBACK"] += 1
        if self._inbox.is_full and self._connection is not None:
            self._connection.pause()

    def _on_room(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    def _on_taken(self, event: Event) -> None:
        if isinstance(event, Connected):
            self._taken = event.connection

    def _on_refused(self, refusal: str) -> None:
        self.counters.dropped["refused by the broker"] += 1
        self._log.limited("mqtt_publish_refused", refusal)
        self._tell_refused(refusal)

    def _dropped(self, reason: str) -> bool:
        self.counters.dropped[reason] += 1
        return False
