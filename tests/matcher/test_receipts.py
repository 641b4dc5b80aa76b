"""A receipt says only what the journal holds: read back by another connection at the moment it is
sent, with a store that fails before, or loses the answer after, any of its commits.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matcher.core.positions import PositionBook
from matcher.engine import Engine
from matcher.journal.journal import Journal
from matcher.journal.logbooks import load_chains
from matcher.journal.schema import SCHEMA
from matcher.logbooks import Logbooks
from matcher.refusals import Refusals
from matcher.registry import Registry
from protocol import entry, envelope, logbook
from protocol.entry import Entry, Health
from protocol.envelope import Kind
from protocol.logbook import Head, Item, Receipt
from runtime.clock import ManualClock
from runtime.faults import StoreFull
from runtime.log import get_log
from runtime.store import Store
from tests.protocol import samples

T = TypeVar("T")
LAST = 24
BARE = frozenset({5, 6, 11})  # thinned at the terminal
DATA = [entry.encode(Entry(n, 0, 1, n, None, Health((("x", n),)))) for n in range(1, LAST + 1)]


class FailingStore(Store):
    """`fails` says before each commit: 0 it works, 1 no room, 2 kept but the answer is lost."""

    fails: Callable[[], int] = staticmethod(lambda: 0)

    async def commit(self, work: Callable[[sqlite3.Connection], T]) -> T:
        how = self.fails()
        if how == 1:
            raise StoreFull(self.path, "no space left")
        result = await super().commit(work)
        if how == 2:
            raise StoreFull(self.path, "the answer was lost")
        return result


def batch(first: int, last: int, *, bare: frozenset[int]) -> bytes:
    """As the terminal sends it; numbers in `bare` without their data."""
    start = samples.CHAIN_START
    before = logbook.chain_over(start, 1, map(logbook.digest, DATA[: first - 1]))
    chosen = DATA[first - 1 : last]
    head = Head(
        samples.LOGBOOK, first, before, last,
        logbook.chain_over(before, first, map(logbook.digest, chosen)),
    )  # fmt: skip
    sealed = envelope.seal(
        Kind.BATCH, samples.LOGBOOK_TOPIC, samples.ENROLMENT, logbook.encode_head(head),
        samples.TERMINAL_KEY,
    )  # fmt: skip
    items = [
        Item(logbook.digest(data), None if n in bare else data)
        for n, data in enumerate(chosen, first)
    ]
    return logbook.encode_batch(sealed, items)


class Centre:
    """The matcher's logbooks on a real journal; checks each receipt as it is sent."""

    def __init__(self, path: Path) -> None:
        self.path, self.receipts = path, list[Receipt]()
        self.store = FailingStore(path, SCHEMA)
        self.peer = Registry(samples.IDENTITIES).terminal(samples.DEVICE)
        refusals = Refusals(get_log("test"))
        self.clock = ManualClock(samples.NOW_MS)
        engine = Engine(Journal(self.store), PositionBook(), self.clock)
        chains = self.store.commit_now(load_chains)
        self.logbooks = Logbooks(engine, chains, samples.CENTRE_KEY, self._publish, refusals)

    async def take(self, message: bytes) -> None:
        self.clock.advance(2000)  # on a full disk there is one try a second
        await self.logbooks.take(self.peer, samples.LOGBOOK_TOPIC, message, samples.NOW_MS)

    def _publish(self, topic: str, payload: bytes, *, key: str) -> bool:
        sealed = envelope.open_sealed(
            payload, kinds=frozenset({Kind.RECEIPT}), bound_to=topic,
            enrolment=samples.ENROLMENT,
            key_for=lambda _kind, _kid: samples.CENTRE_KEY.verify_key,
        )  # fmt: skip
        receipt = logbook.decode_receipt(sealed.payload)
        numbers = set(range(1, receipt.n + 1))
        for first, last in receipt.ranges:
            numbers |= set(range(first, last + 1))
        assert numbers <= set(self.rows()), "receipted before it was committed"
        self.receipts.append(receipt)
        return True

    def rows(self) -> dict[int, bytes | None]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
            return dict(db.execute("SELECT n, data FROM entry").fetchall())


_PIECES = st.lists(st.tuples(st.integers(1, LAST), st.integers(0, 8), st.booleans()), max_size=16)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_PIECES, st.integers(0, 2**32))
def test_no_receipt_before_its_commit(pieces: list[tuple[int, int, bool]], seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        centre = Centre(Path(folder) / "journal.db")
        centre.store.fails = lambda: chance.choice((0, 0, 1, 2))

        async def check() -> None:
            for first, more, is_thinned in pieces:
                bare = BARE if is_thinned else frozenset[int]()
                with suppress(StoreFull):
                    await centre.take(batch(first, min(LAST, first + more), bare=bare))
            centre.store.fails = lambda: 0
            await centre.take(batch(1, LAST, bare=BARE))

        asyncio.run(check())
        assert centre.receipts[-1].n == LAST
        assert not centre.receipts[-1].ranges
        assert set(centre.rows()) == set(range(1, LAST + 1))
        centre.store.close()


def test_a_digest_and_its_data_in_either_order_are_no_twin(tmp_path: Path) -> None:
    centre = Centre(tmp_path / "journal.db")

    async def check() -> None:
        await centre.take(batch(1, 8, bare=BARE))
        assert centre.rows()[5] is None
        await centre.take(batch(4, 8, bare=frozenset()))
        assert centre.rows()[5] == DATA[4], "what came late is kept"
        await centre.take(batch(1, 12, bare=BARE))
        assert centre.rows()[5] == DATA[4], "and stays"
        assert centre.rows()[11] is None

    asyncio.run(check())
    assert centre.receipts[-1].n == 12
    assert not centre.logbooks.state(centre.peer, samples.LOGBOOK).is_held
    centre.store.close()
