"""The logbook over a real store: what is kept together, what is refused, what may go."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.logbook import KEPT_MS, Fit, Logbook
from agent.logbook_file import Change, EventSeen
from agent.logbook_schema import SEEN_PER_DEVICE
from protocol.entry import Alarm, Logon
from protocol.refusal import Refused
from runtime.faults import StoreFull
from tests.agent.kept_logbook import (
    DAY_MS,
    alarm,
    append,
    begun,
    close,
    made,
    rows,
    run,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.db"


@pytest.fixture
def book(path: Path) -> Iterator[Logbook]:
    made_book = begun(path)
    yield made_book
    close(made_book)


def test_pruning_takes_only_old_receipted_entries_from_the_bottom(book: Logbook) -> None:
    async def check() -> None:
        await append(book, *(alarm(str(i)) for i in range(3)), time_ms=1000)
        await append(book, alarm("young"), time_ms=8 * DAY_MS)
        await append(book, alarm("last"), time_ms=1000)
        kept = await rows(book)
        await book.receipted(3, [])
        await book.prune(KEPT_MS + 2000)
        assert (book.book.base_n, book.book.base_head) == (3, kept[2].head)
        await book.receipted(6, [])
        await book.prune(KEPT_MS + 2000 + 1)
        assert book.book.base_n == 4
        left = await rows(book)
        assert [row.n for row in left] == [5, 6]
        assert left[0].head_before == kept[3].head
        await book.prune(100 * DAY_MS)
        assert [row.n for row in await rows(book)] == [6], "the newest stays"
        assert await book.judge(book.book.id, 2, bytes(32)) is Fit.UNCHECKED
        await append(book, alarm("next"))
        assert book.synced_n == 7

    run(check())


def test_repeated_event_of_a_device_is_one_entry(book: Logbook) -> None:
    async def event(number: int, device: str = "body-1") -> None:
        change = Change((made(alarm(str(number))),), seen=(device, 1, number))
        await book.commit(lambda _n: change)

    async def check() -> None:
        await event(1)
        with pytest.raises(EventSeen):
            await event(1)
        await event(1, "body-2")
        assert book.synced_n == 3
        await asyncio.gather(*(event(number) for number in range(2, SEEN_PER_DEVICE + 2)))
        await event(1)  # so long ago that it is forgotten; a device never goes back so far

    run(check())


def test_an_entry_that_the_centre_would_refuse_is_never_kept(book: Logbook) -> None:
    async def check() -> None:
        with pytest.raises(Refused):
            await append(book, Alarm("x" * 33, "code too long"))
        with pytest.raises(Refused):
            await append(book, Logon(1, "621", None, ("1" * 17,), None, ()))
        assert book.synced_n == 1
        await append(book, alarm())
        assert book.synced_n == 2

    run(check())


def test_full_disk_undoes_the_whole_change_and_passes(book: Logbook) -> None:
    def limit(pages: int) -> None:
        book._store.commit_now(lambda c: c.execute(f"PRAGMA max_page_count={pages}").fetchone())

    def present(c: sqlite3.Connection) -> int:
        return int(c.execute("PRAGMA page_count").fetchone()[0])

    async def fill() -> int:
        for number in range(1, 500):
            change = Change(
                (made(alarm("y" * 200)),), meta={"crew": b"z" * number},
                seen=("body-1", 1, number),
            )  # fmt: skip
            try:
                await book.commit(lambda _n, change=change: change)  # type: ignore[misc]
            except StoreFull:
                return number - 1
        raise AssertionError("never full")

    limit(book._store.commit_now(present) + 4)
    kept = run(fill())
    assert kept > 0
    assert book.synced_n == kept + 1
    loaded = book.load_now()
    assert loaded.meta["crew"] == b"z" * kept, "state and entries are one transaction"
    limit(1 << 20)

    async def again() -> None:
        change = Change((made(alarm()),), seen=("body-1", 1, kept + 1))
        await book.commit(lambda _n: change)

    run(again())
    assert book.synced_n == kept + 2


def test_scratch_record_goes_with_the_entry_that_holds_it(book: Logbook) -> None:
    async def check() -> None:
        await book.keep_scratch(b"one")
        await book.keep_scratch(b"two")
        assert book.load_now().scratch == b"two"
        await book.commit(lambda _n: Change((made(alarm()),), drop_scratch=True))
        assert book.load_now().scratch is None

    run(check())


def test_backlog_of_a_shift_is_read_by_number_not_by_scan(book: Logbook) -> None:
    async def check() -> None:
        for _ in range(4):
            await append(book, *(alarm("x" * 100) for _ in range(500)))
        found = await book.read(1500, 2000, 65_000)
        assert found[0].n == 1500
        plan = await book._store.read(
            lambda c: c.execute(
                "EXPLAIN QUERY PLAN SELECT id FROM entry WHERE urgent AND id > 1"
                " ORDER BY id DESC LIMIT 5"
            ).fetchall()
        )
        assert "urgent_entry" in str(plan)

    run(check())


def test_change_of_the_orders_table_is_kept_and_forgotten(book: Logbook) -> None:
    async def check() -> None:
        await book.commit(lambda _n: Change(cards={"o-1": b"a"}, cancels={"x": 5}))
        loaded = book.load_now()
        assert (loaded.cards, loaded.cancels) == ((b"a",), {"x": 5})
        await book.commit(lambda _n: Change(cards={"o-1": None}, cancels={"x": None}))
        loaded = book.load_now()
        assert (loaded.cards, loaded.cancels) == ((), {})

    run(check())
