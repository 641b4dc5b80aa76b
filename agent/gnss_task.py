"""The terminal's receivers to one stream of judged fixes: sources -> integrity -> choice.

Each receiver (a serial port, or gpsd) has a source and a track of its own; `core/receivers.py`
chooses. When the last of them vanishes, an epoch without a fix says so at once, flag `unplugged`; a
receiver that only falls silent is told by the silence that follows (`whereabouts`). Wired by
`agent.app`; runs until cancelled.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final, Protocol

from agent.core import integrity
from agent.core.fix import Fix, FixKind
from agent.core.receivers import Receivers
from agent.gpsd_source import GpsdSource
from agent.nmea_source import NmeaSource
from agent.settings import Gnss, ReceiverSettings
from agent.timekeeper import Timekeeper
from agent.version import BUILT_MS
from runtime.log import get_log
from runtime.serial_port import SerialPort

log = get_log("gnss")

RETRY_S_MAX: Final = 1.0  # a receiver that returns has its first fix within 5 s
UNPLUGGED: Final = Fix(
    epoch_ms=None, time_of_day_ms=None, lat_deg=None, lon_deg=None, alt_m=None, sog_mps=None,
    cog_deg=None, kind=FixKind.NONE, satellites=None, hdop=None, flags=("unplugged",),
)  # fmt: skip


class Source(Protocol):
    """One receiver; it was given where its fixes go."""

    @property
    def counts(self) -> Counter[str]: ...
    def run(self) -> Coroutine[Any, Any, None]: ...


class GnssTask:
    """`on_fix` gets each judged fix, in order, each epoch once."""

    def __init__(
        self, settings: Gnss, timekeeper: Timekeeper, on_fix: Callable[[Fix], None]
    ) -> None:
        self._timekeeper, self._on_fix = timekeeper, on_fix
        self._settings = settings.receivers
        self._receivers = Receivers(len(self._settings))
        self._tracks = [integrity.Track() for _ in self._settings]
        self._sources = [self._source(which, one) for which, one in enumerate(self._settings)]
        self._has_told_loss = False

    @property
    def counts(self) -> Counter[str]:
        """What was refused or dropped by all receivers, by reason, and how often they changed."""
        found = Counter(receiver_changes=self._receivers.changes, doubles=self._receivers.doubles)
        for source in self._sources:
            found.update(source.counts)
        return +found

    @property
    def disagreement_m(self) -> float | None:
        """How far two receivers are apart, beyond their error bounds and for seconds."""
        return self._receivers.disagreement_m(self._timekeeper.uptime_ms())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for which, source in enumerate(self._sources):
                tasks.create_task(source.run(), name=f"receiver {which}")

    def _source(self, which: int, settings: ReceiverSettings) -> Source:
        on_fix, on_lost = partial(self._judge, which), partial(self._lose, which)
        if settings.gpsd is not None:
            return GpsdSource(settings.gpsd, _built(), on_fix, on_lost)
        port = SerialPort(settings.port, settings.baud, retry_s_max=RETRY_S_MAX)
        return NmeaSource(port, _built(), self._timekeeper.uptime_ms, on_fix, on_lost)

    def _judge(self, which: int, fix: Fix) -> None:
        uptime_ms, used = self._timekeeper.uptime_ms(), self._receivers.active
        judged, self._tracks[which] = integrity.check(fix, self._tracks[which], uptime_ms)
        self._has_told_loss = False
        chosen = self._receivers.take(which, judged, uptime_ms)
        if self._receivers.active != used:
            log.warning("receiver_changed", port=self._settings[which].port)
        if chosen is not None:
            self._on_fix(chosen)

    def _lose(self, which: int) -> None:
        if self._receivers.lost(which) and not self._has_told_loss:
            self._has_told_loss = True
            self._on_fix(UNPLUGGED)


def _built() -> date:
    return datetime.fromtimestamp(BUILT_MS / 1000, UTC).date()
