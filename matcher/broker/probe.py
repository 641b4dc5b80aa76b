"""One connection to the broker with a given certificate, to see whether it is let in.

Just enough MQTT 5 for a CONNECT and its CONNACK; nothing is subscribed or said. In TLS 1.3 the
broker judges our certificate only after our handshake is done, so its refusal comes as an alert on
reading. Called by `proof` and `cut`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from runtime.mqtt_tls import client_context
from runtime.mqtt_types import LinkSettings

ANSWER_S: Final = 2.0
_KEEPALIVE_S: Final = 30
_CONNECT, _CONNACK = 0x10, 0x20
_CLEAN_START = 0x02
_SUCCESS = 0


class Answer(StrEnum):
    """What the broker did with the certificate."""

    ACCEPTED = "accepted"
    REVOKED = "refused as revoked"
    REFUSED = "refused"
    SILENT = "no answer"


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer, in words too; `reader` while the connection stands."""

    answer: Answer
    detail: str = ""
    reader: asyncio.StreamReader | None = None

    async def stands(self, hold_s: float) -> bool:
        """Whether nobody ends an accepted connection within `hold_s`."""
        if self.reader is None:
            return False
        try:
            async with asyncio.timeout(hold_s):
                await self.reader.read(1)
        except TimeoutError:
            return True
        except OSError:
            return False
        return False


@dataclass(frozen=True, slots=True)
class Prober:
    """Where the broker is, and the root that it must show."""

    host: str
    port: int
    root: Path

    @contextlib.asynccontextmanager
    async def connect(self, common_name: str, pair: Path) -> AsyncIterator[Probe]:
        """Connect as `common_name` with PAIR.pem and PAIR.key; closed at the end.

        Raises ConfigFault where the files cannot be used.
        """
        settings = LinkSettings(
            host=self.host, port=self.port, client_id=common_name, ca_file=self.root,
            cert_file=pair.with_name(f"{pair.name}.pem"),
            key_file=pair.with_name(f"{pair.name}.key"),
        )  # fmt: skip
        context = client_context(settings)
        writer: asyncio.StreamWriter | None = None
        try:
            try:
                async with asyncio.timeout(ANSWER_S):
                    reader, writer = await asyncio.open_connection(
                        self.host, self.port, ssl=context, server_hostname=self.host
                    )
                    writer.write(_connect(common_name))
                    probe = await _answer(reader)
            except ssl.SSLError as cause:
                reason = cause.reason or str(cause)
                revoked = "CERTIFICATE_REVOKED" in reason
                probe = Probe(Answer.REVOKED if revoked else Answer.REFUSED, reason.lower())
            except (TimeoutError, OSError, EOFError) as cause:
                probe = Probe(Answer.SILENT, str(cause) or type(cause).__name__)
            yield probe
        finally:
            if writer is not None:
                writer.transport.abort()


async def _answer(reader: asyncio.StreamReader) -> Probe:
    """Raises EOFError, OSError."""
    head = await reader.readexactly(2)
    if head[0] != _CONNACK or head[1] > 0x7F:
        return Probe(Answer.REFUSED, f"packet {head.hex()} in place of a CONNACK")
    body = await reader.readexactly(head[1])
    if len(body) < 2 or body[1] != _SUCCESS:
        return Probe(Answer.REFUSED, f"CONNACK {body[:2].hex()}")
    return Probe(Answer.ACCEPTED, "", reader)


def _connect(client_id: str) -> bytes:
    body = _text("MQTT") + bytes([5, _CLEAN_START]) + _KEEPALIVE_S.to_bytes(2, "big")
    body += b"\x00" + _text(client_id)  # no properties; the payload is the client id
    return bytes([_CONNECT, len(body)]) + body  # common names keep it below 128 bytes


def _text(value: str) -> bytes:
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded
