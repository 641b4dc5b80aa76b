"""Damages to logbooks at either end and to what people saw; the rest is in damage.py."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Final

import cbor2

from bench.checker import Evidence
from bench.history import History
from protocol.entry import EntryKind
from tests.chaos.damage import Damage, ask, sql, store_of

# --- logbooks ------------------------------------------------------------------------------------


def an_entry_missing_at_the_centre(evidence: Evidence) -> None:
    sql(evidence.journal, "DELETE FROM entry WHERE n = 2")


def an_entry_missing_on_the_terminal(evidence: Evidence) -> None:
    sql(store_of(evidence), "DELETE FROM entry WHERE id = (SELECT max(id) - 2 FROM entry)")


def a_tail_missing_on_the_terminal(evidence: Evidence) -> None:
    sql(store_of(evidence), "DELETE FROM entry WHERE id > (SELECT max(id) - 9 FROM entry)")


def an_entry_altered_on_the_terminal(evidence: Evidence) -> None:
    sql(store_of(evidence), "UPDATE entry SET data = CAST(data || x'00' AS BLOB) WHERE id = "
        "(SELECT min(id) + 1 FROM entry)")  # fmt: skip


def an_entry_altered_at_the_centre(evidence: Evidence) -> None:
    sql(evidence.journal, "UPDATE entry SET data = CAST(data || x'00' AS BLOB) WHERE n = 1")


def a_receipt_beyond_the_commit(evidence: Evidence) -> None:
    sql(evidence.journal, "DELETE FROM entry WHERE n > 2")
    sql(evidence.journal, "UPDATE logbook SET n = 2")


def a_receipt_for_nothing(evidence: Evidence) -> None:
    sql(evidence.journal, "DELETE FROM entry")
    sql(evidence.journal, "DELETE FROM logbook")


def a_receipt_beyond_what_is_written(evidence: Evidence) -> None:
    sql(store_of(evidence), "UPDATE book SET receipted_n = receipted_n + 1000")


def a_range_that_was_never_kept(evidence: Evidence) -> None:
    sql(store_of(evidence), "UPDATE book SET ranges = ?", cbor2.dumps([[90_000, 90_001]]))


def another_head_at_the_centre(evidence: Evidence) -> None:
    sql(evidence.journal, "UPDATE logbook SET head = zeroblob(32)")


def a_held_logbook(evidence: Evidence) -> None:
    sql(evidence.journal, "UPDATE logbook SET is_held = 1")


def something_in_quarantine(evidence: Evidence) -> None:
    row = (b"", "handler_fault", b"", 0)
    sql(evidence.journal, "INSERT INTO quarantine (enrolment, reason, message, received_ms)"
        " VALUES (?, ?, ?, ?)", *row)  # fmt: skip


def a_fix_twice(evidence: Evidence) -> None:
    book, n, data = ask(
        evidence.journal,
        "SELECT logbook, max(n) + 1, data FROM entry WHERE kind = ?",
        int(EntryKind.TRACK),
    )
    row = (book, n + 1000, bytes(32), int(EntryKind.TRACK), data, 0)
    sql(evidence.journal, "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", *row)


def a_position_of_another_chain(evidence: Evidence) -> None:
    """A receipt would be true and a head whole, only the witness tells of a changed tail."""
    with closing(sqlite3.connect(evidence.journal)) as db, db:
        for owner, sealed in db.execute("SELECT enrolment, sealed FROM position").fetchall():
            parts = cbor2.loads(sealed)
            payload = cbor2.loads(parts[2])
            payload[15] = bytes(8)
            parts[2] = cbor2.dumps(payload)
            values = (cbor2.dumps(parts), owner)
            db.execute("UPDATE position SET sealed = ? WHERE enrolment = ?", values)


# --- what people saw -----------------------------------------------------------------------------


def a_card_that_came_twice(evidence: Evidence) -> None:
    screen = next(one for one in evidence.screens.values() if one.showings)
    screen.showings[next(iter(screen.showings))] += 1


def a_card_of_another_unit(evidence: Evidence) -> None:
    screen = next(iter(evidence.screens.values()))
    screen.showings["o-9-9", 1] = 1


def a_card_that_fell_back(evidence: Evidence) -> None:
    next(iter(evidence.screens.values())).went_back.append("order o-1-1 from cleared to delivered")


def an_incident_that_only_the_desk_knows(evidence: Evidence) -> None:
    evidence.desk = [*evidence.desk, ("incident", {"id": "i-9", "state": "pending", "units": []})]


def a_state_that_was_never_committed(evidence: Evidence) -> None:
    said = {"id": next(iter(History.of(evidence.journal).incidents)), "state": "staging"}
    evidence.desk = [*evidence.desk, ("incident", {**said, "units": []})]


def a_place_without_its_age(evidence: Evidence) -> None:
    feature = next(one for kind, one in evidence.desk if kind == "unit" and one["geometry"])
    of = {**feature["properties"], "position_time": None}
    evidence.desk = [*evidence.desk, ("unit", {**feature, "properties": of})]


def a_unit_that_went_back_in_time(evidence: Evidence) -> None:
    feature = next(one for kind, one in evidence.desk if kind == "unit" and one["geometry"])
    of = {**feature["properties"], "position_time": "2020-01-01T00:00:00.000Z"}
    evidence.desk = [*evidence.desk, ("unit", {**feature, "properties": of})]


def a_refusal_that_nobody_explains(evidence: Evidence) -> None:
    evidence.refused = {"bad_seal": 1}


CASES: Final[tuple[tuple[Damage, str, str], ...]] = (
    (an_entry_missing_at_the_centre, "logbooks", "entries are missing"),
    (an_entry_missing_on_the_terminal, "both ends", "is missing"),
    (a_tail_missing_on_the_terminal, "both ends", "the centre has"),
    (an_entry_altered_on_the_terminal, "both ends", "another at the centre"),
    (an_entry_altered_at_the_centre, "both ends", "another at the centre"),
    (a_receipt_beyond_the_commit, "both ends", "committed to 2"),
    (a_receipt_for_nothing, "both ends", "never came"),
    (a_receipt_beyond_what_is_written, "both ends", "written to"),
    (a_range_that_was_never_kept, "both ends", "receipted, not committed"),
    (another_head_at_the_centre, "both ends", "another head"),
    (a_held_logbook, "logbooks", "held as a twin"),
    (something_in_quarantine, "logbooks", "quarantine: handler_fault"),
    (a_fix_twice, "fixes", "there twice"),
    (a_position_of_another_chain, "witness", "is not in it"),
    (a_card_that_came_twice, "screens", "came new 2 times"),
    (a_card_of_another_unit, "screens", "not issued to it"),
    (a_card_that_fell_back, "screens", "from cleared to delivered"),
    (an_incident_that_only_the_desk_knows, "desk", "not in the journal"),
    (a_state_that_was_never_committed, "desk", "never so in the journal"),
    (a_place_without_its_age, "desk", "has a place and no age"),
    (a_unit_that_went_back_in_time, "desk", "went back"),
    (a_refusal_that_nobody_explains, "refused", "refused as bad_seal"),
)
