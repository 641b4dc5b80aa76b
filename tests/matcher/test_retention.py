"""Retention: rules by themselves, then on a journal on disk; what went still verifies as gone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.core.retention import DAY_MS, Fate, Hold, Rules, due_ms, fate, is_held, one_a_minute
from matcher.evidence.scope import by_order, by_time
from matcher.evidence.story import story_of
from matcher.journal.erasures import erasures
from matcher.journal.schema import SCHEMA
from matcher.journal.verify import verify
from matcher.retention_task import RetentionTask
from matcher.settings import RetentionSettings
from protocol import evidence_records as er
from protocol.entry import EntryKind
from protocol.evidence_records import Held
from protocol.track import TrackPoint
from runtime.clock import ManualClock
from runtime.log import get_log
from runtime.sqlite_file import open_reader
from runtime.store import Store
from tests.matcher.kept_journal import KeptJournal, judged, records_of
from tests.matcher.test_evidence import happened
from tests.protocol.export import NOW_MS

RULES = Rules(30, 365, 90, 365, 365, 100)
DAYS = st.integers(0, 800)


@given(DAYS, st.sampled_from([*EntryKind, None]))
def test_only_tracks_and_figures_go_and_never_early(age_days: int, kind: EntryKind | None) -> None:
    found = fate(RULES, kind, NOW_MS - age_days * DAY_MS, NOW_MS)
    if kind is EntryKind.TRACK:
        wanted = Fate.KEEP if age_days <= 30 else Fate.THIN if age_days <= 365 else Fate.ERASE
        assert found is wanted
    elif kind is EntryKind.HEALTH:
        assert found is (Fate.KEEP if age_days <= 90 else Fate.ERASE)
    else:
        assert found is Fate.KEEP
        assert due_ms(RULES, kind or 0, NOW_MS) is None


@given(st.lists(st.integers(0, 600_000), min_size=1, max_size=80), st.booleans())
def test_one_fix_a_minute_is_the_first_with_a_place(times_ms: list[int], has_place: bool) -> None:
    points = [TrackPoint(t, t, 0, None, None, 2 if has_place else 0, 0) for t in sorted(times_ms)]
    found = one_a_minute(points)
    minutes = {t // 60_000 for t in times_ms} if has_place else set()
    assert set(found) == minutes
    for minute, point in found.items():
        assert point.time_ms == min(t for t in times_ms if t // 60_000 == minute)
    assert one_a_minute(points, minutes) == {}


def test_a_hold_is_of_its_terminals_and_its_time() -> None:
    hold = Hold(frozenset({b"a"}), 10, 20)
    assert [is_held([hold], b"a", at) for at in (9, 10, 20, 21)] == [False, True, True, False]
    assert not is_held([hold], b"b", 15)
    assert not is_held([], b"a", 15)


# --- on a journal -----------------------------------------------------------------------------


class Kept:
    """A journal, and a sweep at any age of it."""

    def __init__(self, path: Path, fleet: KeptJournal) -> None:
        self.path, self.made_ms = path, fleet.now_ms
        fleet.write(path)

    def sweep(self, age_days: float, **settings: object) -> int:
        now_ms = self.made_ms + round(age_days * DAY_MS)
        with Store(self.path, SCHEMA) as store:
            task = RetentionTask(
                RetentionSettings.model_validate(settings), store, lambda: now_ms,
                get_log("retention", ManualClock()),
            )  # fmt: skip
            return asyncio.run(task.sweep())

    def ask(self, sql: str) -> int:
        with closing(sqlite3.connect(self.path)) as db:
            return int(db.execute(sql).fetchone()[0])

    def export(self, order: str | None = None) -> tuple[list[er.Record], Callable[[], None]]:
        reader = open_reader(self.path, SCHEMA)
        scope = by_order(reader, order) if order else by_time(reader, 0, 1 << 42)
        return records_of(reader, scope), reader.close


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Kept, str]:
    fleet, order = happened()
    return Kept(tmp_path / "journal.db", fleet), order.order


TRACKS = "SELECT count(*) FROM entry WHERE kind = 2 AND data IS NOT NULL"


def test_young_entries_stay(kept: tuple[Kept, str]) -> None:
    journal, _ = kept
    before = journal.ask(TRACKS)
    assert journal.sweep(29.9) == 0
    assert journal.ask(TRACKS) == before > 60


def test_a_month_later_one_fix_a_minute_is_left(kept: tuple[Kept, str]) -> None:
    journal, order = kept
    tracks, all_of_them = journal.ask(TRACKS), journal.ask("SELECT count(*) FROM entry")
    assert journal.sweep(31) == tracks
    assert journal.ask(TRACKS) == 0
    assert journal.ask("SELECT count(*) FROM entry") == all_of_them, "digests stay"
    assert journal.ask("SELECT count(*) FROM entry WHERE data IS NOT NULL") == all_of_them - tracks
    minutes = journal.ask("SELECT count(*) FROM thinned_track")
    assert 60 < minutes <= tracks + 4
    assert journal.sweep(31) == 0, "nothing goes twice"
    reader = open_reader(journal.path, SCHEMA)
    assert verify(reader) == []
    assert sum(one.count for one in erasures(reader)) == tracks
    reader.close()

    records, close = journal.export(order)
    found = judged(records)
    assert (found.whole, found.fault) == (True, None)
    assert found.counts.erased >= 2
    assert found.counts.whole >= 4, "answers stay"
    assert [leg.is_extract for leg in story_of(records).legs] == [True]
    close()


def test_a_year_later_only_digests_are_left(kept: tuple[Kept, str]) -> None:
    journal, _ = kept
    journal.sweep(31)
    journal.sweep(366)
    assert journal.ask("SELECT count(*) FROM thinned_track") == 0
    assert journal.ask("SELECT count(*) FROM witness") == 0
    records, close = journal.export()
    found = judged(records)
    assert (found.whole, found.fault) == (True, None)
    assert story_of(records).legs == ()
    assert all(
        one.held in {Held.WHOLE, Held.ERASED} for one in records if isinstance(one, er.LoggedEntry)
    )
    close()


def test_what_was_off_for_a_year_goes_at_once(kept: tuple[Kept, str]) -> None:
    journal, _ = kept
    assert journal.sweep(400) > 60
    assert journal.ask("SELECT count(*) FROM thinned_track") == 0


def test_an_order_under_hold_keeps_everything(kept: tuple[Kept, str]) -> None:
    journal, order = kept
    journal.sweep(31, hold=(order,))
    of_621 = "SELECT count(*) FROM entry WHERE kind = 2 AND data IS NOT NULL"
    assert journal.ask(of_621) > 30
    records, close = journal.export(order)
    assert judged(records).counts.erased == 0
    close()
    assert journal.sweep(31) > 30, "released, it goes"


def test_an_unknown_hold_stops_nobody(kept: tuple[Kept, str]) -> None:
    journal, _ = kept
    assert journal.sweep(31, hold=("o-9-9",)) > 60


def test_content_is_overwritten_on_the_disk(kept: tuple[Kept, str]) -> None:
    journal, _ = kept
    with closing(sqlite3.connect(journal.path)) as db, db:
        contents = [bytes(data[-40:]) for (data,) in db.execute(
            "SELECT data FROM entry WHERE kind = 2")]  # fmt: skip
        assert all(one in journal.path.read_bytes() for one in contents)
    journal.sweep(31)
    on_disk = b"".join(p.read_bytes() for p in journal.path.parent.glob("journal.db*"))
    assert not [one for one in contents if one in on_disk]


def test_an_erasure_taken_out_or_changed_is_found(kept: tuple[Kept, str]) -> None:
    journal, _ = kept
    journal.sweep(31)
    for sql in ("UPDATE erasure SET rule = 'x' WHERE number = 1",
                "DELETE FROM erasure WHERE number = 1"):  # fmt: skip
        with closing(sqlite3.connect(journal.path)) as db, db:
            db.execute(sql)
        reader = open_reader(journal.path, SCHEMA)
        assert verify(reader) == ["erasure 1: does not join the chain"]
        reader.close()


def test_quarantine_is_bounded(kept: tuple[Kept, str]) -> None:
    journal, _ = kept
    with closing(sqlite3.connect(journal.path)) as db, db:
        db.executemany(
            "INSERT INTO quarantine (enrolment, reason, message, received_ms) VALUES (?, ?, ?, ?)",
            [(b"", "test", b"m", journal.made_ms)] * 150,
        )
    assert journal.sweep(1, quarantine_max=100) == 50
    assert journal.ask("SELECT min(id) FROM quarantine") == 51
    assert journal.sweep(366, quarantine_max=100) > 100
    assert journal.ask("SELECT count(*) FROM quarantine") == 0


def test_an_older_journal_migrates(tmp_path: Path) -> None:
    """Made by the first release's schema, with an entry in it."""
    old = type(SCHEMA)(application_id=SCHEMA.application_id, migrations=SCHEMA.migrations[:1])
    path = tmp_path / "journal.db"
    with Store(path, old) as store:
        store.commit_now(
            lambda db: db.execute(
                "INSERT INTO entry VALUES (zeroblob(16), 1, zeroblob(32), 2, X'00', 5)"
            )
        )
    reader = open_reader(path, SCHEMA)
    assert list(erasures(reader)) == [], "verify of an old journal asks for no table that it lacks"
    reader.close()
    with Store(path, SCHEMA) as store:
        store.commit_now(lambda db: db.execute("SELECT count(*) FROM thinned_track").fetchone())
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM entry").fetchone() == (1,)
        assert db.execute("PRAGMA user_version").fetchone() == (len(SCHEMA.migrations),)


def test_the_settings_know_the_order_of_their_limits() -> None:
    with pytest.raises(ValueError, match="track_minute_days"):
        RetentionSettings(track_full_days=40, track_minute_days=30)
