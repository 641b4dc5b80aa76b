"""One receiver on a serial port to fixes: port -> framing -> gate -> epoch.

Garbage is counted and lived through, a wrong line speed is searched, a port that vanishes is told
at once. Made by the agent's GNSS task, one for each port; runs until cancelled.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Final, Protocol

from agent.core.baud_search import BaudSearch
from agent.core.epoch import EpochAssembler
from agent.core.fix import Fix
from agent.core.framing import SentenceFramer
from agent.core.nmea import SentenceGate
from runtime.log import get_log
from runtime.serial_port import Lost, Opened, PortEvent

log = get_log("gnss")

QUIET_S: Final = 0.4  # a line that is silent for so long has finished its epoch


class Port(Protocol):
    """What the source needs of `runtime.serial_port.SerialPort`."""

    baud: int

    def chunks(self) -> AsyncIterator[PortEvent]: ...
    def set_baud(self, baud: int) -> None: ...


class NmeaSource:
    """`on_fix` gets each epoch in order, `on_lost` is called when the port vanishes."""

    def __init__(
        self,
        port: Port,
        not_before: date,
        uptime_ms: Callable[[], int],
        on_fix: Callable[[Fix], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._port, self._uptime_ms = port, uptime_ms
        self._on_fix, self._on_lost, self._not_before = on_fix, on_lost, not_before
        self._search = BaudSearch(port.baud)
        self._gate = SentenceGate()
        self._before: Counter[str] = Counter()
        self._restart()

    @property
    def counts(self) -> Counter[str]:
        """What was refused or dropped, by reason."""
        return self._gate.refused + self._framer.dropped + self._assembler.dropped + self._before

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        quiet: asyncio.TimerHandle | None = None
        async for event in self._port.chunks():
            if quiet is not None:
                quiet.cancel()
            match event:
                case Opened():
                    log.info("port_opened", port=event.path, baud=event.baud)
                    self._search.reopened()
                case Lost():
                    self._lose(event.reason)
                case bytes():
                    self._try(self._search.heard(event, self._feed(event), self._uptime_ms()))
                    quiet = loop.call_later(QUIET_S, self._fall_quiet)

    def _restart(self) -> None:
        """Nothing of what came before an unplugging is joined to what comes after."""
        self._framer = SentenceFramer()
        self._assembler = EpochAssembler(self._not_before)

    def _lose(self, reason: str) -> None:
        log.limited("port_lost", reason=reason)
        self._flush()  # what was read is not lost
        self._before += self._framer.dropped + self._assembler.dropped
        self._restart()
        self._on_lost()

    def _feed(self, chunk: bytes) -> int:
        """How many sentences were taken."""
        return self._take(self._framer.feed(chunk))

    def _take(self, sentences: list[bytes]) -> int:
        taken = 0
        for raw in sentences:
            sentence = self._gate.accept(raw)
            if sentence is not None:
                taken += 1
                self._give(self._assembler.feed(sentence))
        return taken

    def _fall_quiet(self) -> None:
        self._flush()
        self._try(self._search.quiet(self._uptime_ms()))

    def _flush(self) -> None:
        self._take(self._framer.pause())
        self._give(self._assembler.flush())

    def _give(self, fixes: list[Fix]) -> None:
        for fix in fixes:
            self._on_fix(fix)

    def _try(self, baud: int | None) -> None:
        if baud is not None:
            log.limited("no_sentences", remedy="check wiring and protocol", trying_baud=baud)
            self._port.set_baud(baud)
