"""The lines between terminals and the broker: a TCP fault proxy for each, in a thread of its own.

with Lines(broker_port, "601", "602") as lines:
    lines["601"].do(TcpProxy.cut)
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from hil.tcp_proxy import TcpProxy

P = ParamSpec("P")
T = TypeVar("T")
_END_S = 10.0


class Line:
    """One terminal's way to the broker. Every call is done when it returns."""

    def __init__(self, proxy: TcpProxy, loop: asyncio.AbstractEventLoop) -> None:
        self.proxy, self._loop = proxy, loop

    @property
    def port(self) -> int:
        return self.proxy.port

    def do(
        self,
        fault: Callable[Concatenate[TcpProxy, P], T],
        *values: P.args,
        **named: P.kwargs,
    ) -> T:
        """`fault` of the proxy, in its own loop."""

        async def call() -> T:
            return fault(self.proxy, *values, **named)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(_END_S)


class Lines:
    """All of them, in one loop; a context manager."""

    def __init__(self, target_port: int, *names: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lines", daemon=True)
        self._proxies = {name: TcpProxy(target_port) for name in names}

    def __enter__(self) -> Self:
        self._thread.start()
        for proxy in self._proxies.values():
            asyncio.run_coroutine_threadsafe(proxy.__aenter__(), self._loop).result(_END_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for proxy in self._proxies.values():
            ending = proxy.__aexit__(None, None, None)
            asyncio.run_coroutine_threadsafe(ending, self._loop).result(_END_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_S)
        self._loop.close()

    def __getitem__(self, name: str) -> Line:
        return Line(self._proxies[name], self._loop)

    def __contains__(self, name: str) -> bool:
        return name in self._proxies
