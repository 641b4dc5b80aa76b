"""After the centre was away - its link was cut, its disk full - every terminal is welcomed again.

What terminals said meanwhile is lost, or waits for its next repeat; a further welcome makes each
say its position and what is under way at once, so the picture and the logbooks go on within a
second or two (decision 0019). Wired by `matcher.app`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from matcher.engine import Engine
from matcher.registry import Registry
from matcher.sessions import Sessions
from protocol.refusal import Refused
from runtime.log import Log
from runtime.store import Store

LOOK_S: Final = 1.0
AT_ONCE: Final = 50  # answers come at once: a large fleet is asked a part at a time
PAUSE_S: Final = 0.05


class Reminder:
    """`soon` after each connection of our own; a full disk is noticed here."""

    def __init__(
        self,
        sessions: Sessions,
        store: Store,
        engine: Engine,
        registry: Callable[[], Registry],
        log: Log,
    ) -> None:
        self._sessions, self._store, self._engine = sessions, store, engine
        self._registry, self._log = registry, log
        self._wake = asyncio.Event()
        self._told_full = store.times_full

    def soon(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            if self._wake.is_set() or await self._has_room_again():
                self._wake.clear()
                await self._remind_all()

    async def _has_room_again(self) -> bool:
        """Whether commits failed on a full disk and the newest did not."""
        if self._store.is_full and not await self._store.has_room():
            return False
        was_full, self._told_full = self._told_full, self._store.times_full
        if was_full != self._told_full:
            self._log.info("journal_has_room")
        return was_full != self._told_full

    async def _remind_all(self) -> None:
        peers = list(self._registry().by_enrolment.values())
        for at in range(0, len(peers), AT_ONCE):
            now_ms = self._engine.now_ms()
            for peer in peers[at : at + AT_ONCE]:
                with contextlib.suppress(Refused):  # a twin's logbook: its birth is told about it
                    self._sessions.remind(peer, now_ms)
            await asyncio.sleep(PAUSE_S)
