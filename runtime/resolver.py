"""Names to addresses without blocking the loop, and without hanging on a dead resolver.

One look-up at a time, in a daemon thread: a resolver that never answers costs one thread, and does
not hold up the end of the process. The last good addresses serve while the resolver does not.
Called by `runtime.mqtt_tls`.
"""

import asyncio
import contextlib
import socket
import threading
from typing import Final

_ADDRESSES_MAX: Final = 8
_PATIENCE_S: Final = 3.0  # then the last good addresses are tried meanwhile

Address = tuple[int, tuple[str | int | bytes, ...]]  # family and what connect() takes


class Resolver:
    """Looks up one name, again and again; call it from one loop only."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._known: list[Address] = []
        self._pending: asyncio.Future[list[Address]] | None = None

    async def addresses(self) -> list[Address]:
        """At most 8, in the system's order of preference. Raises OSError (socket.gaierror)."""
        if self._pending is None or self._pending.done():
            self._pending = self._start()
        try:
            patience_s = _PATIENCE_S if self._known else None
            self._known = await asyncio.wait_for(asyncio.shield(self._pending), patience_s)
        except OSError:  # a TimeoutError is one
            if not self._known:
                raise
        return self._known

    def _start(self) -> asyncio.Future[list[Address]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Address]] = loop.create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

        def settle(answer: list[Address] | OSError) -> None:
            if isinstance(answer, OSError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        def look_up() -> None:
            try:
                answer: list[Address] | OSError = _look_up(self._host, self._port)
            except OSError as cause:
                answer = cause
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, answer)

        threading.Thread(target=look_up, name="resolver", daemon=True).start()
        return future


def _look_up(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    unique: dict[Address, None] = {(family, address): None for family, _, _, _, address in found}
    return list(unique)[:_ADDRESSES_MAX]
