"""One direction through the TCP proxy: its faults, and the pump that applies them.

Faults belong to the direction, not to a connection, so they hold for connections that come
later. Little is buffered under a rate limit (0.1 s of it), so that a sender sees the limit as
it would see a slow link's. Used by hil/tcp_proxy.py.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

CHUNK_BYTES: Final = 16 * 1024
QUEUE_BYTES_MAX: Final = 1024 * 1024
QUEUE_BYTES_MIN: Final = 2048
QUEUE_S: Final = 0.1
SLICE_S: Final = 0.02
FLIPS_MAX: Final = 1000


class Way:
    """What happens to bytes in one direction; set by `TcpProxy`."""

    def __init__(self) -> None:
        self.bytes_passed = 0
        self.bytes_swallowed = 0
        self.black_hole = False
        self.delay_s = 0.0
        self.bytes_per_s: float | None = None
        self.dribble: tuple[int, float] | None = None  # bytes at a time, seconds between
        self._stalled = False
        self._changed = asyncio.Event()
        self._flips: list[tuple[int, int]] = []  # bytes until it, bit
        self._trigger: tuple[int, Callable[[], None]] | None = None  # bytes until it, what then
        self._free_at_s = 0.0

    @property
    def stalled(self) -> bool:
        """Whether bytes are held."""
        return self._stalled

    @stalled.setter
    def stalled(self, is_stalled: bool) -> None:
        self._stalled = is_stalled
        self.wake()

    def wake(self) -> None:
        """Lets whoever waits for a change look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def heal(self) -> None:
        """No fault any more."""
        self.black_hole, self.delay_s = False, 0.0
        self.bytes_per_s = self.dribble = None
        self._flips.clear()
        self._trigger = None
        self.stalled = False

    def after_bytes(self, count: int, then: Callable[[], None]) -> None:
        """Calls `then` once, as soon as exactly `count` more bytes have gone out."""
        self._trigger = (max(1, count), then)

    def flip(self, byte: int, bit: int) -> None:
        """Turns `bit` over in the `byte`th byte that passes from now on (0: the next)."""
        self._flips = [*self._flips, (byte, bit)][-FLIPS_MAX:]

    async def open_for_data(self) -> None:
        """Waits while bytes are held."""
        while self._stalled:
            await self._changed.wait()

    async def open_for_end(self) -> None:
        """Waits while an end of the connection would not get through."""
        while self._stalled or self.black_hole:
            await self._changed.wait()

    def queue_bytes_max(self) -> int:
        """How much may be under way in here."""
        if self.bytes_per_s is None:
            return QUEUE_BYTES_MAX
        return max(QUEUE_BYTES_MIN, min(QUEUE_BYTES_MAX, int(self.bytes_per_s * QUEUE_S)))

    def next_piece(self, data: bytes) -> bytes:
        """As much as goes out in one write now."""
        if self._trigger is not None:
            data = data[: self._trigger[0]]
        if self.dribble:
            return data[: self.dribble[0]]
        if self.bytes_per_s is not None:
            return data[: max(1, int(self.bytes_per_s * SLICE_S))]
        return data

    async def after(self, piece_bytes: int) -> None:
        """Waits as long as `piece_bytes` occupy the line; then what was to happen after them."""
        self._pull_trigger(piece_bytes)
        if self.dribble:
            await asyncio.sleep(self.dribble[1])
        if self.bytes_per_s is not None:
            now_s = asyncio.get_running_loop().time()
            self._free_at_s = max(now_s, self._free_at_s) + piece_bytes / self.bytes_per_s
            await asyncio.sleep(self._free_at_s - now_s)

    def _pull_trigger(self, piece_bytes: int) -> None:
        if self._trigger is None:
            return
        left, then = self._trigger[0] - piece_bytes, self._trigger[1]
        self._trigger = (left, then) if left > 0 else None
        if self._trigger is None:
            then()

    def flipped(self, piece: bytes) -> bytes:
        """The piece with the bits turned over that are due in it."""
        left = []
        for at, bit in self._flips:
            if at < len(piece):
                piece = piece[:at] + bytes([piece[at] ^ 1 << bit]) + piece[at + 1 :]
            else:
                left.append((at - len(piece), bit))
        self._flips = left
        return piece


class Pump:
    """Moves one connection's bytes in one direction."""

    def __init__(
        self,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        is_forgotten: Callable[[], bool],
    ) -> None:
        """`is_forgotten` becomes true where the other side no longer knows the connection."""
        self._way, self._reader, self._writer = way, reader, writer
        self._is_forgotten = is_forgotten
        self._queue: deque[tuple[float, bytes]] = deque()  # due, data; empty data: the end
        self._queued_bytes = 0
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Until the end of the stream has been passed on; raises `OSError` for a reset."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_in())
            await self._give_out()

    async def _take_in(self) -> None:
        loop = asyncio.get_running_loop()
        data = b"-"
        while data:
            while self._queued_bytes >= self._way.queue_bytes_max():
                await self._wait_moved()
            try:
                data = await self._reader.read(min(CHUNK_BYTES, self._way.queue_bytes_max()))
            except OSError:
                data = b""
                if not self._is_forgotten():
                    await self._way.open_for_end()
                    raise
            self._queue.append((loop.time() + self._way.delay_s, data))
            self._queued_bytes += len(data)
            self._moved.set()

    async def _wait_moved(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def _give_out(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._queue:
                await self._wait_moved()
            due_s, data = self._queue.popleft()
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            if not data:
                await self._end()
                return
            await self._pass(data)
            self._queued_bytes -= len(data)
            self._moved.set()

    async def _pass(self, data: bytes) -> None:
        way = self._way
        while data:
            await way.open_for_data()
            if way.black_hole or self._is_forgotten():
                way.bytes_swallowed += len(data)
                return
            piece = way.next_piece(data)
            data = data[len(piece) :]
            self._writer.write(way.flipped(piece))
            way.bytes_passed += len(piece)
            await self._writer.drain()
            await way.after(len(piece))

    async def _end(self) -> None:
        if self._is_forgotten():
            return
        await self._way.open_for_end()
        if self._writer.can_write_eof():
            self._writer.write_eof()


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes with RST instead of FIN, and loses what was not yet sent."""
    for sock in _socket_of(writer):
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def _socket_of(writer: asyncio.StreamWriter) -> Iterator[socket.socket]:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        yield sock
