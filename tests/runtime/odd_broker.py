"""A server that says exactly what a test tells it to, packet by packet: for what mosquitto never
does. Bytes are written out by hand from the MQTT 5 text, so that they do not lean on paho."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from tests.pki import Pki

CONNACK = bytes.fromhex("2003000000")
PINGREQ = 0xC0

Script = Callable[["Talk"], Awaitable[None]]


class Talk:
    """One connection, after its CONNECT was read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, *packets: bytes) -> None:
        """Write all of them as one record."""
        self._writer.write(b"".join(packets))

    async def hear(self) -> tuple[int, bytes]:
        """The first byte of the next packet, and its body."""
        kind = (await self._reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind, await self._reader.readexactly(length)


class OddBroker:
    """Runs `script` for each connection; `faults` holds what a script raised."""

    def __init__(self, pki: Pki, script: Script) -> None:
        identity = pki.server()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(identity.cert_file, identity.key_file)
        self._script, self.faults = script, list[BaseException]()
        self.connects: list[bytes] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        assert not self.faults, self.faults

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk(reader, writer)
        try:
            self.connects.append((await talk.hear())[1])
            await self._script(talk)
            await reader.read()
        except (OSError, EOFError):
            return  # the link has gone: its own affair
        except Exception as fault:  # noqa: BLE001 - shown by the test
            self.faults.append(fault)
        finally:
            writer.close()
