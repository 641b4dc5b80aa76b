"""Listens to a receiver with the agent's own parts: source, baud search, epochs, clock trust.

Ends as soon as the place and the time are known, else when no more can be expected. Only while no
agent runs: a port has one reader.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, date, datetime
from typing import Any, Final

from agent.core import clock_trust
from agent.core.clock_trust import ClockTrust
from agent.core.fix import Fix, FixKind
from agent.core.framing import SentenceFramer
from agent.core.nmea import SentenceGate
from agent.gpsd_source import GpsdSource
from agent.nmea_source import NmeaSource
from agent.settings import ReceiverSettings
from agent.version import BUILT_MS
from doctor.core.gnss import Heard
from runtime.clock import Clock
from runtime.serial_port import Lost, PortEvent, SerialPort

SEARCH_S: Final = 9.0  # all line speeds are tried in 8
LISTEN_S: Final = 5.5  # from the first sentence: five epochs at 1 Hz agree on the time
_IN_VIEW: Final = re.compile(rb"\$(..)GSV,\d+,\d+,(\d+)")


class _CountedPort:
    """The port as `NmeaSource` wants it, with an ear of our own."""

    def __init__(self, port: SerialPort, changed: Callable[[], None]) -> None:
        self._port, self._changed = port, changed
        self._framer, self._gate = SentenceFramer(), SentenceGate()
        self.bytes_in = self.sentences = 0
        self.lost = ""
        self.in_view: dict[bytes, int] = {}  # by talker

    @property
    def baud(self) -> int:
        return self._port.baud

    @baud.setter
    def baud(self, baud: int) -> None:
        self._port.baud = baud

    def set_baud(self, baud: int) -> None:
        self._port.set_baud(baud)

    async def chunks(self) -> AsyncIterator[PortEvent]:
        async with contextlib.aclosing(self._port.chunks()) as events:
            async for event in events:
                self._note(event)
                yield event

    def _note(self, event: PortEvent) -> None:
        if isinstance(event, bytes):
            self.bytes_in += len(event)
            for raw in self._framer.feed(event):
                before = self._gate.accepted
                self._gate.accept(raw)
                self.sentences += self._gate.accepted - before
                if found := _IN_VIEW.match(raw):
                    self.in_view[found[1]] = int(found[2])
        elif isinstance(event, Lost):
            self.lost = event.reason
        self._changed()


class Listener:
    """One receiver; `clock` afterwards holds what its dates say of the time."""

    def __init__(self, settings: ReceiverSettings, clock: Clock, floor_ms: int) -> None:
        self._settings, self._clock = settings, clock
        self.time = ClockTrust(floor_ms)
        self._best: Fix | None = None
        self._news = asyncio.Event()
        self._gpsd_lost = False

    async def listen(self) -> Heard:
        """What came; at most SEARCH_S + LISTEN_S."""
        address = self._settings.gpsd
        if address is not None:
            source = GpsdSource(address, _built(), self._on_fix, self._on_gpsd_lost)
            await self._until_known(source.run(), lambda: self._best is not None)
            return self._from_gpsd(f"gpsd at {address.host}:{address.port}")
        serial = SerialPort(self._settings.port, self._settings.baud)
        port = _CountedPort(serial, self._news.set)
        nmea = NmeaSource(port, _built(), self._clock.monotonic_ms, self._on_fix, lambda: None)
        await self._until_known(nmea.run(), lambda: port.sentences > 0, lambda: bool(port.lost))
        return Heard(
            source=self._settings.port,
            lost="" if port.bytes_in else port.lost,
            bytes_in=port.bytes_in,
            sentences=port.sentences,
            baud=port.baud,
            configured_baud=self._settings.baud,
            fix=self._best,
            in_view=sum(port.in_view.values()) if port.in_view else None,
        )

    @property
    def gnss_ms(self) -> int | None:
        """What the receiver says it is now; None: too few dates that agree."""
        return clock_trust.gnss_time_ms(self.time, self._clock.monotonic_ms())

    async def _until_known(
        self,
        run: Coroutine[Any, Any, None],
        has_spoken: Callable[[], bool],
        is_lost: Callable[[], bool] = lambda: False,
    ) -> None:
        reading = asyncio.ensure_future(run)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SEARCH_S) as limit:
                    await self._wait(lambda: has_spoken() or is_lost() or self._gpsd_lost)
                    limit.reschedule(asyncio.get_running_loop().time() + LISTEN_S)
                    await self._wait(lambda: self._is_known or is_lost() or self._gpsd_lost)
        finally:
            if not reading.done():
                reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    async def _wait(self, true: Callable[[], bool]) -> None:
        while not true():
            self._news.clear()
            await self._news.wait()

    @property
    def _is_known(self) -> bool:
        has_place = self._best is not None and self._best.kind is not FixKind.NONE
        return has_place and self.gnss_ms is not None

    def _from_gpsd(self, source: str) -> Heard:
        lost = f"{source} gives nothing" if self._best is None and self._gpsd_lost else ""
        return Heard(source=source, lost=lost, fix=self._best)

    def _on_fix(self, fix: Fix) -> None:
        if fix.kind is not FixKind.NONE:
            self.time = clock_trust.saw_fix(self.time, fix.epoch_ms, self._clock.monotonic_ms())
        if self._best is None or fix.kind is not FixKind.NONE:
            self._best = fix
        self._news.set()

    def _on_gpsd_lost(self) -> None:
        self._gpsd_lost = True
        self._news.set()


def _built() -> date:
    return datetime.fromtimestamp(BUILT_MS / 1000, UTC).date()
