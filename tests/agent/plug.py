"""A receiver on a pseudo-terminal that can be pulled and plugged in under another device name."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from hil.nmea import GnssState, epoch_sentences
from hil.pty_port import PtyLine

DEADLINE_S = 10.0
POLL_S = 0.005
SETTLE_S = 0.1  # below the silence that closes an epoch


class Plug:
    """One plugging-in: a new device name behind `link`; two at once never share a name."""

    def __init__(self, link: Path) -> None:
        self._line = PtyLine()
        self._master = self._line.open()
        self.path = self._line.path
        link.unlink(missing_ok=True)
        link.symlink_to(self.path)

    def speak(self, lat: float = 24.513, lon: float = 117.647) -> int:
        """One epoch of now; returns its time in ms once the other end has read it."""
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 10_000 * 10_000)  # as RMC carries it
        state = GnssState(utc=now, lat_deg=lat, lon_deg=lon, sog_mps=5.0, cog_deg=90.0)
        os.write(self._master, b"".join(epoch_sentences("GN", ["RMC", "GGA"], state)))
        self._until_taken()
        return round(now.timestamp() * 1000)

    def pull(self) -> None:
        self._line.close()

    def _until_taken(self) -> None:
        """The kernel counts bytes only once it has handed them over: none for a while."""
        begin_s = empty_s = time.monotonic()
        while (now_s := time.monotonic()) - empty_s < SETTLE_S:
            assert now_s - begin_s < DEADLINE_S, "nobody reads"
            if self._line.untaken_bytes():
                empty_s = now_s
            time.sleep(POLL_S)
