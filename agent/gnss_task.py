"""The receiver's bytes to judged fixes: port -> framing -> gate -> epoch -> integrity.

Garbage is counted and lived through; a receiver that vanishes is told by the silence that follows
(`whereabouts`). Wired by `agent.app`; runs until cancelled.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Final, Protocol

from agent.core import integrity
from agent.core.baud_search import BaudSearch
from agent.core.epoch import EpochAssembler
from agent.core.fix import Fix
from agent.core.framing import SentenceFramer
from agent.core.nmea import SentenceGate
from agent.settings import Gnss
from agent.timekeeper import Timekeeper
from agent.version import BUILT_MS
from runtime.log import get_log
from runtime.serial_port import Lost, Opened, PortEvent

log = get_log("gnss")

QUIET_S: Final = 0.4  # a line that is silent for so long has finished its epoch


class Port(Protocol):
    """What the task needs of `runtime.serial_port.SerialPort`."""

    def chunks(self) -> AsyncIterator[PortEvent]: ...
    def set_baud(self, baud: int) -> None: ...


class GnssTask:
    """`on_fix` gets each judged fix, in order."""

    def __init__(
        self, port: Port, settings: Gnss, timekeeper: Timekeeper, on_fix: Callable[[Fix], None]
    ) -> None:
        self._port, self._timekeeper, self._on_fix = port, timekeeper, on_fix
        self._settings = settings
        self._gate = SentenceGate()
        self._track = integrity.Track()
        self._restart()

    @property
    def counts(self) -> Counter[str]:
        """What was refused or dropped, by reason."""
        return self._gate.refused + self._framer.dropped + self._assembler.dropped

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        quiet: asyncio.TimerHandle | None = None
        search = BaudSearch(self._settings.baud, self._timekeeper.uptime_ms())
        async for event in self._port.chunks():
            if quiet is not None:
                quiet.cancel()
            match event:
                case Opened():
                    self._restart()
                    log.info("port_opened", port=event.path, baud=event.baud)
                case Lost():
                    log.limited("port_lost", reason=event.reason)
                case bytes():
                    self._search_baud(search, event, self._feed(event))
                    quiet = loop.call_later(QUIET_S, self._flush)

    def _restart(self) -> None:
        """Nothing of what came before an unplugging is joined to what comes after."""
        self._framer = SentenceFramer()
        built = datetime.fromtimestamp(BUILT_MS / 1000, UTC).date()
        self._assembler = EpochAssembler(not_before=built)

    def _feed(self, chunk: bytes) -> int:
        """How many sentences were taken."""
        return self._take(self._framer.feed(chunk))

    def _take(self, sentences: list[bytes]) -> int:
        taken = 0
        for raw in sentences:
            sentence = self._gate.accept(raw)
            if sentence is not None:
                taken += 1
                self._judge(self._assembler.feed(sentence))
        return taken

    def _flush(self) -> None:
        self._take(self._framer.pause())
        self._judge(self._assembler.flush())

    def _judge(self, fixes: list[Fix]) -> None:
        for fix in fixes:
            judged, self._track = integrity.check(fix, self._track, self._timekeeper.uptime_ms())
            self._on_fix(judged)

    def _search_baud(self, search: BaudSearch, chunk: bytes, sentences: int) -> None:
        baud = search.heard(len(chunk), sentences, self._timekeeper.uptime_ms())
        if baud is not None:
            log.limited("no_sentences", remedy="check wiring and protocol", trying_baud=baud)
            self._port.set_baud(baud)
