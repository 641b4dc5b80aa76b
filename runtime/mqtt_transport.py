"""A TLS socket in the loop: readable, writable, ticking, pausing, ending. Knows no packet but ping.

A callback never raises into the loop, where an exception would only be logged: what goes wrong
ends the transport and is raised by `ended`. `runtime.mqtt_connection` owns one per connection.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from socket import SHUT_WR
from typing import Final, TypeVar

from runtime.liveness import Liveness, Pulse
from runtime.mqtt_socket import MqttSocket
from runtime.mqtt_types import PACKET_BYTES_MAX, ConnectionEnded, LinkCounters

_PINGREQ: Final = b"\xc0\x00"
_RECORDS_PER_TURN: Final = 16

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TransportHooks:
    """What the owner does when it may."""

    read: Callable[[], None]  # the socket's buffer has input
    turn: Callable[[], float | None]  # write; seconds until the next turn, None: when scheduled
    silent: Callable[[], ConnectionEnded]  # no sign of life
    lost: Callable[[], ConnectionEnded]  # the socket has an error


class Transport:
    """`socket` belongs to it; `ended` is done when it is over."""

    def __init__(
        self,
        tls: ssl.SSLSocket,
        keepalive_s: float,
        counters: LinkCounters,
        hooks: TransportHooks,
    ) -> None:
        self.socket = MqttSocket(tls, PACKET_BYTES_MAX, counters)
        self._counters, self._hooks = counters, hooks
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.ended.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._liveness = Liveness(keepalive_s, self._loop.time())
        self.is_paused = self._is_writing = False
        self._turn: asyncio.Handle | None = None
        self._again: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._loop.add_reader(self.socket, self._on_readable)

    def keep_alive(self, keepalive_s: float) -> None:
        """Begin to ask for signs of life."""
        self._liveness = Liveness(keepalive_s, self._loop.time())
        self._on_tick()

    def end(self, fault: BaseException) -> None:
        """Close at once; the first `fault` is what `ended` raises."""
        if not self.ended.done():
            self.ended.set_exception(fault)
        for handle in (self._turn, self._again, self._tick):
            if handle is not None:
                handle.cancel()
        self._unwatch()
        self.socket.release()

    async def first(self, future: "asyncio.Future[T]") -> T:
        """The result of `future`, or what ended the transport."""
        await asyncio.wait((future, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            await self.ended
        return future.result()

    async def finish(self) -> None:
        """Send what is in the buffer and wait until the other side has closed: closing over unread
        bytes would reset the connection, and might take the last packet with it."""
        if not self.flush():
            self._emptied = self._loop.create_future()
            await self.first(self._emptied)
        self._unwatch()
        with self.socket.detach() as plain:
            plain.shutdown(SHUT_WR)
            while await self._loop.sock_recv(plain, PACKET_BYTES_MAX):
                pass

    def pause(self) -> None:
        """Stop reading; pings go on."""
        if not self.is_paused and not self.ended.done():
            self.is_paused = True
            self._counters.pauses += 1
            self._loop.remove_reader(self.socket)

    def resume(self) -> None:
        """Read again, what is buffered first."""
        if self.is_paused and not self.ended.done():
            self.is_paused = False
            self._liveness.heard(self._loop.time())
            self._loop.add_reader(self.socket, self._on_readable)
            self._loop.call_soon(self._on_readable)

    def schedule(self) -> None:
        """Something waits to be written: take a turn when the loop comes round."""
        if self._turn is None and not self.ended.done():
            self._turn = self._loop.call_soon(self._on_turn)

    def flush(self) -> bool:
        """Into the kernel; what does not fit follows when it is writable again."""
        if self.ended.done():
            return False
        before = self.socket.bytes_out
        is_empty = self.socket.flush()
        if self.socket.bytes_out > before:
            self._liveness.said(self._loop.time())
        if self.socket.error is not None:
            self.end(self._hooks.lost())
            return False
        self._watch_writable(not is_empty)
        if is_empty and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)
        return is_empty

    # --- the loop's callbacks --------------------------------------------------------------------

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            if not self.ended.done():
                step()
        except Exception as fault:  # noqa: BLE001 - raised by `ended`
            self.end(fault)

    def _on_readable(self) -> None:
        self._guarded(self._read)

    def _on_turn(self) -> None:
        self._turn = None
        self._guarded(self._take_turn)

    def _on_tick(self) -> None:
        self._tick = self._loop.call_later(self._liveness.tick_s, self._on_tick)
        self._guarded(self._judge)

    def _read(self) -> None:
        """Some TLS records, so that the answers to all of them leave as one."""
        for _ in range(_RECORDS_PER_TURN):
            if self.is_paused or self.ended.done():
                return
            if not self.socket.has_input and not self.socket.fill():
                if self.socket.error is not None:
                    self.end(self._hooks.lost())
                return
            self._liveness.heard(self._loop.time())
            self._hooks.read()

    def _take_turn(self) -> None:
        if not self.flush():
            return  # writable again: the next turn
        again_s = self._hooks.turn()
        if again_s == 0:
            self.schedule()
        elif again_s is not None:
            if self._again is not None:
                self._again.cancel()
            self._again = self._loop.call_later(again_s, self.schedule)

    def _judge(self) -> None:
        written = self.socket.bytes_out
        delivered = written - self.socket.unsent_bytes()
        pulse = self._liveness.judge(self._loop.time(), written, delivered, deaf=self.is_paused)
        if pulse is Pulse.DEAD:
            self.end(self._hooks.silent())
        elif pulse is Pulse.PING:
            self.socket.send(_PINGREQ)
            self.flush()

    def _watch_writable(self, wanted: bool) -> None:
        if wanted and not self._is_writing:
            self._loop.add_writer(self.socket, self._on_turn)
        elif self._is_writing and not wanted:
            self._loop.remove_writer(self.socket)
        self._is_writing = wanted

    def _unwatch(self) -> None:
        if self.socket.fileno() >= 0:
            self._loop.remove_reader(self.socket)
            self._loop.remove_writer(self.socket)
