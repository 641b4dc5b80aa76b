"""The logbook over a real store: chain, boots, receipts, new logbooks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.logbook import KEPT_MS, Fit, Logbook
from protocol import entry, logbook
from protocol.entry import Alarm, Body, Start, StatusChange
from tests.agent.kept_logbook import (
    ENROLMENT,
    KEY,
    alarm,
    append,
    begun,
    changed,
    close,
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


def test_chain_is_the_wire_contracts(book: Logbook) -> None:
    async def check() -> None:
        await append(book, alarm("a"), StatusChange(1, None))
        await append(book, alarm("b"))
        found = await rows(book)
        assert [row.n for row in found] == [1, 2, 3, 4]
        assert [row.urgent for row in found] == [False, False, True, False]
        head = logbook.chain_start(book.book.id, ENROLMENT, KEY)
        for row in found:
            assert row.head_before == head
            head = logbook.chain(head, row.n, logbook.digest(row.data))
            assert row.head == head
        assert (book.synced_n, book.synced_head) == (4, head)
        assert await book.urgent_waiting() == [3]

    run(check())


def test_each_boot_begins_with_start_that_tells_an_unclean_end(path: Path) -> None:
    first = begun(path)
    assert first.boot == 1
    close(first)
    second = begun(path)
    assert (second.boot, second.book.id) == (2, first.book.id)

    async def end() -> list[bool]:
        await second.close(7)
        return [entry.decode(r.data).body.unclean for r in await rows(second)]  # type: ignore[union-attr]

    assert run(end()) == [False, True]
    close(second)
    third = begun(path)

    async def starts() -> list[bool]:
        return [entry.decode(r.data).body.unclean for r in await rows(third)]  # type: ignore[union-attr]

    assert run(starts()) == [False, True, False]
    assert third.boot == 3
    assert third.load_now().floor_ms == 7
    close(third)


def test_receipts_are_judged_by_the_own_chain(book: Logbook) -> None:
    async def check() -> None:
        found = await append(book, alarm("a"), alarm("b"))
        mine = book.book.id
        assert await book.judge(mine, 2, found[0].head) is Fit.FITS
        assert await book.judge(mine, 2, found[1].head) is Fit.DIFFERS
        assert await book.judge(mine, 9, found[1].head) is Fit.DIFFERS
        assert await book.judge(mine, 0, bytes(32)) is Fit.UNCHECKED
        assert await book.judge(bytes(16), 2, found[0].head) is Fit.OTHER_BOOK

    run(check())


def test_receipt_and_its_ranges_survive_a_restart(path: Path) -> None:
    first = begun(path)

    async def receipted() -> None:
        await append(first, *(alarm(str(i)) for i in range(9)))
        await first.receipted(3, [(5, 6)])

    run(receipted())
    close(first)
    second = begun(path)
    assert (second.book.receipted_n, second.book.ranges) == (3, ((5, 6),))
    close(second)


def test_new_logbook_names_the_old_and_takes_over_what_has_no_receipt(book: Logbook) -> None:
    async def check() -> None:
        await append(book, *(alarm(str(i)) for i in range(5)), StatusChange(1, None))
        before = await rows(book)
        old_id, old_head = book.book.id, book.synced_head
        await book.receipted(2, [(4, 5)])
        await book.renew(changed, Alarm("logbook_renewed", "why"))
        after = await rows(book)
        start = entry.decode(after[0].data).body
        assert isinstance(start, Start)
        assert (start.old_logbook, start.old_head) == (old_id, old_head)
        assert isinstance(entry.decode(after[1].data).body, Alarm)
        moved = [row.data for row in before if row.n in {3, 6, 7}]
        assert [row.data for row in after[2:]] == moved
        assert after[-1].urgent
        assert (book.synced_n, book.synced_head) == (5, after[-1].head)
        assert after[0].head_before == logbook.chain_start(book.book.id, ENROLMENT, KEY)
        assert book.book.id != old_id

    run(check())


def test_re_enrolment_begins_a_new_logbook_that_names_the_old(path: Path) -> None:
    first = begun(path)
    close(first)
    second = begun(path, enrolment=b"\1" * 16)
    assert (second.boot, second.synced_n) == (2, 2)

    async def bodies() -> list[Body]:
        return [entry.decode(row.data).body for row in await rows(second)]

    start, moved = asyncio.run(bodies())
    assert isinstance(start, Start)
    assert isinstance(moved, Start)
    assert start.old_logbook == first.book.id
    assert start.old_head == first.synced_head
    assert moved.old_logbook is None
    close(second)


def test_read_gives_what_fits_and_at_least_one(book: Logbook) -> None:
    async def check() -> None:
        await append(book, *(alarm("x" * 100) for _ in range(10)))
        size = len((await book.read(5, 5, 1))[0].data) + 3
        assert [r.n for r in await book.read(2, 11, 3 * size)] == [2, 3, 4]
        assert [r.n for r in await book.read(2, 11, 1)] == [2]
        assert await book.read(12, 20, 1000) == ()

    run(check())


def test_chain_values_between_the_stored_ones_are_the_same(book: Logbook) -> None:
    async def check() -> None:
        heads = {1: book.synced_head}
        for i in range(2, 101):
            (row,) = await append(book, alarm(str(i)))
            heads[i] = row.head
        mine = book.book.id

        async def verify(first: int) -> None:
            for n in range(first, 101):
                assert await book.judge(mine, n, heads[n]) is Fit.FITS, n
                (row,) = await book.read(n, n, 1)
                assert row.head == heads[n]
                assert n == 1 or row.head_before == heads[n - 1]

        await verify(1)
        await book.receipted(45, [])
        await book.prune(KEPT_MS + 2000)
        assert (book.book.base_n, book.book.base_head) == (45, heads[45])
        await verify(46)

    run(check())


def test_a_whole_shift_moves_to_the_new_logbook(book: Logbook) -> None:
    async def check() -> None:
        await append(book, *(alarm(str(n)) for n in range(2, 1202)))
        before = await rows(book)
        await book.receipted(100, [(600, 699)])
        await book.renew(changed, Alarm("logbook_renewed", "why"))
        after = await rows(book)
        moved = [row.data for row in before if row.n > 100 and not 600 <= row.n <= 699]
        assert [row.data for row in after[2:]] == moved
        assert (book.synced_n, book.synced_head) == (len(moved) + 2, after[-1].head)

    run(check())
