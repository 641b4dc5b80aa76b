"""En route and on scene by themselves: what `core/arrival` finds in the fixes becomes an answer.

A claim holds until its order has moved on, so what a full disk refused is tried again. Owned by
`whereabouts`, which feeds each fix and gives the turn.
"""

from typing import Final

from agent.core.answers import CrewRefused
from agent.core.arrival import Arrival, Claim
from agent.core.fix import Fix
from agent.core.ignition import Ignition
from agent.terminal import Terminal
from runtime.faults import StoreBusy, StoreFull
from runtime.log import get_log

log = get_log("arrivals")

RETRY_MS: Final = 1000  # after a full disk


class Arrivals:
    """One terminal's."""

    def __init__(self, terminal: Terminal, ignition: Ignition) -> None:
        self._terminal, self._ignition = terminal, ignition
        self._arrival = Arrival()
        self._retry_ms = 0

    def fix(self, fix: Fix, uptime_ms: int) -> bool:
        """A placed fix; whether there is something to tell."""
        self._arrival.feed(fix, uptime_ms)
        return uptime_ms >= self._retry_ms and bool(self._claims(uptime_ms))

    async def tell(self, uptime_ms: int) -> None:
        """Commit what holds now."""
        if uptime_ms < self._retry_ms:
            return
        for claim in self._claims(uptime_ms):
            try:
                await self._terminal.claimed(claim)
            except CrewRefused as refused:  # the crew, or a cancel, was first
                log.debug("claim_late", order=claim.order, reason=refused.reason)
            except (StoreFull, StoreBusy):
                self._retry_ms = uptime_ms + RETRY_MS
                return
            else:
                log.info("by_itself", order=claim.order, answer=claim.answer.word)

    def _claims(self, uptime_ms: int) -> tuple[Claim, ...]:
        cards = self._terminal.state.desk.cards.values()
        is_off = self._ignition.is_on is False
        return self._arrival.claims(cards, uptime_ms, is_switched_off=is_off)
