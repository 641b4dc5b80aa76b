"""What the tests of the logbook share: one over a real store, and entries for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TypeVar

from agent.logbook import Logbook
from agent.logbook_chain import Row
from agent.logbook_file import Change
from agent.logbook_schema import OPTIONS, SCHEMA
from protocol.entry import Alarm, Body, Entry
from runtime.store import Store

T = TypeVar("T")
ENROLMENT, KEY = bytes(16), bytes(32)
DAY_MS = 86_400_000


def made(body: Body, time_ms: int = 1000) -> Entry:
    return Entry(time_ms, 0, 1, 5, None, body)


def changed(*bodies: Body, time_ms: int = 1000) -> Change:
    return Change(tuple(made(body, time_ms) for body in bodies))


def begun(path: Path, enrolment: bytes = ENROLMENT) -> Logbook:
    book = Logbook(Store(path, SCHEMA, OPTIONS), enrolment, KEY)
    book.begin_now(lambda boot, start: Change((Entry(1000, 0, boot, 5, None, start),)))
    return book


def close(book: Logbook) -> None:
    """As a killed process leaves it: nothing is said to the file."""
    book._store.close()


async def append(book: Logbook, *bodies: Body, time_ms: int = 1000) -> tuple[Row, ...]:
    return await book.commit(lambda _n: changed(*bodies, time_ms=time_ms))


async def rows(book: Logbook) -> tuple[Row, ...]:
    return await book.read(book.book.base_n + 1, book.synced_n, 1 << 20)


def alarm(text: str = "x") -> Alarm:
    return Alarm("test", text)


def run(coroutine: Coroutine[None, None, T]) -> T:
    return asyncio.run(coroutine)
