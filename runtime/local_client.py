"""The client side of a local socket: a lasting connection for bridges, one question for commands.

Frames as in `local_socket`. `LocalClient` reconnects (0.2 s doubling to 5 s) and says so.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runtime.clock import SystemClock
from runtime.faults import LinkLost
from runtime.lines import LINE_MAX, LineCutter

RETRY_S_MIN: Final = 0.2
RETRY_S_MAX: Final = 5.0
SEND_TIMEOUT_S: Final = 5.0
_CHUNK_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Opened:
    """The server is there."""


@dataclass(frozen=True, slots=True)
class Line:
    """One frame, without its newline."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """The server is not there or has gone; said once until it is back."""

    reason: str


LocalEvent = Opened | Line | Lost


class LocalClient:
    """One task iterates `events()`, any task may `send`."""

    def __init__(
        self,
        path: Path,
        *,
        line_max: int = LINE_MAX,
        retry_s_min: float = RETRY_S_MIN,
        retry_s_max: float = RETRY_S_MAX,
    ) -> None:
        self.path, self._line_max = path, line_max
        self._retry_s_min, self._retry_s_max = retry_s_min, retry_s_max
        self._connection: socket.socket | None = None
        self._send_turn = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    async def events(self) -> AsyncGenerator[LocalEvent, None]:
        """What happens on the connection, for ever; closing the iterator closes it."""
        retry_s, is_told = self._retry_s_min, False
        while True:
            reason = ""
            try:
                connection = await self._connect()
            except OSError as cause:
                reason = cause.strerror or str(cause)
            else:
                try:
                    yield Opened()
                    is_told = False
                    async for line in self._received(connection):
                        retry_s = self._retry_s_min
                        yield line
                    reason = "closed by the server"
                finally:
                    self._connection = None
                    connection.close()
            if not is_told:
                yield Lost(reason)
                is_told = True
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, self._retry_s_max)

    async def send(self, line: bytes) -> None:
        """Hand one frame to the kernel; raises LinkLost where nobody is connected or reading."""
        if b"\n" in line or len(line) > self._line_max:
            raise ValueError(f"a frame has no newline and at most {self._line_max} bytes")
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S), self._send_turn:
                if self._connection is None:
                    raise LinkLost(self.path, "is not connected", None, "start the daemon")
                await asyncio.get_running_loop().sock_sendall(self._connection, line + b"\n")
        except (OSError, TimeoutError) as cause:
            self._cut()  # a frame may be half sent
            raise LinkLost(
                self.path, "takes no frame", str(cause), "see the daemon's log"
            ) from cause

    async def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, str(self.path))
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    async def _received(self, connection: socket.socket) -> AsyncIterator[Line]:
        loop, cutter = asyncio.get_running_loop(), LineCutter(self._line_max)
        while True:
            try:
                chunk = await loop.sock_recv(connection, _CHUNK_BYTES)
            except OSError:
                return
            if not chunk:
                return
            for data in cutter.feed(chunk):
                yield Line(data)

    def _cut(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)


def request(path: Path, line: bytes, timeout_s: float, line_max: int = LINE_MAX) -> bytes:
    """Ask one question and return the first frame that comes back; blocks at most `timeout_s`.

    Raises LinkLost: nobody listens, this user is not allowed, or no answer in time.
    """
    if b"\n" in line or len(line) > line_max:
        raise ValueError(f"a frame has no newline and at most {line_max} bytes")
    clock = SystemClock()
    deadline_ms = clock.monotonic_ms() + timeout_s * 1000
    cutter = LineCutter(line_max)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(line + b"\n")
            while chunk := connection.recv(_CHUNK_BYTES):
                for answer in cutter.feed(chunk):
                    return answer
                connection.settimeout(max(1, deadline_ms - clock.monotonic_ms()) / 1000)
    except TimeoutError as cause:
        what = f"no answer in {timeout_s} s"
        raise LinkLost(path, what, None, "see the daemon's log") from cause
    except (FileNotFoundError, ConnectionRefusedError) as cause:
        raise LinkLost(path, "nobody listens", None, "start the daemon") from cause
    except PermissionError as cause:
        remedy = "use the daemon's user or group"
        raise LinkLost(path, "this user is not allowed", None, remedy) from cause
    except OSError as cause:
        raise LinkLost(path, "was cut", cause.strerror, "see the daemon's log") from cause
    raise LinkLost(path, "closed without an answer", None, "see the daemon's log")
