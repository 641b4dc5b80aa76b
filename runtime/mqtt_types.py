"""What the MQTT link takes and gives: settings, will, events, reasons, counters. No I/O.

Used by `runtime.mqtt_link` and by whoever consumes its events. A `connection` is the number of a
CONNECT packet of this process, from 1: a will, a message and an event name the same one.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from runtime.faults import ConfigFault, LinkLost

PACKET_BYTES_MAX: Final = 256 * 1024  # a batch is at most 64 KiB; a broker that sends more is cut
_WINDOW_MAX: Final = 65_535  # MQTT 5, 3.3.2.3.3


class LinkReason(StrEnum):
    """Why there is no connection; the first words of each log line and the counters' keys."""

    NAME_NOT_FOUND = "name not found"
    UNREACHABLE = "broker unreachable"
    WRONG_CERTIFICATE = "wrong server certificate"
    PEER_REFUSED = "server certificate refused"
    TLS_REFUSED = "TLS refused"
    REFUSED = "refused by the broker"
    SUBSCRIPTION = "subscription refused"
    TIMEOUT = "connecting took too long"
    SILENT = "broker silent"
    LOST = "connection lost"
    TAKEN_OVER = "taken over by a twin"
    CLOSED = "closed by the broker"
    PROTOCOL = "broker broke the protocol"
    RENEWED = "closed by us, to connect anew"


class ConnectionEnded(LinkLost):
    """A connection that was not made, or is over; `reason` is the kind, the message says more."""

    def __init__(self, place: str, reason: LinkReason, value: str | None = None) -> None:
        super().__init__(place, reason.value, value)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.what}: {self.value}" if self.value else self.what


class PeerRefused(Exception):
    """Raised by a `check_peer` hook: the server's certificate holds for TLS, but not for us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Where the broker is, who we are, and every limit. Raises ConfigFault on a senseless value."""

    host: str
    port: int
    client_id: str
    ca_file: Path  # the one private root that is trusted
    cert_file: Path
    key_file: Path
    server_name: str = ""  # the name its certificate must carry, where it is not `host`
    keepalive_s: float = 10.0  # a dead link is seen within 1.5 of these
    connect_timeout_s: float = 10.0  # name, TCP, TLS, CONNACK and SUBACK together
    tcp_user_timeout_s: float = 15.0
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 30.0
    handshake_interval_s: float = 5.0  # between the starts of two TLS handshakes
    inbox_max: int = 256  # messages; then reading pauses
    queue_max: int = 2048  # messages; as many urgent ones again beside them
    queue_bytes_max: int = 4 * 1024 * 1024
    inflight_max: int = 64  # QoS 1 messages without PUBACK; the broker may want fewer
    unsent_max_bytes: int = 256 * 1024  # in the kernel, however fast the link is

    def __post_init__(self) -> None:
        if not 1 <= self.keepalive_s <= _WINDOW_MAX or self.keepalive_s != int(self.keepalive_s):
            raise ConfigFault(
                "keepalive_s", "is not a whole number of 1 to 65535", self.keepalive_s
            )
        for name in ("connect_timeout_s", "tcp_user_timeout_s", "backoff_base_s", "backoff_cap_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigFault(name, "is not a time above 0", value)
        for name in ("inbox_max", "queue_max", "queue_bytes_max", "inflight_max"):
            if getattr(self, name) < 1:
                raise ConfigFault(name, "is below 1", getattr(self, name))

    @property
    def address(self) -> str:
        """`host:port`, the place in every message about this link."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def receive_maximum(self) -> int:
        """QoS 1 messages that the broker may leave unacknowledged with us."""
        return min(self.inbox_max, _WINDOW_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker says for us when the connection breaks."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    delay_s: int = 0
    expiry_s: int | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """All subscriptions stand; from the moment this event is taken, `publish` is open."""

    connection: int
    peer_certificate: bytes  # DER


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is over. What was queued or without PUBACK is forgotten: say it again."""

    connection: int
    reason: LinkReason
    detail: str  # one line for people; begins with the reason


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """No connection was made; the link tries again. Several in a row show as the newest."""

    attempt: int  # since the last connection, from 1
    reason: LinkReason
    detail: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Message:
    """One PUBLISH from the broker; `MqttLink.puback` releases it (QoS 1)."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    duplicate: bool
    mid: int
    connection: int


Event = Connected | Disconnected | ConnectFailed | Message


@dataclass(slots=True)
class LinkCounters:
    """Counts since the start of the process, for metrics. Bytes are those of MQTT, without TLS."""

    handshakes: int = 0
    connects: int = 0
    connects_failed: Counter[str] = field(default_factory=Counter)  # by LinkReason
    disconnects: Counter[str] = field(default_factory=Counter)  # by LinkReason
    published: int = 0
    acknowledged: int = 0  # PUBACKs received
    received: int = 0
    dropped: Counter[str] = field(default_factory=Counter)  # by reason
    bytes_out: int = 0
    bytes_in: int = 0
    pauses: int = 0  # reading stopped because the inbox was full
