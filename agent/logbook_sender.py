"""Sends the logbook: urgent entries at once, the backlog beside them, each until its receipt.

One backlog batch is under way at a time; batches are repeated byte for byte. A receipt that is
beyond or unlike the own chain closes the logbook: a new one begins, which names it, and what has
no receipt moves there. Called by the uplink.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

from agent.core.outbox import Outbox, Sending, batch_bytes
from agent.logbook import Fit, Logbook
from agent.logbook_chain import Row
from agent.logbook_file import Change
from agent.seals import Seals
from agent.terminal import Terminal
from agent.waiting import wait_at_most
from protocol import logbook as wire
from protocol.entry import Alarm
from protocol.envelope import Kind
from protocol.logbook import Head, Receipt
from protocol.pruned import PROOF_BYTES_MAX, Pruned
from runtime.log import get_log

log = get_log("logbook")

IDLE_S: Final = 30.0
FRESH_MAX: Final = 256
NEW_LOGBOOK: Final = "logbook_renewed"

PublishBatch = Callable[[bytes, bool], bool]  # message, urgent


class LogbookSender:
    """`publish` hands a batch to the link; `throughput` is the link's, bytes a second."""

    def __init__(
        self,
        logbook: Logbook,
        terminal: Terminal,
        seals: Seals,
        publish: PublishBatch,
        throughput: Callable[[], float | None],
    ) -> None:
        self._logbook, self._terminal, self._seals = logbook, terminal, seals
        self._publish, self._throughput = publish, throughput
        self._outbox = Outbox()
        self._fresh: dict[int, Row] = {}  # urgent entries just appended, to be sent at once
        self._told_less = (b"", -1)  # logbook, and what the centre knew of it
        self._is_open = False
        self._wake = asyncio.Event()
        logbook.on_appended = self._appended

    @property
    def waiting_entries(self) -> int:
        return self._outbox.waiting_entries

    def is_at_centre(self, n: int) -> bool:
        """Whether the centre has receipted entry `n`."""
        return self._outbox.is_at_centre(n)

    async def reload(self) -> None:
        """Begin anew from what is on disk."""
        while True:
            last_n, book = self._logbook.synced_n, self._logbook.book
            urgent = await self._logbook.urgent_waiting()
            if (last_n, book) == (self._logbook.synced_n, self._logbook.book):
                break
        self._fresh.clear()
        self._outbox.reset(book.receipted_n, book.ranges, last_n, urgent)
        self._wake.set()

    def open(self) -> None:
        """The centre has welcomed this connection, for the first time or anew."""
        self._is_open = True
        self._outbox.connected(self._terminal.timekeeper.uptime_ms())
        self._wake.set()

    def shut(self) -> None:
        self._is_open = False

    async def run(self) -> None:
        while True:
            if self._is_open:
                await self._send()
            await self._sleep()

    async def receipt(self, receipt: Receipt, sealed: bytes) -> None:
        """The centre says what it has committed. Raises StoreFull."""
        fit = await self._logbook.judge(receipt.logbook, receipt.n, receipt.head)
        if fit is Fit.DIFFERS:
            await self._renew(receipt.n)
        elif fit is Fit.FITS and self._outbox.seems_lower(receipt.n):
            await self._step_back(receipt.n)
        elif fit is not Fit.OTHER_BOOK:
            await self._take(receipt.n, receipt.ranges, sealed)
            self._outbox.heard(self._terminal.timekeeper.uptime_ms())
            self._wake.set()

    async def welcome(self, book: bytes, n: int, head: bytes) -> None:
        """What the centre holds, said at a connection; lower than held: it has lost some."""
        fit = await self._logbook.judge(book, n, head)
        if fit is Fit.DIFFERS:
            await self._renew(n)
            return
        known = n if fit is not Fit.OTHER_BOOK else 0
        if known < self._outbox.receipted_n:
            await self._step_back(known)
        else:
            await self._take(known, (), b"")

    async def _take(self, n: int, ranges: Sequence[tuple[int, int]], sealed: bytes) -> None:
        before = self._outbox.receipted_n, self._outbox.ranges
        self._outbox.receipted(n, ranges)
        after = self._outbox.receipted_n, self._outbox.ranges
        if after != before:
            await self._logbook.receipted(*after, sealed)
            self._wake.set()
            self._terminal.stirred()

    async def _step_back(self, n: int) -> None:
        """Show the centre its own receipt, and send again what it has lost and we still hold."""
        book = self._logbook.book
        log.warning("centre_knows_less", n=n, receipted=self._outbox.receipted_n)
        if self._told_less != (book.id, n):
            proof = book.proof if len(book.proof) <= PROOF_BYTES_MAX else b""
            body = Pruned(book.base_n, book.base_head, proof)
            await self._terminal.commit(lambda _n: Change((self._terminal.entry(body),)))
            self._told_less = (book.id, n)
        await self._logbook.receipted(max(n, book.base_n), ())
        await self.reload()

    async def _renew(self, n: int) -> None:
        log.error("logbook_renewed", receipt_n=n, own_n=self._logbook.synced_n)
        alarm = Alarm(NEW_LOGBOOK, f"receipt {n} does not fit this logbook's chain; began another")
        await self._logbook.renew(lambda body: Change((self._terminal.entry(body),)), alarm)
        await self.reload()

    def _appended(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._outbox.appended(row.n, row.urgent)
            if row.urgent and len(self._fresh) < FRESH_MAX:
                self._fresh[row.n] = row
        self._wake.set()

    async def _send(self) -> None:
        outbox, book = self._outbox, self._logbook.book
        while (n := outbox.next_urgent()) is not None and self._is_open:
            row = self._fresh.pop(n, None)
            rows = (row,) if row is not None else await self._logbook.read(n, n, 1)
            if self._logbook.book.id != book.id:
                return  # the logbook was renewed meanwhile
            if rows:
                outbox.urgent_sealed(self._sealed(book.id, rows))
            else:
                outbox.urgent_gone(n)
        span = outbox.next_backlog()
        if span is not None:
            rows = await self._logbook.read(*span, batch_bytes(self._throughput()))
            if self._logbook.book.id == book.id and rows and outbox.backlog is None:
                outbox.backlog = self._sealed(book.id, rows)
        self._publish_due()

    def _publish_due(self) -> None:
        now_ms = self._terminal.timekeeper.uptime_ms()
        for sending in self._outbox.due(now_ms):
            self._publish(sending.message, sending is not self._outbox.backlog)
            sending.sent(now_ms, random.random())

    def _sealed(self, book_id: bytes, rows: Sequence[Row]) -> Sending:
        first, last = rows[0], rows[-1]
        head = Head(book_id, first.n, first.head_before, last.n, last.head)
        sealed = self._seals.seal(Kind.BATCH, "logbook", wire.encode_head(head))
        message = wire.encode_batch(sealed, [row.item for row in rows])
        return Sending(first.n, last.n, message)

    async def _sleep(self) -> None:
        due_ms = self._outbox.next_due_ms() if self._is_open else None
        wait_s = IDLE_S
        if due_ms is not None:
            wait_s = max(0.001, (due_ms - self._terminal.timekeeper.uptime_ms()) / 1000)
        await wait_at_most(self._wake, min(wait_s, IDLE_S))
