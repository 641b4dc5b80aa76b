"""Newline-delimited frames over a Unix stream socket: the server side.

Frame: bytes without a newline, then `\\n`; at most `line_max` bytes. Peer's user id is checked
(SO_PEERCRED), the socket file has mode 0660. One slow, flooding or broken client costs itself
only: its lines are throttled, its full outbox gets it cut, each counted in `counts`.
Callers: the agent (devices, crew's command line); clients are in `local_client`.
"""

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Final

from runtime.clock import Clock, SystemClock
from runtime.faults import ConfigFault
from runtime.lines import LINE_MAX, LineCutter, TokenBucket
from runtime.log import get_log

CLIENTS_MAX: Final = 16
OUTBOX_BYTES_MAX: Final = 256 * 1024
LINES_PER_S: Final = 200.0
LINES_BURST: Final = 400.0
_CHUNK_BYTES: Final = 65_536
_FLUSH_S: Final = 1.0
_SOCKET_MODE: Final = 0o660
_PEERCRED: Final = struct.Struct("3i")  # pid, uid, gid

log = get_log("local_socket")


class Client:
    """One connection, as the handler sees it."""

    def __init__(self, number: int, connection: socket.socket, counts: Counter[str]) -> None:
        self.number = number
        self.pid, self.uid, _ = peer_of(connection)
        self.is_cut = False
        self.connection = connection
        self._counts = counts
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._some, self._empty = asyncio.Event(), asyncio.Event()
        self._empty.set()

    def send(self, line: bytes) -> bool:
        """Queue a frame; False where the client is gone, or is cut now as it does not read."""
        if b"\n" in line:
            raise ValueError("a frame must not contain a newline")
        if self._outbox_bytes + len(line) > OUTBOX_BYTES_MAX:
            self.cut("slow")
        if self.is_cut:
            return False
        self._outbox.append(line + b"\n")
        self._outbox_bytes += len(line) + 1
        self._empty.clear()
        self._some.set()
        return True

    def cut(self, reason: str) -> None:
        """End the connection; what is queued is dropped."""
        if not self.is_cut:
            self.is_cut = True
            self._counts[f"cut_{reason}"] += 1
            log.limited("client_cut", reason, pid=self.pid, uid=self.uid)
            with contextlib.suppress(OSError):  # the peer was faster
                self.connection.shutdown(socket.SHUT_RDWR)
            self._empty.set()

    async def send_all(self) -> None:
        """Write the outbox until cancelled; a peer that is gone is seen by the receiver."""
        loop = asyncio.get_running_loop()
        while not self.is_cut:
            await self._some.wait()
            self._some.clear()
            while self._outbox:
                line = self._outbox.popleft()
                try:
                    await loop.sock_sendall(self.connection, line)
                except OSError:
                    self.cut("gone")
                    return
                self._outbox_bytes -= len(line)
            self._empty.set()

    async def flush(self, timeout_s: float) -> None:
        """Wait until the outbox is written, at most `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout_s)


Handler = Callable[[Client, bytes], Awaitable[None]]


class LocalServer:
    """Serves `handler(client, line)`, one line of a client at a time, clients side by side."""

    def __init__(
        self,
        path: Path,
        handler: Handler,
        allowed_uids: Collection[int],
        *,
        line_max: int = LINE_MAX,
        clients_max: int = CLIENTS_MAX,
        on_close: Callable[[Client], None] | None = None,
        on_refused: Callable[[Client, str], None] | None = None,
        lines_per_s: float = LINES_PER_S,
        lines_burst: float = LINES_BURST,
        clock: Clock | None = None,
    ) -> None:
        """`on_close`: a client has left; `on_refused`: a line was too long (client, reason)."""
        self.path, self.counts = path, Counter[str]()
        self._handler, self._allowed_uids = handler, frozenset(allowed_uids)
        self._line_max, self._clients_max = line_max, clients_max
        self._on_close, self._on_refused = on_close, on_refused
        self._rate = (lines_per_s, lines_burst)
        self._clock = clock or SystemClock()
        self._clients: dict[int, Client] = {}
        self._listener: socket.socket | None = None
        self._accepted = 0

    @property
    def clients(self) -> tuple[Client, ...]:
        return tuple(self._clients.values())

    def listen(self) -> None:
        """Take the socket file, a stale one too; raises ConfigFault where that cannot be."""
        _remove_stale(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            os.fchmod(listener.fileno(), _SOCKET_MODE)  # never wider, not even before chmod
            listener.bind(str(self.path))
            self.path.chmod(_SOCKET_MODE)
            listener.listen(self._clients_max)
            listener.setblocking(False)
        except OSError as cause:
            listener.close()
            remedy = "create the folder, give this user write access, keep the path under 108 bytes"
            raise ConfigFault(self.path, "cannot listen here", str(cause), remedy) from cause
        self._listener = listener

    async def run(self) -> None:
        """Serve until cancelled; an exception of the handler ends it, as it is our fault."""
        if self._listener is None:
            self.listen()
        assert self._listener is not None
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    client = await self._accept(self._listener)
                    if client is not None:
                        tasks.create_task(self._serve(client), name=f"client-{client.number}")
        finally:
            self._listener.close()
            self._listener = None
            for client in self.clients:  # those cancelled before their first step
                client.connection.close()
            self.path.unlink(missing_ok=True)

    async def _accept(self, listener: socket.socket) -> Client | None:
        try:
            connection = await _accepted(listener)
        except OSError as cause:  # out of descriptors: keep the old ones, shed the new
            self.counts["refused_resources"] += 1
            log.limited("accept_failed", str(cause))
            await asyncio.sleep(0.1)
            return None
        self._accepted += 1
        client = Client(self._accepted, connection, self.counts)
        if client.uid not in self._allowed_uids:
            client.cut("not_allowed")
        elif len(self._clients) >= self._clients_max:
            client.cut("too_many")
        if client.is_cut:
            connection.close()
            return None
        self._clients[client.number] = client
        return client

    async def _serve(self, client: Client) -> None:
        sender = asyncio.create_task(client.send_all())
        try:
            await self._receive(client)
            await client.flush(_FLUSH_S)  # a peer may end its side and still want the answer
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            del self._clients[client.number]
            client.is_cut = True
            client.connection.close()
            if self._on_close is not None:
                self._on_close(client)

    async def _receive(self, client: Client) -> None:
        loop = asyncio.get_running_loop()
        cutter, bucket = LineCutter(self._line_max), TokenBucket(*self._rate, self._clock)
        while not client.is_cut:
            try:
                chunk = await loop.sock_recv(client.connection, _CHUNK_BYTES)
            except OSError:
                return
            if not chunk:
                return
            for line in cutter.feed(chunk):
                await self._throttle(bucket)
                await self._handler(client, line)
            self._tell_too_long(client, cutter)

    async def _throttle(self, bucket: TokenBucket) -> None:
        delay_s = bucket.take()
        if delay_s > 0:
            self.counts["throttled"] += 1
            await asyncio.sleep(delay_s)

    def _tell_too_long(self, client: Client, cutter: LineCutter) -> None:
        if cutter.too_long:
            self.counts["too_long"] += cutter.too_long
            cutter.too_long = 0
            reason = f"a line is longer than {self._line_max} bytes"
            log.limited("line_refused", reason, pid=client.pid)
            if self._on_refused is not None:
                self._on_refused(client, reason)


async def _accepted(listener: socket.socket) -> socket.socket:
    """The next connection; unlike the loop's own sock_accept none is lost when cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError):
            is_readable = asyncio.Event()
            loop.add_reader(listener, is_readable.set)
            try:
                await is_readable.wait()
            finally:
                loop.remove_reader(listener)
        else:
            connection.setblocking(False)
            return connection


def peer_of(connection: socket.socket) -> tuple[int, int, int]:
    """(pid, uid, gid) of the other end, as the kernel says."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size)
    pid, uid, gid = _PEERCRED.unpack(raw)
    return pid, uid, gid


def _remove_stale(path: Path) -> None:
    """Remove the socket file of a process that died; refuse a living one's, and other files."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing there, or bind says what is wrong
    if not stat.S_ISSOCK(mode):
        raise ConfigFault(path, "is no socket", None, "remove it or name another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise ConfigFault(path, "is served by another process", None, "stop the other one first")
