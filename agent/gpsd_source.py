"""A receiver behind gpsd to fixes: its JSON over TCP, for machines where gpsd owns the port.

gpsd is asked once (`?WATCH`); its reports are judged by `core/gpsd.py`. Lines are bounded, a gpsd
that ends or hangs is told at once and met again within a second. Made by the agent's GNSS task,
one for each `gpsd://` address; runs until cancelled.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Final

from agent.core.fix import Fix
from agent.core.gpsd import GpsdAddress, GpsdReports
from runtime.lines import LineCutter
from runtime.log import get_log

log = get_log("gpsd")

CONNECT_S: Final = 5.0
RETRY_S_MIN: Final = 0.2
RETRY_S_MAX: Final = 1.0
QUIET_S: Final = 0.25  # so long after the last report of an epoch it is whole
PROBE_S: Final = 10.0  # a gpsd that says nothing for so long is asked whether it lives
LINE_BYTES_MAX: Final = 65_536  # a SKY with all satellites in view takes about 10,000
_CHUNK_BYTES: Final = 16_384


class GpsdSource:
    """`on_fix` gets each epoch in order; `on_lost`: gpsd or its receiver has gone."""

    def __init__(
        self,
        address: GpsdAddress,
        not_before: date,
        on_fix: Callable[[Fix], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._address, self._not_before = address, not_before
        self._on_fix, self._on_lost = on_fix, on_lost
        self._before: Counter[str] = Counter()
        self._restart()

    @property
    def counts(self) -> Counter[str]:
        """What was refused or dropped, by reason."""
        return self._before + self._refused()

    async def run(self) -> None:
        retry_s, name = RETRY_S_MIN, f"{self._address.host}:{self._address.port}"
        while True:
            try:
                await self._watch()
            except (OSError, UnicodeError) as cause:  # a host that is no name
                log.limited("gpsd_lost", str(cause) or type(cause).__name__, gpsd=name)
            retry_s = RETRY_S_MIN if self._has_spoken else min(2 * retry_s, RETRY_S_MAX)
            self._lose()
            await asyncio.sleep(retry_s)

    def _restart(self) -> None:
        self._lines = LineCutter(LINE_BYTES_MAX)
        self._reports = GpsdReports(self._address.device, self._not_before)
        self._has_spoken = self._is_gone = False
        self._quiet: asyncio.TimerHandle | None = None

    def _refused(self) -> Counter[str]:
        return self._reports.refused + Counter(line_too_long=self._lines.too_long)

    async def _watch(self) -> None:
        """One connection, until it ends. Raises OSError (TimeoutError included)."""
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(self._address.host, self._address.port)
        try:
            writer.write(_watch_command(self._address.device))
            is_probed = False
            while True:
                try:
                    async with asyncio.timeout(PROBE_S):
                        chunk = await reader.read(_CHUNK_BYTES)
                except TimeoutError:
                    if is_probed:
                        raise TimeoutError("gpsd does not answer") from None
                    writer.write(b"?VERSION;\n")
                    is_probed = True
                    continue
                if not chunk:
                    raise ConnectionResetError("gpsd closed the connection")
                is_probed = False
                self._feed(chunk)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _feed(self, chunk: bytes) -> None:
        if not self._has_spoken:
            self._has_spoken = True
            log.info("gpsd_connected", host=self._address.host, port=self._address.port)
        if self._quiet is not None:
            self._quiet.cancel()
        for line in self._lines.feed(chunk):
            self._give(self._reports.feed(line))
            self._tell_gone()
        self._quiet = asyncio.get_running_loop().call_later(QUIET_S, self._flush)

    def _tell_gone(self) -> None:
        """Once, when gpsd says that the receiver has left it."""
        is_gone = self._reports.is_gone
        if is_gone and not self._is_gone:
            log.limited("gpsd_device_gone", "gpsd has closed its receiver")
            self._flush()
            self._on_lost()
        self._is_gone = is_gone

    def _lose(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        self._flush()
        self._before += self._refused()
        self._restart()
        self._on_lost()

    def _flush(self) -> None:
        self._give(self._reports.flush())

    def _give(self, fixes: list[Fix]) -> None:
        for fix in fixes:
            self._on_fix(fix)


def _watch_command(device: str | None) -> bytes:
    wanted: dict[str, object] = {"enable": True, "json": True}
    if device is not None:
        wanted["device"] = device
    return f"?WATCH={json.dumps(wanted)};\n".encode()
