"""A receiver that knows what it said: one pseudo-terminal for each sender, every epoch noted.

Silent towards a sender whose process is down, so every position that counts was taken over by a
living process. Used by bench/uplink.py.
"""

from __future__ import annotations

import asyncio
import os
import select
import tty
from datetime import UTC, datetime
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Final

from runtime.clock import SystemClock

STEP_MS: Final = 100
TAKEN_S: Final = 0.15  # a living sender has taken over what it was told
OPENED_S: Final = 0.4  # from the opening of a port until its reader has set it up
OPEN_S: Final = 20.0
_PLACE: Final = "2430.78000,N,11738.82000,E"


class Mouth:
    """One sender's line; `said` are the epochs, in ms UTC, that went into it."""

    def __init__(self, link: Path) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        link.symlink_to(os.ttyname(slave))
        os.close(slave)
        self.said: list[int] = []
        self.is_mute = True

    def say(self, epoch_ms: int) -> None:
        """Raises BlockingIOError where the sender does not read: a bench that measures nothing."""
        if not self.is_mute:
            os.write(self._master, sentences(epoch_ms))
            self.said.append(epoch_ms)

    @property
    def is_open(self) -> bool:
        """Whether a process has the far end open: the kernel tells the near end of a hang-up."""
        poll = select.poll()
        poll.register(self._master, 0)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))

    async def opened(self) -> None:
        """Wait for the reader, then speak. Raises TimeoutError."""
        await self._until(is_open=True)
        await asyncio.sleep(OPENED_S)
        self.is_mute = False

    async def closed(self) -> None:
        """Wait until the reader is gone. Raises TimeoutError."""
        await self._until(is_open=False)

    async def _until(self, *, is_open: bool) -> None:
        async with asyncio.timeout(OPEN_S):
            while self.is_open is not is_open:  # noqa: ASYNC110 - the kernel has no event for it
                await asyncio.sleep(0.005)

    async def mute(self) -> None:
        """Say no more, and let what was said be taken."""
        self.is_mute = True
        await asyncio.sleep(TAKEN_S)

    def close(self) -> None:
        os.close(self._master)


async def speak(mouths: list[Mouth], count: int) -> None:
    """`count` epochs on the grid of STEP_MS, to every sender that listens."""
    clock, said, last_ms = SystemClock(), 0, 0
    while said < count:
        now_ms = clock.utc_ms()
        epoch_ms = max(now_ms // STEP_MS * STEP_MS, last_ms + STEP_MS)
        await asyncio.sleep(max(0, epoch_ms - now_ms) / 1000)
        for mouth in mouths:
            mouth.say(epoch_ms)
        said, last_ms = said + 1, epoch_ms


def sentences(epoch_ms: int) -> bytes:
    """RMC and GGA of one epoch."""
    at = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    moment = f"{at:%H%M%S}.{at.microsecond // 10_000:02d}"
    return _line(f"GNRMC,{moment},A,{_PLACE},0.1,,{at:%d%m%y},,,A") + _line(
        f"GNGGA,{moment},{_PLACE},1,09,0.9,12.0,M,0.0,M,,"
    )


def moment_of(line: str) -> str | None:
    """`hhmmss.ss` of an RMC sentence with its right checksum; None for anything else."""
    body, star, check = line.strip().removeprefix("$").partition("*")
    if not body.startswith("GNRMC,") or not star or f"{reduce(xor, body.encode(), 0):02X}" != check:
        return None
    return body.split(",")[1]


def moment_text(epoch_ms: int) -> str:
    """The same of an epoch."""
    at = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    return f"{at:%H%M%S}.{at.microsecond // 10_000:02d}"


def _line(body: str) -> bytes:
    return f"${body}*{reduce(xor, body.encode(), 0):02X}\r\n".encode()
