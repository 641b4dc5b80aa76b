"""Parts of MQTT 5 packets that paho makes slowly or not at all, and the client with two hooks.

PUBLISH properties are packed here by hand (3.3.2.3: expiry 0x02, topic alias 0x23), since paho's
`Properties` costs more than the rest of a publication. Used by `runtime.mqtt_connection`.
"""

import errno
import os
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, cast

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from runtime.mqtt_socket import MqttSocket
from runtime.mqtt_types import PACKET_BYTES_MAX, LinkReason, LinkSettings, Will

if TYPE_CHECKING:
    from paho.mqtt.client import SocketLike

NOT_AUTHORISED: Final = 0x87
SESSION_TAKEN_OVER: Final = 0x8E
ERROR_FROM: Final = 0x80  # reason codes from here on are failures
Subscription = tuple[str, SubscribeOptions]

_SILENT: Final = (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH)
_EXPIRY: Final = struct.Struct("!BI")
_ALIAS: Final = struct.Struct("!BH")
_EXPIRY_S_MAX: Final = 0xFFFF_FFFF


class PacedClient(Client):
    """paho on a socket that is open already; tells each PUBACK, and nothing for QoS 0."""

    def __init__(
        self, client_id: str, ready: MqttSocket, on_puback: Callable[[int, ReasonCode], None]
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._ready, self._on_puback = ready, on_puback
        self.max_inflight_messages_set(0)  # we count; paho must neither queue nor look for more

    def _create_socket(self) -> "SocketLike":
        return self._ready

    def _do_on_publish(
        self, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> MQTTErrorCode:
        self._on_puback(mid, reason_code)
        return super()._do_on_publish(mid, reason_code, properties)


class PackedProperties:
    """What paho asks of PUBLISH properties: `pack`."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def pack(self) -> bytes:
        return self._packed


def publish_properties(alias: int, expiry_s: int | None) -> Properties | None:
    """`alias` 0: none."""
    if not alias and expiry_s is None:
        return None
    body = b"" if expiry_s is None else _EXPIRY.pack(0x02, min(expiry_s, _EXPIRY_S_MAX))
    if alias:
        body += _ALIAS.pack(0x23, alias)
    return cast("Properties", PackedProperties(bytes((len(body),)) + body))


class TopicAliases:
    """Gives the first topics of a connection a number each; later the number stands for the name.

    A terminal has three topics, so all of them get one; of a centre's thousands the first do.
    """

    def __init__(self, alias_max: int) -> None:
        self._alias_max = alias_max
        self._aliases: dict[str, int] = {}

    def name(self, topic: str) -> tuple[str, int]:
        """What goes into the packet: (topic or nothing, alias or 0)."""
        alias = self._aliases.get(topic)
        if alias is not None:
            return "", alias
        if len(self._aliases) >= self._alias_max:
            return topic, 0
        self._aliases[topic] = alias = len(self._aliases) + 1
        return topic, alias


def connect_properties(settings: LinkSettings) -> Properties:
    """No session; bounds on what the broker may send us."""
    properties = _empty(PacketTypes.CONNECT)
    properties.ReceiveMaximum = settings.receive_maximum
    properties.MaximumPacketSize = PACKET_BYTES_MAX
    return properties


def subscription_list(
    subscriptions: Sequence[tuple[str, int]], own_topics: Sequence[str]
) -> list[Subscription]:
    """`own_topics` at QoS 0 and without what we publish there ourselves."""
    plain = [(topic, SubscribeOptions(qos=qos)) for topic, qos in subscriptions]
    return plain + [(topic, SubscribeOptions(qos=0, noLocal=True)) for topic in own_topics]


def will_properties(will: Will) -> Properties | None:
    """Delay and expiry, where asked for."""
    if not will.delay_s and will.expiry_s is None:
        return None
    properties = _empty(PacketTypes.WILLMESSAGE)
    if will.delay_s:
        properties.WillDelayInterval = will.delay_s
    if will.expiry_s is not None:
        properties.MessageExpiryInterval = will.expiry_s
    return properties


def _empty(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]  # paho leaves it untyped


def property_values(properties: Properties | None) -> dict[str, int]:
    """The numbers among the properties of a CONNACK, by name."""
    values = {} if properties is None else vars(properties)
    return {name: value for name, value in values.items() if isinstance(value, int)}


def reason_text(reason: ReasonCode) -> str:
    """`not authorised`, `server busy`, …"""
    if reason.value == NOT_AUTHORISED:
        return "not authorised"
    return f"{reason.getName().lower()} ({reason.value:#04x})"


def why(cause: OSError) -> str:
    """An error of socket or TLS in a few words."""
    if isinstance(cause, ssl.SSLEOFError):
        return "closed by the other side"
    if isinstance(cause, ssl.SSLError):
        return (cause.reason or str(cause)).lower().replace("_", " ")
    if cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno).lower()  # asyncio's own text hides the reason
    return cause.strerror or str(cause) or type(cause).__name__


def why_lost(error: OSError | None, *, in_handshake: bool) -> tuple[LinkReason, str]:
    """Reason and detail of an error of the socket; None: paho gave up on what it read.

    `in_handshake`: before the CONNACK. In TLS 1.3 the server's verdict on our certificate comes
    only with the first read after the handshake.
    """
    if error is None:
        return LinkReason.PROTOCOL, "a packet that cannot be read"
    if isinstance(error, ssl.SSLError) and in_handshake:
        return LinkReason.TLS_REFUSED, why(error)
    return LinkReason.SILENT if error.errno in _SILENT else LinkReason.LOST, why(error)
