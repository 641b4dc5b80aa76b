"""A journal of many events, made by driving the core: incidents reported, attended and cleared.

Written into the journal of a halted matcher, with the fleet that it already knows, so that the
restarted one has a long past and an ordinary present.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from matcher.core.board import Board, Order
from matcher.core.commands import Command, EntryCame, Estimates, ManagerRequest
from matcher.core.decide import decide
from matcher.core.events import Candidate
from matcher.core.requests_incident import NEW
from matcher.journal.journal import Decision, Journal
from matcher.journal.schema import SCHEMA
from protocol import dispatch
from protocol import entry as entries
from protocol import request as rq
from protocol.order import Answer, AnswerMeans
from runtime.store import Store

GROUP: Final = 200  # decisions in one transaction of the file
STEP_MS: Final = 2_000
DESK: Final = bytes(16)
_ANSWERS: Final = (Answer.ACCEPT, Answer.EN_ROUTE, Answer.ON_SCENE, Answer.CLEAR)


def fill(path: Path, events: int, end_ms: int, say: Callable[[str], None]) -> int:
    """Append decisions until at least `events` events were added, the last before `end_ms`.

    Returns how many were added. Blocks for minutes where the core is slow. Raises StoreFault.
    """
    with Store(path, SCHEMA) as store:
        journal = Journal(store)
        driver = _Driver(journal.load(), end_ms - events * STEP_MS)
        added = 0
        while added < events:
            group = driver.incident()
            while len(group) < GROUP:
                group += driver.incident()
            asyncio.run(journal.append(group))
            before, added = added, added + sum(len(d.events) for d in group)
            if added // 10_000 != before // 10_000:
                say(f"{added} of {events} events")
        return added


class _Driver:
    """The same units attend one incident after the other, each to its end."""

    def __init__(self, board: Board, now_ms: int) -> None:
        self._board, self._now_ms = board, now_ms
        self._entry_n = 1_000_000
        self._units = [unit for unit in sorted(board.units) if board.units[unit].terminals]

    def incident(self) -> list[Decision]:
        """From its report to its clear."""
        done = [self._do(self._report())]
        order = list(self._board.orders.values())[-1]
        done += self._deliver(order)
        for answer in _ANSWERS:
            done.append(self._do(self._answer(order, answer)))
            done += self._deliver(order)
        return [decision for decision in done if decision.events]

    def _do(self, command: Command) -> Decision:
        return Decision(command, tuple(decide(self._board, command)))

    def _later_ms(self) -> int:
        self._now_ms += STEP_MS
        return self._now_ms

    def _report(self) -> ManagerRequest:
        now_ms = self._later_ms()
        request = rq.Report(
            request_id=str(uuid.UUID(int=now_ms)), issued_ms=now_ms, expires_ms=now_ms + 30_000,
            kind="theft", priority=2, place=rq.PlaceOf(lat=24.513, lon=117.647),
            plan=rq.PlanOf(units=1, alert=False),
        )  # fmt: skip
        candidates = tuple(
            Candidate(unit, 20_000 + 1_000 * n, 300 + 15 * n, 900, "live")
            for n, unit in enumerate(self._units)
        )
        estimates = (Estimates(NEW, candidates, (), ()),)
        return ManagerRequest(now_ms, DESK, "d01", "person 7", rq.encode(request), estimates)

    def _deliver(self, order: Order) -> list[Decision]:
        """The terminal keeps what is on its way to it."""
        return [self._do(command) for command in tuple(self._kept(order))]

    def _kept(self, order: Order) -> Iterator[EntryCame]:
        for enrolment in sorted(self._board.units[order.unit].terminals):
            for waiting in tuple(self._board.outbound.get(enrolment, ())):
                body = dispatch.decode(waiting.message).body
                revision = body.revision if isinstance(body, dispatch.Order) else None
                name = getattr(body, "order", None)
                yield self._entry(
                    enrolment,
                    entries.Delivered(waiting.term, waiting.counter, name, revision, "shown"),
                )

    def _answer(self, order: Order, answer: Answer) -> EntryCame:
        disposition = "handled" if answer is Answer.CLEAR else None
        return self._entry(
            min(self._board.units[order.unit].terminals),
            entries.OrderAnswer(
                order.order, 1, int(answer), int(AnswerMeans.TOUCH), None, disposition, None
            ),
        )

    def _entry(self, enrolment: bytes, body: entries.Body) -> EntryCame:
        now_ms = self._later_ms()
        self._entry_n += 1
        data = entries.encode(entries.Entry(now_ms, 3, 1, now_ms % 2**40, None, body))
        device = self._board.terminals[enrolment].device
        return EntryCame(now_ms, enrolment, device, self._entry_n, data, ())
