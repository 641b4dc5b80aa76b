"""What an export holds and leaves out, from a journal on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from matcher.core.board import Order
from matcher.evidence.audit import audit_file, record_look_up, verify_audit
from matcher.evidence.geojson import geojson
from matcher.evidence.scope import NoSuchOrder, by_order, by_time
from matcher.evidence.story import story_of
from matcher.journal.schema import SCHEMA
from matcher.journal.verify import verify
from protocol import evidence_records as er
from protocol.entry import Entry as LogEntry
from protocol.entry import Health, encode
from protocol.evidence_records import Held
from protocol.order import Answer
from runtime.sqlite_file import open_reader
from tests.matcher.kept_journal import KeptJournal, judged, records_of

ETAS = {"621": 20_000, "622": 60_000}


def happened() -> tuple[KeptJournal, Order]:
    """Half an hour of driving, an incident that 621 attends, half an hour more."""
    fleet = KeptJournal(ETAS)
    fleet.drive("621", 1_800)
    fleet.drive("622", 120)
    fleet.wait(5)
    (order,) = fleet.orders(fleet.report())
    fleet.deliver("621")
    fleet.answer(order, Answer.ACCEPT)
    fleet.drive("621", 90)
    for step in (Answer.EN_ROUTE, Answer.ON_SCENE, Answer.CLEAR):
        fleet.wait(30)
        fleet.answer(order, step, "handled" if step is Answer.CLEAR else None)
    fleet.drive("621", 1_800)
    return fleet, order


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    fleet, order = happened()
    path = tmp_path_factory.mktemp("evidence") / "journal.db"
    fleet.write(path)
    return path, order.order


@pytest.fixture
def db(journal: tuple[Path, str]) -> Iterator[sqlite3.Connection]:
    reader = open_reader(journal[0], SCHEMA)
    yield reader
    reader.close()


def test_the_journal_itself_is_sound(db: sqlite3.Connection) -> None:
    assert verify(db) == []


def test_an_order_with_all_that_belongs_to_it(
    db: sqlite3.Connection, journal: tuple[Path, str]
) -> None:
    scope = by_order(db, journal[1])
    assert scope.units == ("621",)
    records = records_of(db, scope)
    found = judged(records)
    assert (found.whole, found.anchored, found.fault) == (True, True, None)
    assert {one.device for one in records if isinstance(one, er.Logbook)} == {"t-621"}
    whats = [moment.what for moment in story_of(records).moments]
    for what in ("reported", "decided", "issued", "delivered", "answer", "step", "incident"):
        assert what in whats
    assert whats.count("answer") == 4
    (leg,) = story_of(records).legs
    assert len(leg.points) >= 90
    assert journal[1] in geojson(story_of(records)).decode()


def test_what_was_not_asked_for_is_a_digest(
    db: sqlite3.Connection, journal: tuple[Path, str]
) -> None:
    """The next witness lies half an hour on: joined to it without telling where the crew went."""
    scope = by_order(db, journal[1])
    records = records_of(db, scope)
    logged = [one for one in records if isinstance(one, er.LoggedEntry)]
    outside = [one for one in logged if one.held is Held.OUTSIDE]
    assert len(outside) >= 28
    assert all(len(one.data) == 32 for one in outside)
    assert any(isinstance(one, er.SealedReceipt) for one in records)
    assert any(isinstance(one, er.SealedPosition) for one in records)
    first = min(one.n for one in logged if one.held is Held.WHOLE)
    assert first > 25, "the half hour before is not there at all"


def test_a_time_holds_every_terminal(db: sqlite3.Connection) -> None:
    scope = by_time(db, 0, 1 << 42)
    records = records_of(db, scope)
    found = judged(records)
    assert (found.whole, found.fault) == (True, None)
    assert {one.device for one in records if isinstance(one, er.Logbook)} == {"t-621", "t-622"}
    assert found.counts.outside == 0


def test_an_unknown_order(db: sqlite3.Connection) -> None:
    with pytest.raises(NoSuchOrder, match="o-1-99"):
        by_order(db, "o-1-99")


def test_a_tail_that_never_came_is_said(tmp_path: Path) -> None:
    """The terminal was lost: its last position knows of two entries more."""
    fleet, order = happened()
    one, batches = fleet.terminal("621"), list(fleet.batches)
    for figure in (1, 2):
        data = encode(LogEntry(fleet.now_ms, 3, 1, 1 << 40, 1, Health((("lost", figure),))))
        fleet.keep("621", data)
    fleet.batches = batches
    path = tmp_path / "journal.db"
    last, one.entries = len(one.entries), one.entries[:-2]
    fleet.write(path)
    with closing(sqlite3.connect(path)) as db, db:
        sealed = one.position(last)
        db.execute("INSERT INTO position VALUES (?, 1, 1, ?, ?)",
                   (one.enrolment, sealed.sealed, fleet.now_ms))  # fmt: skip
    reader = open_reader(path, SCHEMA)
    found = judged(records_of(reader, by_time(reader, 0, 1 << 42)))
    assert (found.whole, found.counts.missing) == (True, 2)
    assert order.order
    reader.close()


@pytest.mark.parametrize("act", ["change", "delete", "change-with-digest"])
def test_a_journal_that_was_touched_gives_no_whole_export(tmp_path: Path, act: str) -> None:
    fleet, order = happened()
    path = tmp_path / "journal.db"
    fleet.write(path)
    book = fleet.terminal("621").book
    with closing(sqlite3.connect(path)) as db, db:
        n = db.execute("SELECT n FROM entry WHERE logbook = ? AND kind = 4", (book,)).fetchone()[0]
        if act == "delete":
            db.execute("DELETE FROM entry WHERE logbook = ? AND n = ?", (book, n))
        elif act == "change":
            db.execute("UPDATE entry SET data = X'80' WHERE logbook = ? AND n = ?", (book, n))
        else:
            db.execute("UPDATE entry SET digest = zeroblob(32) WHERE logbook = ? AND n = ?",
                       (book, n))  # fmt: skip
    reader = open_reader(path, SCHEMA)
    found = judged(records_of(reader, by_order(reader, order.order)))
    assert not found.whole
    assert found.fault is not None
    assert found.fault.entry is not None
    reader.close()


def test_look_ups_are_chained(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    assert verify_audit(journal) == []
    chains = [record_look_up(journal, 5, "clerk", "export", f"o-1-{i}", "case") for i in range(3)]
    assert [number for number, _ in chains] == [1, 2, 3]
    assert len({chain for _, chain in chains}) == 3
    assert verify_audit(journal) == []
    with closing(sqlite3.connect(audit_file(journal))) as db, db:
        db.execute("UPDATE look_up SET reason = 'none' WHERE number = 2")
    assert verify_audit(journal) == ["look-up 2: does not join the chain"]
