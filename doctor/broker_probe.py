"""A short visit to the broker: name, TCP, TLS, session, rights; then a clean goodbye.

With `may_connect` false it ends after TLS: a CONNECT under the same name would cut the session of
a running daemon. The link's own TLS (`runtime.mqtt_tls`) is used, so what holds here holds there.
"""

import asyncio
import select
import ssl
from collections.abc import Sequence
from typing import Final

from cryptography import x509

from doctor.core import mqtt_packets as packets
from doctor.core.broker import ERROR_FROM, Stage, Visit
from doctor.core.dates import Life
from runtime.key_files import dates_ms_of
from runtime.mqtt_tls import client_context, open_tls
from runtime.mqtt_types import ConnectionEnded, LinkReason, LinkSettings
from runtime.mqtt_wire import why
from runtime.resolver import Resolver

REACH_S: Final = 6.0
ANSWER_S: Final = 3.0
VERDICT_S: Final = 2.0
KEEPALIVE_S: Final = 30

_STAGE_OF: Final = {
    LinkReason.NAME_NOT_FOUND: Stage.NAME,
    LinkReason.UNREACHABLE: Stage.REACH,
    LinkReason.TIMEOUT: Stage.TLS,
    LinkReason.WRONG_CERTIFICATE: Stage.SERVER,
    LinkReason.TLS_REFUSED: Stage.TLS,
}


class _Ended(Exception):
    """The visit is over at `stage`."""

    def __init__(self, stage: Stage, detail: str, reason: int = 0) -> None:
        super().__init__(detail)
        self.stage, self.detail, self.reason = stage, detail, reason


async def visit(settings: LinkSettings, topics: Sequence[str], *, may_connect: bool) -> Visit:
    """`topics`: where this identity must be allowed to publish. Raises ConfigFault (our files)."""
    context = client_context(settings)
    stage = (LinkReason.TIMEOUT, "no answer")

    def note(reason: LinkReason, detail: str) -> None:
        nonlocal stage
        stage = (reason, detail)

    try:
        async with asyncio.timeout(REACH_S):
            tls, der = await open_tls(
                settings, context, Resolver(settings.host, settings.port),
                check_peer=None, stage=note, on_handshake=lambda: None,
            )  # fmt: skip
    except TimeoutError:
        return Visit(address=settings.address, stage=_STAGE_OF[stage[0]], detail=stage[1])
    except ConnectionEnded as ended:
        found = _STAGE_OF.get(ended.reason, Stage.TLS)
        return Visit(address=settings.address, stage=found, detail=str(ended.value or ended))
    server = Life("the broker's certificate", *dates_ms_of(x509.load_der_x509_certificate(der)))
    return await asyncio.to_thread(_talk, tls, settings, topics, server, may_connect)


def _talk(
    tls: ssl.SSLSocket,
    settings: LinkSettings,
    topics: Sequence[str],
    server: Life,
    may_connect: bool,
) -> Visit:
    """Blocks for a few seconds at most."""
    refused: tuple[str, ...] = ()
    asked, end = 0, _Ended(Stage.DONE, "")
    with tls:
        try:
            _await_verdict(tls)
            if may_connect:
                asked, refused = _converse(tls, settings.client_id, topics)
        except _Ended as ended:
            end = ended
    stage = Stage.RIGHTS if refused else end.stage
    return Visit(
        address=settings.address, stage=stage, detail=end.detail, reason=end.reason,
        server=server, refused=refused, asked=asked, has_session=may_connect,
    )  # fmt: skip


def _await_verdict(tls: ssl.SSLSocket) -> None:
    """In TLS 1.3 the server judges our certificate after the handshake: tickets, or an alert.

    Read before anything is sent: a packet to a server that has closed would wipe the alert out.
    """
    select.select((tls,), (), (), VERDICT_S)
    tls.setblocking(False)
    try:
        if not tls.recv(1):
            raise _Ended(Stage.CLIENT, "closed without a reason")
    except ssl.SSLWantReadError:
        return
    except OSError as cause:
        raise _Ended(Stage.CLIENT, why(cause)) from cause


def _converse(
    tls: ssl.SSLSocket, client_id: str, topics: Sequence[str]
) -> tuple[int, tuple[str, ...]]:
    """How many topics were asked for, and which were refused. Raises _Ended."""
    tls.settimeout(ANSWER_S)
    reader = _Reader(tls)
    try:
        tls.sendall(packets.connect(client_id, KEEPALIVE_S))
        reason, qos_max = packets.connack(reader.next(packets.CONNACK))
    except TimeoutError as cause:
        raise _Ended(Stage.SESSION, "no answer to CONNECT") from cause
    except (OSError, packets.PacketFault) as cause:
        raise _Ended(Stage.SESSION, str(cause) or "cut off") from cause
    if reason >= ERROR_FROM:
        raise _Ended(Stage.SESSION, "", reason)
    if qos_max < packets.QOS_2:
        tls.sendall(packets.GOODBYE)
        return 0, ()
    try:
        return len(topics), _refused_of(tls, reader, topics)
    except (OSError, packets.PacketFault) as cause:
        raise _Ended(Stage.SESSION, str(cause) or "cut off") from cause


def _refused_of(tls: ssl.SSLSocket, reader: "_Reader", topics: Sequence[str]) -> tuple[str, ...]:
    for number, topic in enumerate(topics, 1):
        tls.sendall(packets.ask_to_publish(topic, number))
    refused = []
    for _ in topics:
        number, reason = packets.pubrec(reader.next(packets.PUBREC))
        if reason >= ERROR_FROM and 1 <= number <= len(topics):
            refused.append(topics[number - 1])
    tls.sendall(packets.GOODBYE)
    return tuple(refused)


class _Reader:
    """Packets out of the stream."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self._tls, self._data = tls, b""

    def next(self, wanted: int) -> bytes:
        """The body of the next packet, which must be `wanted`. Raises OSError, PacketFault."""
        while (found := packets.split(self._data)) is None:
            chunk = self._tls.recv(packets.PACKET_BYTES_MAX)
            if not chunk:
                raise packets.PacketFault("closed by the broker")
            self._data += chunk
        kind, body, self._data = found
        if kind != wanted:
            raise packets.PacketFault(f"a packet of type {kind:#04x}")
        return body
