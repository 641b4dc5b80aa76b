"""Whoever holds a revoked terminal's files: stays connected, and comes back as often as it can.

Raw sockets in a thread, no product code: what it sees is what the broker did. Used by
test_revocation.py and test_access_list.py.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rim.daemon import DEADLINE_S, Waiter
from tests.rim.raw_peer import CONNACK, PUBLISH, SUBACK, packet, split, text

_AGAIN_S = 0.02


class Intruder:
    """Connects as `common_name`, listens to `topic` and fights for the connection until closed."""

    def __init__(self, keys: Path, common_name: str, port: int, topic: str) -> None:
        self.let_in_s: list[float] = []  # when the broker said yes, monotonic
        self.ended_s: list[float] = []  # when such a connection was over
        self.refusals: list[str] = []
        self.heard: list[tuple[float, bytes]] = []  # payloads on `topic`
        self._port, self._name, self._topic = port, common_name, topic
        self._context = ssl.create_default_context(cafile=str(keys / "root.pem"))
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.load_cert_chain(keys / "tls.pem", keys / "tls.key")
        self._waiter, self._over = Waiter(), threading.Event()
        self._listens = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to fight, without waiting for an answer."""
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(DEADLINE_S)

    def __enter__(self) -> Self:
        self.start()
        self.wait(lambda: self._listens, "intruder listens")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def wait(self, find: Callable[[], object], what: str, timeout_s: float = DEADLINE_S) -> None:
        self._waiter.wait(find, timeout_s, lambda: f"{what}; {self.refusals[-3:]}")

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with (
                    socket.create_connection(("127.0.0.1", self._port), DEADLINE_S) as plain,
                    self._context.wrap_socket(plain, server_hostname="localhost") as tls,
                ):
                    tls.settimeout(0.1)
                    self._serve(tls)
            except OSError as refusal:
                self.refusals.append(getattr(refusal, "reason", None) or repr(refusal))
            self._waiter.notify()
            self._over.wait(_AGAIN_S)

    def _serve(self, tls: ssl.SSLSocket) -> None:
        tls.sendall(packet(0x10, text("MQTT") + b"\x05\x02\x00\x00\x00" + text(self._name)))
        inbox = b""
        try:
            while not self._over.is_set():
                try:
                    chunk = tls.recv(65536)
                except TimeoutError:
                    continue
                if not chunk:
                    return
                inbox = self._take(tls, inbox + chunk)
                self._waiter.notify()
        finally:
            if len(self.let_in_s) > len(self.ended_s):
                self.ended_s.append(time.monotonic())

    def _take(self, tls: ssl.SSLSocket, inbox: bytes) -> bytes:
        while (found := split(inbox)) is not None:
            head, body, inbox = found
            if head & 0xF0 == CONNACK and body[1] == 0:
                self.let_in_s.append(time.monotonic())
                tls.sendall(packet(0x82, b"\x00\x01\x00" + text(self._topic) + b"\x00"))
            elif head & 0xF0 == SUBACK:
                self._listens = True
            elif head & 0xF0 == PUBLISH:
                size = 2 + int.from_bytes(body[:2], "big")
                self.heard.append((time.monotonic(), body[size + 1 + body[size] :]))
        return inbox
