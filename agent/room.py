"""What gives way on a full disk, in this order: what the centre has receipted, then old track.

Each step is a transaction of its own, smaller and smaller while the disk does not take it; the
blocks that were held back carry it where nothing else does. Called by the terminal when a commit
met a full disk.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from agent.core.thinning import THINNED_MAX
from agent.logbook import Logbook
from agent.logbook_file import Change
from protocol.entry import Body
from runtime.faults import StoreFull
from runtime.log import get_log

log = get_log("room")

STEPS: Final = (THINNED_MAX, 32, 8)


class Room:
    """`make` gives the change that holds one entry of now."""

    def __init__(self, logbook: Logbook, make: Callable[[Body], Change]) -> None:
        self._logbook, self._make = logbook, make

    async def made(self) -> bool:
        """Whether there is more room than before."""
        return await self._tried(self._drop_receipted) or await self._tried(self._thin)

    async def _tried(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """On the disk as it is, else on what was held back for this."""
        try:
            return await step()
        except StoreFull:
            if not self._logbook.use_reserve():
                return False
        log.warning("reserve_used")
        try:
            return await step()
        except StoreFull:
            return False

    async def _drop_receipted(self) -> bool:
        dropped = await self._logbook.make_room()
        if dropped:
            log.warning("receipted_entries_dropped_for_room")
        return dropped

    async def _thin(self) -> bool:
        full: StoreFull | None = None
        for most in STEPS:
            try:
                rows = await self._logbook.thin(self._make, most)
            except StoreFull as fault:
                full = fault
                continue
            if rows:
                log.warning("old_track_thinned", entry=rows[0].n)
            return bool(rows)
        assert full is not None
        raise full
