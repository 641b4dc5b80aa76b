"""One device's port: bytes to its session, and what the session wants written.

Two loops per port, so that a device which does not read stops neither its own input nor anyone
else's. What comes faster than the line could carry it waits in the kernel, where it is lost to
its sender alone. Wired by `app`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Final

from firmware_bridge.core.pace import Pace
from firmware_bridge.core.session import Session
from runtime.clock import Clock
from runtime.faults import PortLost
from runtime.log import get_log
from runtime.serial_port import Lost, Opened, PortEvent, SerialPort
from runtime.service import Mark

WRITE_TIMEOUT_S: Final = 1.0
LOOK_S_MAX: Final = 5.0
PROMISE_S: Final = 20.0
BITS_PER_BYTE: Final = 10
HEADROOM: Final = 2  # a burst out of an adapter's buffer is no flood

log = get_log("device")


class PortTask:
    """`read` and `ask` run side by side; `wake` makes `ask` look at once."""

    def __init__(
        self, session: Session, port: SerialPort, clock: Clock, collect: Callable[[Session], None]
    ) -> None:
        self.session, self.wake = session, asyncio.Event()
        self._port, self._clock, self._collect = port, clock, collect
        bytes_per_s = HEADROOM * port.baud / BITS_PER_BYTE
        self._pace = Pace(bytes_per_s, burst=bytes_per_s)
        self._told = Counter[str]()

    async def read(self) -> None:
        """For ever: what the port says."""
        async with aclosing(self._port.chunks()) as events:
            async for event in events:
                delay_ms = self._take(event, self._clock.monotonic_ms())
                self._look()
                self.wake.set()
                if delay_ms:
                    self.session.counts["throttled"] += 1
                    await asyncio.sleep(delay_ms / 1000)

    async def ask(self, mark: Mark) -> None:
        """For ever: what the session wants written, at its time."""
        while True:
            mark.made()
            now_ms = self._clock.monotonic_ms()
            data = self.session.to_write(now_ms)
            self._look()
            if data:
                await self._write(data)
            await self._sleep(self.session.wake_ms() - self._clock.monotonic_ms())

    def _take(self, event: PortEvent, now_ms: int) -> int:
        """Returns how long to read no more, in ms."""
        name = self.session.name
        match event:
            case Opened():
                log.info("port_open", device=name, port=event.path)
                self.session.opened(now_ms)
            case Lost():
                log.warning("port_lost", device=name, reason=event.reason)
                self.session.lost(event.reason, now_ms)
            case bytes():
                self.session.received(event, now_ms)
                return self._pace.delay_ms(len(event), now_ms)
        return 0

    async def _write(self, data: bytes) -> None:
        try:
            await self._port.write(data, WRITE_TIMEOUT_S)
        except PortLost as fault:  # it will be asked again, or the device says its event again
            self.session.counts["write_failed"] += 1
            log.limited("write_failed", str(fault), device=self.session.name)

    async def _sleep(self, wait_ms: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(LOOK_S_MAX, wait_ms / 1000))):
                await self.wake.wait()
        self.wake.clear()

    def _look(self) -> None:
        """Hands on what the session has to say, and logs what it refused."""
        self._collect(self.session)
        if self.session.counts == self._told:
            return
        for reason, count in self.session.counts.items():
            if count != self._told[reason]:
                # the limit is per reason, so the device belongs into it
                log.limited("device_fault", f"{self.session.name}: {reason}", count=count)
        self._told = self.session.counts.copy()
