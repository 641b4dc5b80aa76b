"""Where commands become events: decide, keep, then let others know. One at a time.

The decision is applied while it is made; if the journal cannot keep it, the board is read again
from the journal, as if the command had never come.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from matcher.centre_clock import CentreClock
from matcher.core import events as ev
from matcher.core.board import Board
from matcher.core.commands import Command, EntryCame, ManagerRequest, Tick
from matcher.core.decide import decide, needs, wants_place
from matcher.core.estimate import estimate, here_of
from matcher.core.positions import PositionBook
from matcher.journal.journal import Decision, Journal
from runtime.clock import Clock
from runtime.faults import StoreFull

FULL_AGAIN_MS = 1_000
Listener: TypeAlias = Callable[[Sequence[ev.Event]], None]


class Engine:
    """Owns the board. Listeners are told of events only after their commit."""

    def __init__(self, journal: Journal, positions: PositionBook, clock: Clock) -> None:
        self.board: Board = journal.load()
        self.positions = positions
        self._journal, self._clock = journal, clock
        self._lock = asyncio.Lock()
        self._listeners: list[Listener] = []
        self._time = CentreClock(clock, journal.newest_ms())
        self._full: StoreFull | None = None
        self._full_ms = 0

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    @property
    def journaled(self) -> int:
        """Transactions in the journal."""
        return self._journal.seq

    @property
    def is_settled(self) -> bool:
        """False while a decision is on its way to the disk: what the board says may not hold."""
        return not self._lock.locked()

    async def settled(self) -> None:
        """Wait for a decision that is on its way."""
        async with self._lock:
            return

    def now_ms(self) -> int:
        """UTC that never runs back: answer times survive a clock that is being set."""
        return self._time.now_ms()

    async def run(
        self,
        *commands: Command,
        beside: Callable[[sqlite3.Connection], None] | None = None,
    ) -> list[ev.Event]:
        """Decide and commit `commands` as one transaction, then tell the listeners.

        Raises what the store raises; nothing has happened then.
        """
        async with self._lock:
            self._check_room()
            try:
                decisions = [d for d in map(self._decide, commands) if d.events]
                if decisions or beside is not None:
                    await self._journal.append(decisions, beside)
            except BaseException as cause:
                self.board = self._journal.load()
                if isinstance(cause, StoreFull):
                    self._full, self._full_ms = cause, self._clock.monotonic_ms()
                raise
            events = [event for decision in decisions for event in decision.events]
            if events:
                for listener in self._listeners:
                    listener(events)
            return events

    def _check_room(self) -> None:
        """On a full disk one try a second is enough; the others fail at once, nothing decided."""
        full, self._full = self._full, None
        if full is not None and self._clock.monotonic_ms() - self._full_ms < FULL_AGAIN_MS:
            self._full = full
            raise full

    def _decide(self, command: Command) -> Decision:
        command = self._with_estimates(command)
        return Decision(command, tuple(decide(self.board, command)))

    def _with_estimates(self, command: Command) -> Command:
        """Travel times as they are now, for the incidents that the decision may look at."""
        if not isinstance(command, ManagerRequest | EntryCame | Tick):
            return command
        if isinstance(command, EntryCame) and wants_place(command):
            here = here_of(self.board, self.positions, command.enrolment, command.now_ms)
            command = replace(command, here=here)
        found = tuple(
            estimate(self.board, self.positions, command.now_ms, incident, lat, lon)
            for incident, lat, lon in needs(self.board, command)
        )
        return replace(command, estimates=found)
