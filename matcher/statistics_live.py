"""Figures kept up to date beside the running matcher, for the statistics topic.

Counts of orders come from the board once, then from each event. The last day is read from the
journal in small steps after the start, then follows the events too. At a publication only groups
that changed are counted out. Orders of units that are not open to all are not counted. Called by
app.py and views.py.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from matcher.core import events as ev
from matcher.core.board import Board
from matcher.core.districts import Districts
from matcher.core.figures import Figures
from matcher.core.figures_load import HOUR_MS
from matcher.core.figures_spread import Spread
from matcher.core.visibility import is_open
from matcher.engine import Engine
from matcher.journal.journal import Row, rows
from matcher.statistics import Rendering
from protocol.figures import PeriodFigures
from protocol.order import OPEN, OrderState, OrderStep, advance
from runtime.faults import StoreBusy
from runtime.log import Log
from runtime.store import Store

T = TypeVar("T")
DAY_MS: Final = 24 * HOUR_MS
_ROWS_AT_ONCE: Final = 50  # two or three milliseconds of the loop
_AGAIN_S: Final = 1.0


class LiveStatistics:
    """`on_events` after each commit; `run` reads the last day once and ends."""

    def __init__(
        self, engine: Engine, store: Store, districts: Districts, utc_offset_min: int, log: Log
    ) -> None:
        self._engine, self._store, self._log = engine, store, log
        self._districts, self._utc_offset_min = districts, utc_offset_min
        self.orders_by_state: Counter[str] = Counter()
        self.response = Spread()  # order to on scene, since the journal's beginning
        self._state_of: dict[str, OrderState] = {}  # open orders
        self._hidden: set[str] = set()  # orders that are not counted
        self._figures = Figures()
        self._rendering = Rendering(self._figures, 0)
        self._is_whole = False  # the last day has been read

    def begin(self) -> None:
        """From the board as it is, and listen to what follows."""
        board, now_ms = self._engine.board, self._engine.now_ms()
        self._count_orders(board)
        self._figures = Figures(
            since_ms=(now_ms - DAY_MS) // HOUR_MS * HOUR_MS, district_of=self._districts.at,
            utc_offset_min=self._utc_offset_min, keep=True,
        )  # fmt: skip
        self._figures.take(_fleet_of(board, now_ms))
        self._rendering = Rendering(self._figures, self._utc_offset_min)
        self._engine.listen(self.on_events)

    def _count_orders(self, board: Board) -> None:
        """Those of units that are open to all now."""
        self.orders_by_state, self.response = Counter(), Spread()
        self._state_of, self._hidden = {}, set()
        for order in board.orders.values():
            state = OrderState(order.state)
            if not is_open(board.units[order.unit]):
                self._hidden.add(order.order)
                continue
            self.orders_by_state[state] += 1
            if state in OPEN:
                self._state_of[order.order] = state
            if OrderState.ON_SCENE in order.times_ms:
                self.response.add(order.times_ms[OrderState.ON_SCENE] - order.issued_ms)

    def on_events(self, events: Sequence[ev.Event]) -> None:
        """Called after their commit."""
        is_anew = any(isinstance(event, ev.VisibilitySet) for event in events)
        if is_anew:
            self._count_orders(self._engine.board)
        for event in events:
            if not is_anew:
                self._follow(event)
            if self._is_whole:
                self._figures.take(event)

    def _follow(self, event: ev.Event) -> None:
        if isinstance(event, ev.OrderIssued):
            if not is_open(self._engine.board.units[event.unit]):
                self._hidden.add(event.order)
                return
            self.orders_by_state[OrderState.ISSUED] += 1
            self._state_of[event.order] = OrderState.ISSUED
        elif isinstance(event, ev.OrderStepped) and event.order not in self._hidden:
            self._stepped(event)

    def _stepped(self, e: ev.OrderStepped) -> None:
        # of the closed ones only an expired order moves again
        before = self._state_of.pop(e.order, OrderState.EXPIRED)
        after = advance(before, OrderStep(e.step))
        self.orders_by_state[before] -= 1
        self.orders_by_state[after] += 1
        if after in OPEN:
            self._state_of[e.order] = after
        if after is OrderState.ON_SCENE:
            self.response.add(e.at_ms - self._engine.board.orders[e.order].issued_ms)

    async def run(self) -> None:
        """Read the journal's last day, beside the work, until the events have caught up."""
        since_ms = self._figures.since_ms
        after = await self._read(partial(_seq_before, at_ms=since_ms))
        while after < self._engine.journaled:
            found = await self._read(partial(_some_rows, after=after))
            for row in found:
                for event in row.decision().events:
                    self._figures.take(event)
                after = row.seq
            await asyncio.sleep(0)
        self._is_whole = True  # nothing was awaited since the comparison: no event is missed

    async def _read(self, work: partial[T]) -> T:
        while True:
            try:
                return await self._store.read(work)
            except StoreBusy as busy:
                self._log.limited("statistics_wait", str(busy))
                await asyncio.sleep(_AGAIN_S)

    def day(self, now_ms: int) -> PeriodFigures | None:
        """Incidents reported since the full hour 24 hours ago; None until they are read."""
        if not self._is_whole:
            return None
        if now_ms - DAY_MS >= self._figures.since_ms + HOUR_MS:
            self._figures.forget_before(now_ms - DAY_MS)
        return self._rendering.period(self._figures.since_ms, now_ms, now_ms)


def _fleet_of(board: Board, now_ms: int) -> ev.FleetConfigured:
    """The units as they are, for what happened before the journal's last day names them."""
    units = tuple(
        ev.UnitSpec(u.unit, u.kind, u.officers, u.capabilities, u.visibility, u.group)
        for u in board.units.values()
    )
    return ev.FleetConfigured(now_ms, board.mode, units)


def _seq_before(db: sqlite3.Connection, at_ms: int) -> int:
    """The last transaction before `at_ms`, by halving: times rise, but for a stepped clock."""
    low, high = 0, db.execute("SELECT coalesce(max(seq), 0) FROM tx").fetchone()[0]
    while low < high:
        middle = (low + high + 1) // 2
        found = db.execute("SELECT at_ms FROM tx WHERE seq = ?", (middle,)).fetchone()
        if found is not None and found[0] < at_ms:
            low = middle
        else:
            high = middle - 1
    return int(low)


def _some_rows(db: sqlite3.Connection, after: int) -> list[Row]:
    return list(islice(rows(db, after), _ROWS_AT_ONCE))
