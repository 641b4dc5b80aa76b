"""What stands where the broker or the resolver should: a foreign TLS server, a stub DNS server.

Both serve in a thread of their own and keep what they saw. Used by the network faults N10 and N11.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.pki import Pki

_LOOK_S = 0.2


class Portal:
    """Answers TLS with a certificate of another root, as a captive portal does."""

    def __init__(self, folder: Path) -> None:
        identity = Pki(folder, "portal root").server()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(identity.cert_file, identity.key_file)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.visits, self.heard = 0, b""
        self._thread = threading.Thread(target=self._serve, name="portal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            visitor.settimeout(3)
            with contextlib.suppress(OSError), self._context.wrap_socket(visitor, True) as tls:
                self.heard += tls.recv(4096)


Answer = Literal["right", "wrong", "unknown", "silent"]
_ADDRESS = {"right": "127.0.0.1", "wrong": "127.0.0.99"}


class Dns:
    """A resolver on a loopback address of its own; `answer` is what it says to every question.

    Needs port 53, so root. `resolv_conf` is the text that points to it.
    """

    def __init__(self, address: str) -> None:
        self.answer: Answer = "right"
        self.asked = 0
        self.resolv_conf = f"nameserver {address}\noptions timeout:1 attempts:1\n"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._socket.settimeout(_LOOK_S)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="dns", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                question, sender = self._socket.recvfrom(512)
                self.asked += 1
                if self.answer != "silent":
                    self._socket.sendto(self._reply(question), sender)

    def _reply(self, question: bytes) -> bytes:
        """RFC 1035: the question again, with one A record, none, or NXDOMAIN."""
        end = question.index(0, 12) + 5
        kind = struct.unpack("!H", question[end - 4 : end - 2])[0]
        address = _ADDRESS.get(self.answer) if kind == 1 else None
        code = 3 if self.answer == "unknown" else 0
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, address is not None, 0, 0)
        record = b""
        if address is not None:
            record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton(address)
        return head + question[12:end] + record
