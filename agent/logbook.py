"""The logbook on disk: append, read back, receipts, pruning, new logbooks.

At once outbox, evidence and black box: nothing leaves it before the centre's sealed receipt. One
file with the terminal's other state, so that a decision, its messages and its entries are one
transaction. Called by the terminal and the uplink; the statements are in `logbook_file` and
`logbook_chain`.
"""

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, TypeAlias

from agent import logbook_chain as chain
from agent import logbook_file as file
from agent import logbook_room as room
from agent.logbook_chain import Book, Row
from agent.logbook_file import Change, MakeChange
from agent.logbook_move import move_unreceipted
from agent.version import VERSION
from protocol.entry import Alarm, Body, Start
from protocol.fields import TIME_MS_MAX
from runtime.faults import StoreDamaged
from runtime.store import Store

KEPT_MS: Final = 7 * 24 * 3_600_000
PRUNE_AT_ONCE: Final = 500
URGENT_READ_MAX: Final = 32
_CLEAN, _BOOT, _FLOOR = "clean", "boot", "floor_ms"


End: TypeAlias = tuple[int, bytes]  # number and chain value of the newest entry


class Fit(Enum):
    """How a receipt of the centre fits the own chain."""

    FITS = "fits"
    UNCHECKED = "unchecked"  # at 0 or a number that is pruned here
    OTHER_BOOK = "other_book"
    DIFFERS = "differs"  # beyond or unlike the own chain: this logbook has a twin


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the file held before this boot began."""

    boot: int  # of the boot before; 0: none
    unclean: bool
    floor_ms: int
    meta: dict[str, object]
    cards: tuple[bytes, ...]
    cancels: dict[str, int]
    scratch: bytes | None


class Logbook:
    """Open after `begin`. `synced_n`, `synced_head`: the chain as far as it is on disk."""

    def __init__(self, store: Store, enrolment: bytes, public_key: bytes) -> None:
        self._store, self._enrolment, self._public_key = store, enrolment, public_key
        self.boot = 0
        self.synced_n, self.synced_head = 0, b""
        self.on_appended: Callable[[Sequence[Row]], None] = lambda _rows: None
        self._book: Book | None = None

    @property
    def book(self) -> Book:
        assert self._book is not None, "begin comes first"
        return self._book

    def load_now(self) -> Loaded:
        """Blocks; for start-up, before `begin_now`.

        After an unclean end the newest entries are held against the stored chain values. Raises
        StoreDamaged.
        """
        loaded, broken_n = self._store.commit_now(_load_and_check)
        if broken_n is not None:
            what, remedy = "does not hold what was written", "it is set aside, a new one begins"
            raise StoreDamaged(self._store.path, what, f"entry {broken_n}", remedy)
        return loaded

    def begin_now(self, make_start: Callable[[int, Start], Change]) -> None:
        """Begin a boot: its number and its first entry, one transaction. Blocks.

        `make_start(boot, start)` gives the change whose first entry holds `start`.
        """

        def work(c: sqlite3.Connection) -> tuple[int, Book, End]:
            loaded = _load(c)
            boot = loaded.boot + 1
            file.put_meta(c, {_BOOT: boot, _CLEAN: 0})
            old = chain.newest_book(c)
            if old is not None and old.enrolment == self._enrolment:
                rows = file.apply(c, lambda _n: make_start(boot, start_of(loaded.unclean)))
                return boot, old, (rows[-1].n, rows[-1].head)
            end = self._begin_book(
                c, old, lambda n, head: make_start(boot, start_of(loaded.unclean, n, head))
            )
            book = chain.newest_book(c)
            assert book is not None
            return boot, book, end

        self.boot, self._book, end = self._store.commit_now(work)
        self.synced_n, self.synced_head = end

    async def commit(self, make: MakeChange) -> tuple[Row, ...]:
        """Commit a change; returns its entries once they are synced.

        Raises EventSeen, Refused (an entry that nobody would take), StoreFull, StoreBroken.
        """
        rows = await self._store.commit(lambda c: file.apply(c, make))
        self._advance(rows)
        self.on_appended(rows)
        return rows

    async def raise_boot(self, boot: int) -> None:
        """Take a higher boot number; persisted before it is used."""
        await self._store.commit(lambda c: file.put_meta(c, {_BOOT: boot}))
        self.boot = boot

    def begin_next_with(self, public_key: bytes) -> None:
        """The sealing key was renewed: the next logbook is bound to the new one."""
        self._public_key = public_key

    async def keep_scratch(self, data: bytes) -> None:
        await self._store.commit(lambda c: file.put_scratch(c, data))

    async def read(self, first: int, last: int, bytes_max: int) -> tuple[Row, ...]:
        book = self.book
        return await self._store.read(lambda c: chain.read_rows(c, book, first, last, bytes_max))

    async def urgent_waiting(self) -> list[int]:
        """Numbers of urgent entries without a receipt, the newest of them, ascending."""
        book = self.book
        return await self._store.read(
            lambda c: chain.urgent_after(c, book, book.receipted_n, URGENT_READ_MAX)
        )

    async def judge(self, book_id: bytes, n: int, head: bytes) -> Fit:
        """Whether the centre's (logbook, n, h(n)) is this chain's."""
        book = self.book
        if book_id != book.id:
            return Fit.OTHER_BOOK
        if n < book.base_n or n == 0:
            return Fit.UNCHECKED
        own = await self._store.read(lambda c: chain.head_at(c, book, n))
        return Fit.FITS if own == head else Fit.DIFFERS

    async def receipted(
        self, n: int, ranges: Sequence[tuple[int, int]], proof: bytes = b""
    ) -> None:
        """Keep a receipt that fits; its n may be lower where the centre has lost some.

        `proof`: the sealed message that says so.
        """
        book = self.book

        def work(c: sqlite3.Connection) -> Book:
            chain.put_receipt(c, book, n, ranges, proof)
            fresh = chain.newest_book(c)
            assert fresh is not None
            return fresh

        self._book = await self._store.commit(work)

    async def renew(self, make_start: Callable[[Body], Change], alarm: Alarm) -> None:
        """Close this logbook and begin another that names it; what has no receipt moves over."""

        def work(c: sqlite3.Connection) -> tuple[Book, End]:
            old = chain.newest_book(c)
            end = self._begin_book(
                c, old, lambda n, head: make_start(start_of(False, n, head)),
                make_start(alarm),
            )  # fmt: skip
            book = chain.newest_book(c)
            assert book is not None
            return book, end

        self._book, (self.synced_n, self.synced_head) = await self._store.commit(work)

    async def prune(self, now_ms: int) -> bool:
        """Forget what has been receipted for 7 days; whether there was any of it."""
        return await self._forget(now_ms - KEPT_MS)

    async def make_room(self) -> bool:
        """Space is needed: forget what is receipted, however young; whether there was any."""
        return await self._forget(TIME_MS_MAX)

    async def _forget(self, before_ms: int) -> bool:
        before = self.book
        self._book = await self._store.commit(lambda c: chain.prune(c, before_ms, PRUNE_AT_ONCE))
        return self._book.base_n != before.base_n

    async def thin(self, make: Callable[[Body], Change], most: int) -> tuple[Row, ...]:
        """Old track gives up its data, named by an entry of the same transaction, which is
        returned; none where there is nothing to thin. Raises StoreFull."""
        rows = await self._store.commit(lambda c: room.thin(c, make, most))
        self._advance(rows)
        self.on_appended(rows)
        return rows

    def use_reserve(self) -> bool:
        """The disk is full: use the blocks that were held back; whether that helps."""
        return self._store.use_reserve()

    def hold_reserve(self) -> None:
        self._store.hold_reserve()

    async def keep_floor(self, floor_ms: int) -> None:
        """The clock's floor, for a start without any clock."""
        await self._store.commit(lambda c: file.put_meta(c, {_FLOOR: floor_ms}))

    async def close(self, floor_ms: int) -> None:
        """Mark the end of this boot as clean."""
        await self._store.commit(lambda c: file.put_meta(c, {_CLEAN: 1, _FLOOR: floor_ms}))

    def _begin_book(
        self,
        c: sqlite3.Connection,
        old: Book | None,
        make_start: Callable[[bytes | None, bytes | None], Change],
        *more: Change,
    ) -> End:
        """A new logbook: Start (which names the old one), `more`, then what has no receipt."""
        old_head = None if old is None else chain.last_of(c, old)[1]
        book = chain.begin_book(c, secrets.token_bytes(16), self._enrolment, self._public_key)
        start = make_start(None if old is None else old.id, old_head)
        rows = file.apply(c, lambda _n: start)
        for change in more:
            rows += file.apply(c, lambda _n, change=change: change)  # type: ignore[misc]
        end = rows[-1].n, rows[-1].head
        if old is None:
            return end
        like = start.entries[0]
        return move_unreceipted(c, old, book, end, lambda body: Change((replace(like, body=body),)))

    def _advance(self, rows: Sequence[Row]) -> None:
        if rows and rows[-1].n > self.synced_n:
            self.synced_n, self.synced_head = rows[-1].n, rows[-1].head


def start_of(unclean: bool, old: bytes | None = None, old_head: bytes | None = None) -> Start:
    return Start(VERSION, unclean, old, old_head)


def _load_and_check(c: sqlite3.Connection) -> tuple[Loaded, int | None]:
    loaded, book = _load(c), chain.newest_book(c)
    return loaded, chain.broken_at(c, book) if loaded.unclean and book is not None else None


def _load(c: sqlite3.Connection) -> Loaded:
    meta = file.read_meta(c)
    cards, cancels = file.read_orders(c)
    boot = meta.get(_BOOT, 0)
    floor_ms = meta.get(_FLOOR, 0)
    assert isinstance(boot, int)
    assert isinstance(floor_ms, int)
    unclean = boot > 0 and meta.get(_CLEAN) != 1
    return Loaded(boot, unclean, floor_ms, meta, tuple(cards), cancels, file.read_scratch(c))
