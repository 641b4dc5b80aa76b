"""A TCP proxy that injects the faults of a bad network between two real programs.

    async with TcpProxy(target_port=1883) as proxy:
        connect_to(proxy.port)
        proxy.cut()                       # all connections reset
        proxy.black_hole(up=True)         # accepted, swallowed
        proxy.heal()

`up` is client to target, `down` the way back. A fault holds for present and later connections
until `heal()`; `cut`, `half_open`, `flip_bit` and `after_bytes` happen once. A black hole loses
bytes for ever; `stall` holds them as a network outage does, where TCP sends them again later. Used
by tests and demo; command line: hil/proxy_command.py.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self

from hil.tcp_way import CHUNK_BYTES, Pump, Way, reset

CONNECTIONS_MAX: Final = 2048
CONNECT_TIMEOUT_S: Final = 10.0
SOCKET_BUFFER_BYTES: Final = 32 * 1024
LOOPBACK: Final = "127.0.0.1"

Side = Literal["client", "target"]


@dataclass(eq=False, slots=True)
class _Connection:
    """One client's connection, and ours to the target once it stands."""

    client: asyncio.StreamWriter
    task: asyncio.Task[None] | None
    target: asyncio.StreamWriter | None = None
    is_forgotten: bool = False  # half open: one side was told nothing

    def reset(self) -> None:
        for writer in (self.client, self.target):
            if writer is not None:
                reset(writer)


class TcpProxy:
    """Listens on loopback and forwards to `target_port`; an async context manager."""

    def __init__(self, target_port: int, target_host: str = LOOPBACK, port: int = 0) -> None:
        """`port` 0 takes a free one; it stays the same through `refuse` and `heal`."""
        self.port = port
        self.accepted = 0
        self._target = (target_host, target_port)
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._starting: asyncio.Task[None] | None = None
        self._is_closing = False

    async def __aenter__(self) -> Self:
        self.up, self.down = Way(), Way()
        self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_closing = True
        await self._close_listener()
        tasks = [connection.task for connection in self._connections if connection.task]
        self.cut()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    # Faults.

    def heal(self) -> None:
        """No fault any more, and new connections are taken again."""
        self.up.heal()
        self.down.heal()
        if self._server is None and self._starting is None:
            self._listen()

    def cut(self) -> None:
        """Resets every connection at both sides (RST)."""
        for connection in list(self._connections):
            connection.reset()
            if connection.task:
                connection.task.cancel()

    def black_hole(self, *, up: bool = True, down: bool = True) -> None:
        """Takes bytes of the named directions and forgets them."""
        self.up.black_hole, self.down.black_hole = up, down
        self.up.wake()
        self.down.wake()

    def stall(self, *, up: bool = True, down: bool = True) -> None:
        """Holds the bytes of the named directions until `heal`."""
        self.up.stalled, self.down.stalled = up, down

    def delay(self, seconds: float, *, up: bool = True, down: bool = True) -> None:
        """Lets each byte arrive later by `seconds`, per direction."""
        for way, is_meant in ((self.up, up), (self.down, down)):
            if is_meant:
                way.delay_s = seconds

    def rate_limit(self, bytes_per_s: float | None, *, up: bool = True, down: bool = True) -> None:
        """At most so many bytes a second per direction, over all connections; None: no limit."""
        for way, is_meant in ((self.up, up), (self.down, down)):
            if is_meant:
                way.bytes_per_s = bytes_per_s

    def dribble(
        self, piece_bytes: int = 1, gap_s: float = 0.01, *, up: bool = True, down: bool = True
    ) -> None:
        """Passes `piece_bytes` at a time, `gap_s` between them."""
        for way, is_meant in ((self.up, up), (self.down, down)):
            if is_meant:
                way.dribble = (piece_bytes, gap_s)

    def flip_bit(self, byte: int, bit: int = 0, *, up: bool = True) -> None:
        """Turns one bit over, once: in the `byte`th byte from now in that direction (0: next)."""
        (self.up if up else self.down).flip(byte, bit)

    def after_bytes(self, count: int, then: Callable[[], None], *, up: bool = True) -> None:
        """Calls `then`, once, when `count` more bytes have passed in that direction.

        The byte is met exactly: `proxy.after_bytes(n, proxy.cut)` resets in the midst of a packet.
        """
        (self.up if up else self.down).after_bytes(count, then)

    def retarget(self, port: int, host: str = LOOPBACK) -> None:
        """Later connections go there: another host has taken the address."""
        self._target = (host, port)

    def half_open(self, told: Side = "target") -> None:
        """Forgets every connection: `told` sees a reset, the other side nothing, ever."""
        for connection in self._connections:
            connection.is_forgotten = True
            writer = connection.target if told == "target" else connection.client
            if writer is not None:
                reset(writer)

    def refuse(self) -> None:
        """New connections are refused; those that stand go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    # Forwarding.

    def _listen(self) -> None:
        """Listens at once; asyncio takes the socket over as soon as its loop turns."""
        sock = socket.socket()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            sock.bind((LOOPBACK, self.port))
            sock.listen(128)
        except OSError:
            sock.close()
            raise
        self.port = sock.getsockname()[1]
        self._starting = asyncio.create_task(self._take_over(sock))

    async def _take_over(self, sock: socket.socket) -> None:
        self._server = await asyncio.start_server(self._serve, sock=sock, limit=CHUNK_BYTES)
        self._starting = None

    async def _close_listener(self) -> None:
        if self._starting is not None:
            await self._starting
        self.refuse()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer, asyncio.current_task())
        if self._is_closing or len(self._connections) >= CONNECTIONS_MAX:
            connection.reset()
            return
        self._connections.add(connection)
        self.accepted += 1
        try:
            await self._forward_or_reset(connection, reader)
        except asyncio.CancelledError:
            connection.reset()  # cut, or the proxy ends: nobody else cancels this task
        finally:
            self._connections.discard(connection)

    async def _forward_or_reset(
        self, connection: _Connection, reader: asyncio.StreamReader
    ) -> None:
        """A reset at one side, or a target that does not answer, is a reset at the other."""
        try:
            await self._forward(connection, reader)
        except* (OSError, TimeoutError):
            connection.reset()

    async def _forward(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            target_reader, target = await asyncio.open_connection(*self._target, limit=CHUNK_BYTES)
        connection.target = target
        for writer in (connection.client, target):
            writer.transport.set_write_buffer_limits(high=CHUNK_BYTES)
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def is_forgotten() -> bool:
            return connection.is_forgotten

        async with asyncio.TaskGroup() as group:
            group.create_task(Pump(self.up, reader, target, is_forgotten).run())
            group.create_task(Pump(self.down, target_reader, connection.client, is_forgotten).run())
        for writer in (connection.client, target):
            writer.close()
