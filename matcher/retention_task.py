"""Lets go what is past its time, in small transactions beside everything else, once an hour.

matcher/core/retention.py says what, matcher/journal/retention.py does it. Orders under evidence
hold (setting `retention.hold`) keep all that concerns them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from matcher.core.retention import Hold, Rules, is_held
from matcher.evidence.collect import EARLY_MS
from matcher.evidence.scope import NoSuchOrder, by_order
from matcher.journal import retention as journal
from matcher.settings import RetentionSettings
from runtime.faults import StoreBusy, StoreFull
from runtime.log import Log
from runtime.store import Store

STEP: Final = 100  # entries a transaction
PAGE: Final = 2_000
PAUSE_S: Final = 0.02  # between transactions: the main way goes first
HELD_LATE_MS: Final = 86_400_000  # what was kept offline belongs to the order too


class RetentionTask:
    """One sweep at the start, then one every `sweep_s`."""

    def __init__(
        self, settings: RetentionSettings, store: Store, now_ms: Callable[[], int], log: Log
    ) -> None:
        self._settings, self._store, self._now_ms, self._log = settings, store, now_ms, log
        self._rules = Rules(
            settings.track_full_days, settings.track_minute_days, settings.health_days,
            settings.witness_days, settings.quarantine_days, settings.quarantine_max,
        )  # fmt: skip

    async def run(self) -> None:
        while True:
            try:
                gone = await self.sweep()
            except (StoreFull, StoreBusy) as fault:
                self._log.limited("retention_waits", str(fault), remedy="free space")
            else:
                if gone:
                    self._log.info("retention", gone=gone)
            await asyncio.sleep(self._settings.sweep_s)

    async def sweep(self) -> int:
        """Everything that is due now; how much went. An order that cannot be found holds nothing
        and is said."""
        holds = await self._holds()
        gone = 0
        for kind in journal.KINDS:
            gone += await self._sweep_kind(int(kind), holds)
        gone += await self._drop_extracts(holds)
        now_ms, rules = self._now_ms(), self._rules
        gone += await self._store.commit(
            partial(journal.drop_witnesses, kept=self._settings.hold, rules=rules, now_ms=now_ms)
        )
        return gone + await self._store.commit(
            partial(journal.drop_quarantine, rules=rules, now_ms=now_ms)
        )

    async def _sweep_kind(self, kind: int, holds: Sequence[Hold]) -> int:
        now_ms, after, gone = self._now_ms(), journal.START, 0
        while True:
            page = await self._store.read(
                partial(journal.find_due, rules=self._rules, kind=kind, now_ms=now_ms, after=after,
                        most=PAGE)
            )  # fmt: skip
            free = [one for one in page if not is_held(holds, one.enrolment, one.received_ms)]
            for at in range(0, len(free), STEP):
                gone += await self._store.commit(
                    partial(journal.let_go, rules=self._rules, kind=kind,
                            due=free[at : at + STEP], now_ms=now_ms)
                )  # fmt: skip
                await asyncio.sleep(PAUSE_S)
            if len(page) < PAGE:
                return gone
            after = page[-1].mark

    async def _drop_extracts(self, holds: Sequence[Hold]) -> int:
        gone, now_ms = 0, self._now_ms()
        for logbook, enrolment in await self._store.read(_logbooks):
            keep = [(h.from_ms, h.to_ms) for h in holds if enrolment in h.enrolments]
            gone += await self._store.commit(
                partial(journal.drop_extracts, logbook=logbook, keep=keep, rules=self._rules,
                        now_ms=now_ms)
            )  # fmt: skip
            await asyncio.sleep(PAUSE_S)
        return gone

    async def _holds(self) -> list[Hold]:
        holds = []
        for order in self._settings.hold:
            try:
                holds.append(await self._store.read(partial(_hold, order=order)))
            except NoSuchOrder as fault:
                self._log.limited("hold_unknown", str(fault), remedy="correct retention.hold")
        return holds


def _hold(db: sqlite3.Connection, order: str) -> Hold:
    """By receipt, with a day for what came late."""
    scope = by_order(db, order)
    return Hold(
        scope.enrolments or frozenset(), scope.from_ms - EARLY_MS, scope.to_ms + HELD_LATE_MS
    )


def _logbooks(db: sqlite3.Connection) -> list[tuple[bytes, bytes]]:
    """Those that have an extract."""
    return db.execute(
        "SELECT logbook, enrolment FROM logbook WHERE EXISTS "
        "(SELECT 1 FROM thinned_track t WHERE t.logbook = logbook.logbook)"
    ).fetchall()
