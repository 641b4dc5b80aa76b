"""A serial port that is found again: opened by name or id, re-opened after each unplugging.

Opened with pyserial (exclusive), read and written through the loop on its file descriptor.
Invariant: with VMIN 1 an empty read means hang-up and nothing else, so it never spins; every
way an unplugged port shows (SerialException, OSError, termios.error, empty read) is one `Lost`.
A link such as /dev/serial/by-id/… is resolved at each open, since the device returns under
another number. Callers: the agent's GNSS task, the firmware bridge. Knows no sentence or frame.
"""

import asyncio
import errno
import os
import termios
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import serial

from runtime.faults import PortLost
from runtime.log import get_log

BY_ID: Final = Path("/dev/serial/by-id")
RETRY_S_MIN: Final = 0.2
RETRY_S_MAX: Final = 4.0  # a port that returns is open again within 5 s
WRITE_BYTES_MAX: Final = 64 * 1024
_CHUNK_BYTES: Final = 4096
_INBOX_BYTES_MAX: Final = 64 * 1024  # then the kernel's buffer fills, and the line drops bytes

log = get_log("serial")


@dataclass(frozen=True, slots=True)
class Opened:
    """The port is there, under this device name."""

    path: str
    baud: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The port is gone, or could not be opened; said once until it is open again."""

    reason: str


PortEvent = bytes | Opened | Lost


class SerialPort:
    """One port; one task iterates `chunks()`, any task may `write`."""

    def __init__(
        self,
        path_or_id: str,
        baud: int,
        *,
        retry_s_min: float = RETRY_S_MIN,
        retry_s_max: float = RETRY_S_MAX,
    ) -> None:
        """`path_or_id`: a device, a link to one, or a name in /dev/serial/by-id."""
        self.path = Path(path_or_id) if "/" in path_or_id else BY_ID / path_or_id
        self.baud = baud
        self._retry_s_min, self._retry_s_max = retry_s_min, retry_s_max
        self._port: serial.Serial | None = None
        self._inbox: deque[bytes] = deque()
        self._inbox_bytes = 0
        self._is_reading = False
        self._lost_reason: str | None = None
        self._wake = asyncio.Event()
        self._write_turn = asyncio.Lock()
        self._writable: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._port is not None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def chunks(self) -> AsyncGenerator[PortEvent, None]:
        """Bytes as they come, with `Opened` and `Lost` between them; ends never."""
        retry_s, is_told = self._retry_s_min, False
        try:
            while True:
                try:
                    yield await self._open()
                except PortLost as fault:
                    if not is_told:
                        yield Lost(str(fault))
                    is_told = True
                    await asyncio.sleep(retry_s)
                    retry_s = min(2 * retry_s, self._retry_s_max)
                    continue
                has_heard = False
                async for chunk in self._received():
                    has_heard = True
                    yield chunk
                yield Lost(self._lost_reason or "closed")
                # a port that opens and dies at once is not hammered
                retry_s = self._retry_s_min if has_heard else min(2 * retry_s, self._retry_s_max)
                is_told = True
                await asyncio.sleep(retry_s)
        finally:
            await self.close()

    async def write(self, data: bytes, timeout_s: float = 5.0) -> None:
        """Hand all of `data` (at most 64 KiB) to the kernel, after earlier writers.

        Raises PortLost where the port is gone, or takes nothing for `timeout_s`.
        """
        if len(data) > WRITE_BYTES_MAX:
            raise ValueError(f"{len(data)} bytes at once; cut into {WRITE_BYTES_MAX} or less")
        try:
            async with asyncio.timeout(timeout_s), self._write_turn:
                await self._write_all(memoryview(data))
        except TimeoutError as cause:
            remedy = "check flow control and the device"
            raise PortLost(self.path, "takes no bytes", f"{timeout_s} s", remedy) from cause

    def set_baud(self, baud: int) -> None:
        """Change the line speed now and for later opens; what was received so far is dropped."""
        self.baud = baud
        if self._port is not None:
            try:
                self._port.baudrate = baud  # reconfigures: VMIN is set again below
                _wait_for_one_byte(self._port.fileno())
                self._port.reset_input_buffer()
            except (OSError, ValueError, termios.error) as cause:
                self._lose(f"cannot be set to {baud} baud: {_reason(cause)}")
        self._inbox.clear()
        self._inbox_bytes = 0

    async def close(self) -> None:
        """Let go of the port; `chunks` would open it again."""
        if self._port is not None:
            self._lose("closed")

    async def _open(self) -> Opened:
        opening = asyncio.get_running_loop().run_in_executor(None, _open_port, self.path, self.baud)
        try:
            port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        self._port, self._lost_reason = port, None
        self._inbox.clear()
        self._inbox_bytes = 0
        self._resume()
        return Opened(str(port.port), self.baud)

    async def _received(self) -> AsyncIterator[bytes]:
        """Chunks until the port is lost; what came before the loss is still given out."""
        while True:
            if self._inbox:
                chunk = self._inbox.popleft()
                self._inbox_bytes -= len(chunk)
                self._resume()
                yield chunk
            elif self._port is None:
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    def _resume(self) -> None:
        if self._port is not None and not self._is_reading and self._inbox_bytes == 0:
            asyncio.get_running_loop().add_reader(self._port.fileno(), self._on_readable)
            self._is_reading = True

    def _pause(self) -> None:
        if self._port is not None and self._is_reading:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            self._is_reading = False

    def _on_readable(self) -> None:
        if self._port is None:
            return
        try:
            chunk = os.read(self._port.fileno(), _CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as cause:
            self._lose(_reason(cause))
            return
        if not chunk:
            self._lose("hung up")
            return
        self._inbox.append(chunk)
        self._inbox_bytes += len(chunk)
        self._wake.set()
        if self._inbox_bytes >= _INBOX_BYTES_MAX:
            self._pause()

    async def _write_all(self, rest: memoryview) -> None:
        while rest:
            if self._port is None:
                raise PortLost(self.path, "is not open", self._lost_reason, "wait until it returns")
            try:
                rest = rest[os.write(self._port.fileno(), rest) :]
            except (BlockingIOError, InterruptedError):
                await self._until_writable(self._port.fileno())
            except OSError as cause:
                self._lose(_reason(cause))
                raise PortLost(self.path, "was unplugged", _reason(cause), "plug it in") from cause

    async def _until_writable(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        self._writable = loop.create_future()
        loop.add_writer(descriptor, _set_done, self._writable)
        try:
            await self._writable
        finally:
            self._writable = None
            if self._port is not None:
                loop.remove_writer(descriptor)

    def _lose(self, reason: str) -> None:
        port = self._port
        if port is None:
            return
        loop = asyncio.get_running_loop()
        self._pause()
        loop.remove_writer(port.fileno())
        self._port, self._lost_reason = None, reason
        if self._writable is not None:
            _set_done(self._writable)
        self._wake.set()
        loop.run_in_executor(None, _close_port, port)


def _open_port(path: Path, baud: int) -> serial.Serial:
    """Blocks: an adapter may take its time to answer the settings. Raises PortLost."""
    device = path.resolve()
    try:
        port = serial.Serial(str(device), baud, timeout=0, write_timeout=0, exclusive=True)
    except (OSError, ValueError, termios.error) as cause:  # SerialException is an OSError
        raise PortLost(path, "cannot be opened", _reason(cause), _remedy(cause)) from cause
    try:
        _wait_for_one_byte(port.fileno())
    except (OSError, termios.error) as cause:
        _close_port(port)
        raise PortLost(path, "was unplugged", _reason(cause), "plug it in") from cause
    return port


def _wait_for_one_byte(descriptor: int) -> None:
    """VMIN 1: a read without data is EAGAIN, so an empty one can only be a hang-up."""
    settings = termios.tcgetattr(descriptor)
    settings[6][termios.VMIN] = 1
    settings[6][termios.VTIME] = 0
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)


def _close_port(port: serial.Serial) -> None:
    """Blocks at worst as long as the driver does; unsent bytes are dropped, nobody takes them."""
    try:
        termios.tcflush(port.fileno(), termios.TCOFLUSH)
    except (OSError, termios.error) as cause:
        log.debug("flush_failed", port=port.port, reason=cause)
    try:
        port.close()
    except (OSError, termios.error) as cause:
        log.debug("close_failed", port=port.port, reason=cause)


def _close_late(opening: "asyncio.Future[serial.Serial]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        _close_port(opening.result())


def _set_done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _reason(cause: BaseException) -> str:
    number = getattr(cause, "errno", None)
    if number is None and isinstance(cause, termios.error):
        number = cause.args[0]
    return os.strerror(number) if isinstance(number, int) else str(cause)


def _remedy(cause: BaseException) -> str:
    match getattr(cause, "errno", None):
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return "plug it in, or name another port"
        case errno.EACCES | errno.EPERM:
            return "add this user to group dialout"
        case errno.EAGAIN | errno.EBUSY:
            return "end the program that holds it"
        case _:
            return "check the device and the settings"
