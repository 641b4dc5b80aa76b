"""A raw MQTT client without a thread: says what it is told, and hears what has come by then.

`barrier` is a PINGREQ with its answer: the broker has then dealt with all that was said before, and
everything that it sent us before is here. No product code. Used by test_access_list.py.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

CONNACK, PUBLISH, SUBACK, PINGRESP = 0x20, 0x30, 0x90, 0xD0
TIMEOUT_S = 10.0
WILL = 0x04
USER_NAME = 0x80


class Peer:
    """`PAIR.pem` and `PAIR.key` are its certificate; `heard` is (topic, payload) in order."""

    def __init__(
        self,
        port: int,
        root: Path,
        pair: Path,
        *,
        client_id: str = "any",
        version: int = 5,
        will: tuple[str, bytes] | None = None,
        user_name: str | None = None,
    ) -> None:
        """Connected when it is made; raises OSError where it is refused."""
        context = ssl.create_default_context(cafile=str(root))
        context.load_cert_chain(
            pair.with_name(pair.name + ".pem"), pair.with_name(pair.name + ".key")
        )
        self._plain = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._tls = context.wrap_socket(self._plain, server_hostname="localhost")
        self._inbox = b""
        self._mid = 0
        self._none = b"\x00" if version == 5 else b""  # an empty list of properties
        self.heard: list[tuple[str, bytes]] = []
        flags = 0x02 | (WILL if will else 0) | (USER_NAME if user_name else 0)
        body = text("MQTT") + bytes([version, flags, 0, 60]) + self._none + text(client_id)
        if will:
            body += self._none + text(will[0]) + len(will[1]).to_bytes(2, "big") + will[1]
        if user_name:
            body += text(user_name)
        self._send(packet(0x10, body))
        code = self._until(CONNACK)[1]
        if code:
            self.drop()
            raise ConnectionRefusedError(f"CONNACK {code:#x}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drop()

    def drop(self) -> None:
        """Break the connection without a goodbye: the will is due."""
        self._tls.close()

    def listen(self, *filters: str) -> bytes:
        """Subscribe at QoS 0; the reasons of the SUBACK."""
        self._mid += 1
        body = self._mid.to_bytes(2, "big") + self._none
        self._send(packet(0x82, body + b"".join(text(one) + b"\x00" for one in filters)))
        return self._until(SUBACK)[2 + len(self._none) :]

    def say(self, topics: Iterable[str], payload: bytes, *, retain: bool = False) -> None:
        """One message at QoS 0 on each topic."""
        head = PUBLISH | retain
        self._send(b"".join(packet(head, text(one) + self._none + payload) for one in topics))

    def barrier(self) -> None:
        self._send(b"\xc0\x00")
        self._until(PINGRESP)

    def topics_heard(self, payload: bytes) -> set[str]:
        """On which topics this payload came, up to now."""
        self.barrier()
        return {topic for topic, found in self.heard if found == payload}

    def _send(self, data: bytes) -> None:
        self._tls.sendall(data)

    def _until(self, wanted: int) -> bytes:
        while True:
            head, body = self._packet()
            if head & 0xF0 == PUBLISH:
                size = 2 + int.from_bytes(body[:2], "big")
                self.heard.append((body[2:size].decode(), body[size + len(self._none) :]))
            elif head & 0xF0 == wanted:
                return body

    def _packet(self) -> tuple[int, bytes]:
        while True:
            found = split(self._inbox)
            if found is not None:
                head, body, self._inbox = found
                return head, body
            chunk = self._tls.recv(65536)
            if not chunk:
                raise ConnectionResetError("closed by the broker")
            self._inbox += chunk


def packet(head: int, body: bytes) -> bytes:
    """An MQTT packet."""
    length, left = b"", len(body)
    while True:
        left, digit = divmod(left, 128)
        length += bytes([digit | (128 if left else 0)])
        if not left:
            return bytes([head]) + length + body


def text(value: str) -> bytes:
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def split(data: bytes) -> tuple[int, bytes, bytes] | None:
    """First byte, body and what follows the first packet; None while it is not whole."""
    length = shift = 0
    for at, byte in enumerate(data[1:5], 2):
        length |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            whole = len(data) >= at + length
            return (data[0], data[at : at + length], data[at + length :]) if whole else None
    return None
