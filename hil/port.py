"""The device's end of a serial line: bounded, paced at line rate, never blocks its emulator.

A `Line` opens the file descriptor (pseudo-terminal or real port, hil/pty_port.py); `DevicePort`
moves bytes over it. As on a real UART, bytes are dropped, and counted, when the other end
has not opened the port or takes none while the buffer is full. `send` alone waits instead.
Used by every serial emulator.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Protocol, Self

BITS_PER_BYTE_ON_LINE: Final = 10  # start bit, 8 data bits, stop bit
TX_BYTES_MAX: Final = 16 * 1024
RX_BYTES_MAX: Final = 64 * 1024
PRESENCE_POLL_S: Final = 0.02
PACING_SLICE_S: Final = 0.01
READY_TIMEOUT_S: Final = 0.25


class PortError(Exception):
    """The port cannot be opened; the message names it and the remedy."""


class Line(Protocol):
    """One way of getting a file descriptor that another program reads as a serial port."""

    @property
    def path(self) -> str:
        """What the other program opens."""
        ...

    def open(self) -> int:
        """Opens and returns a non-blocking descriptor; raises `PortError`."""
        ...

    def close(self) -> None:
        """Closes it, so that the other end sees a hang-up; safe to repeat."""
        ...

    def has_reader(self) -> bool:
        """Whether the other end is open, as far as can be known."""
        ...

    def untaken_bytes(self) -> int:
        """How many bytes have left us and not reached the other program, as far as known."""
        ...


class DevicePort:
    """Bytes to and from whoever opened the other end of `line`; an async context manager."""

    def __init__(
        self,
        line: Line,
        *,
        baud: int | None = None,
        as_heard: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """`baud` paces what is sent to that line rate; None sends as fast as it is taken.

        `as_heard` is what becomes of sent bytes on their way, at the same pace.
        """
        self.line = line
        self.bytes_sent = 0
        self.bytes_dropped = 0
        self._as_heard = as_heard
        self._bytes_per_s = baud / BITS_PER_BYTE_ON_LINE if baud else None
        self._fd: int | None = None
        self._tx = bytearray()
        self._rx = bytearray()
        self._tx_waiting = asyncio.Event()
        self._tx_room = asyncio.Event()
        self._rx_waiting = asyncio.Event()
        self._ready: set[asyncio.Future[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._fd = self.line.open()
        self._tasks = [
            asyncio.create_task(self._pump_out(), name="port out"),
            asyncio.create_task(self._pump_in(), name="port in"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.hang_up()

    @property
    def is_up(self) -> bool:
        """False between `hang_up` and `reappear`."""
        return self._fd is not None

    def has_reader(self) -> bool:
        """Whether the other end has the port open."""
        return self._fd is not None and self.line.has_reader()

    def write(self, data: bytes) -> int:
        """Takes what there is room for, drops the rest; returns the bytes taken."""
        room = TX_BYTES_MAX - len(self._tx) if self.has_reader() else 0
        taken = data[:room]
        self._tx += taken
        self.bytes_dropped += len(data) - len(taken)
        if taken:
            self._tx_waiting.set()
        return len(taken)

    async def send(self, data: bytes) -> None:
        """Writes everything, waiting for a reader and for room as long as it takes."""
        for start in range(0, len(data), TX_BYTES_MAX // 4):
            piece = data[start : start + TX_BYTES_MAX // 4]
            while not self.has_reader() or len(self._tx) + len(piece) > TX_BYTES_MAX:
                await self._wait_room()
            self.write(piece)

    async def flushed(self) -> None:
        """Returns once the reader has taken all that was written, or is gone."""
        while self._tx or (self.has_reader() and self.line.untaken_bytes()):
            await self._wait_room()

    async def _wait_room(self) -> None:
        """Until bytes have left, or it is time to look for the reader again."""
        self._tx_room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(PRESENCE_POLL_S):  # wait_for can lose a cancellation
                await self._tx_room.wait()

    async def read(self) -> bytes:
        """Waits for bytes from the other end; the newest 64 KiB are kept."""
        while not self._rx:
            self._rx_waiting.clear()
            await self._rx_waiting.wait()
        data = bytes(self._rx)
        self._rx.clear()
        return data

    async def wait_reader(self, settle_s: float = 0.2) -> None:
        """Waits until the port is open at the other end, and was so for `settle_s`.

        Libraries empty the input right after opening: what is sent in that moment is lost.
        """
        present_s = 0.0
        while present_s < settle_s:
            await asyncio.sleep(PRESENCE_POLL_S)
            present_s = present_s + PRESENCE_POLL_S if self.has_reader() else 0.0

    def hang_up(self) -> None:
        """The port vanishes; what was not yet sent or read is gone."""
        if self._fd is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fd)
        loop.remove_writer(self._fd)
        self._fd = None
        self.line.close()
        self._drop_unsent()
        self._rx.clear()
        for waiting in self._ready:
            if not waiting.done():
                waiting.set_result(None)

    def reappear(self) -> None:
        """The port comes back under the same path."""
        if self._fd is None:
            self._fd = self.line.open()

    def _drop_unsent(self) -> None:
        self.bytes_dropped += len(self._tx)
        self._tx.clear()
        self._tx_room.set()

    async def _pump_out(self) -> None:
        loop = asyncio.get_running_loop()
        free_at_s = 0.0  # when the line is free for the next slice
        while True:
            if not self._tx:
                self._tx_waiting.clear()
                await self._tx_waiting.wait()
            if not self.has_reader():
                self._drop_unsent()
                continue
            sent = self._write_slice()
            if sent == 0:
                await self._wait_ready(loop.add_writer, loop.remove_writer)
            elif self._bytes_per_s is None:
                await asyncio.sleep(0)
            else:
                free_at_s = max(free_at_s, loop.time()) + sent / self._bytes_per_s
                await asyncio.sleep(max(0.0, free_at_s - loop.time()))

    def _write_slice(self) -> int:
        limit = len(self._tx)
        if self._bytes_per_s is not None:
            limit = max(1, int(self._bytes_per_s * PACING_SLICE_S))
        assert self._fd is not None
        try:
            sent = self._put(self._fd, bytes(self._tx[:limit]))
        except BlockingIOError:
            return 0
        except OSError:  # the other end went away between the look and the write
            self._drop_unsent()
            return 0
        del self._tx[:sent]
        self.bytes_sent += sent
        self._tx_room.set()
        return sent

    def _put(self, fd: int, data: bytes) -> int:
        """Bytes of `data` that are on the line; garbled ones are lost where there is no room."""
        if self._as_heard is None:
            return os.write(fd, data)
        os.write(fd, self._as_heard(data))
        return len(data)

    async def _pump_in(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self.has_reader():
                await asyncio.sleep(PRESENCE_POLL_S)
                continue
            await self._wait_ready(loop.add_reader, loop.remove_reader)
            if not self._read_slice():
                await asyncio.sleep(PRESENCE_POLL_S)

    def _read_slice(self) -> bool:
        """False where there is nothing to wait for: the other end has gone."""
        if self._fd is None:
            return False
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._rx += data
        del self._rx[:-RX_BYTES_MAX]
        self._rx_waiting.set()
        return bool(data)

    async def _wait_ready(self, add: Callable[..., None], remove: Callable[[int], bool]) -> None:
        """Waits until the descriptor is ready, the port hangs up, or a short time has passed."""
        fd = self._fd
        if fd is None:
            return
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready.add(ready)
        add(fd, lambda: None if ready.done() else ready.set_result(None))
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await ready
        except TimeoutError:
            pass  # the caller looks again
        finally:
            self._ready.discard(ready)
            if self._fd == fd:
                remove(fd)
