"""The centre's journal or the terminal's card is an older copy: nothing is done twice, nothing is
believed that was overtaken, and both find together again by themselves.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.logbook import Logbook
from agent.logbook_chain import newest_book
from agent.logbook_schema import OPTIONS, SCHEMA
from protocol.entry import Alarm, EntryKind, Start
from runtime.store import Store
from tests.authority.fleet import real_now_ms
from tests.rim.crew import Json
from tests.rim.daemon import until
from tests.rim.journal import entries_of
from tests.rim.terminal import PLACE
from tests.rim.world import World, is_live

pytestmark = [pytest.mark.xdist_group("rim-states-restored"), pytest.mark.timeout(120)]

UNIT = "611"
SETTLED_S = 40.0
WEEK_S = 7 * 86_400


@pytest.fixture
def world() -> Iterator[World]:
    with World(UNIT) as world:
        world.start()
        world.log_on()
        yield world


def all_receipted(state: Json) -> bool:
    return bool(state["waiting_entries"] == 0)


def copy_of(store: Path, to: Path) -> None:
    """As a backup would take it: whole, while it is being written."""
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def put_back(copy: Path, store: Path) -> None:
    for name in (store, Path(f"{store}-wal"), Path(f"{store}-shm")):
        name.unlink(missing_ok=True)
    shutil.copy(copy, store)


def logbooks_of(journal: Path) -> list[tuple[int, list[int]]]:
    """(contiguous number, numbers that are there) of each logbook, oldest first."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        return [
            (n, [m for (m,) in db.execute("SELECT n FROM entry WHERE logbook=? ORDER BY n", (i,))])
            for i, n in db.execute(
                "SELECT logbook, n FROM logbook ORDER BY (SELECT min(received_ms) FROM entry"
                " WHERE entry.logbook = logbook.logbook)"
            )
        ]


def bodies(world: World, kind: EntryKind) -> list[object]:
    """Of entries that are there with their data, all logbooks."""
    return [one.body for one in entries_of(world.journal, world.enrolments[f"t-{UNIT}"], kind)]


def test_a_journal_restored_from_a_copy(world: World) -> None:
    """Terminals say everything again, the term rises, and no old request is done twice."""
    desk, crew = world.desk, world.crew(UNIT)
    crew.wait(all_receipted, "all receipted")
    copy = world.folder / "copy.db"
    copy_of(world.journal, copy)
    incident = desk.report(PLACE)
    order = desk.order(incident, UNIT, "delivered")
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    for word in ("busy", "available") * 3:
        crew.command(type="set_status", status=word)
    crew.wait(all_receipted, "all receipted")
    asked_ms = real_now_ms()
    world.matcher.kill()
    put_back(copy, world.journal)
    mark = world.terminals[UNIT].agent.mark
    world.matcher.start()
    world.terminals[UNIT].agent.wait_for("event=centre_knows_less", after=mark)
    crew.wait(all_receipted, "said again", SETTLED_S)
    (found,) = logbooks_of(world.journal)
    assert found[1] == list(range(1, found[0] + 1))
    alert = desk.wait(
        lambda: next((a for a in desk.alerts.values() if a["kind"] == "restored_journal"), None),
        "people are told",
    )
    assert alert
    reply = desk.ask_again(asked_ms - 1)
    assert (reply.outcome, reply.reason) == ("refused", "expired"), reply
    again = desk.report(PLACE)
    fresh = desk.order(again, UNIT, "delivered")
    assert fresh != order
    assert "whole" in world.ask_journal("verify")


def test_a_journal_that_knows_less_than_the_terminal_still_holds(world: World) -> None:
    """What was pruned is answered by the centre's own receipt, told to people and stepped over."""
    desk, crew, terminal = world.desk, world.crew(UNIT), world.terminals[UNIT]
    crew.wait(all_receipted, "all receipted")
    copy = world.folder / "copy.db"
    copy_of(world.journal, copy)
    for word in ("busy", "available") * 10:
        crew.command(type="set_status", status=word)
    crew.wait(all_receipted, "all receipted")
    terminal.agent.stop()
    world.matcher.kill()
    put_back(copy, world.journal)
    with closing(sqlite3.connect(terminal.store)) as db:  # a week has passed
        db.execute("UPDATE entry SET kept_s = kept_s - ?", (WEEK_S + 60,))
        db.commit()
    last = prune(terminal.store)
    before = logbooks_of(copy)[0]
    assert before[0] < last
    world.matcher.start()
    terminal.start()
    alert = desk.wait(
        lambda: next((a for a in desk.alerts.values() if a["kind"] == "entries_lost"), None),
        "people are told", SETTLED_S,
    )  # fmt: skip
    assert f"entries {before[0] + 1} to {last} are lost" in alert["text"]
    assert "its receipt proves it" in alert["text"]
    crew = terminal.crew()
    crew.wait(all_receipted, "the rest is at the centre", SETTLED_S)
    (found,) = logbooks_of(world.journal)
    assert found[0] > last, "receipts rise again"
    assert [n for n in found[1] if n > last] == list(range(last + 1, found[0] + 1))
    assert not [n for n in found[1] if before[0] < n <= last]


def prune(store: Path) -> int:
    """Prune as the agent does once an hour; the last number that is gone."""
    with Store(store, SCHEMA, OPTIONS) as opened:
        book = opened.commit_now(newest_book)
        assert book is not None
        logbook = Logbook(opened, book.enrolment, bytes(32))
        logbook._book = book
        asyncio.run(logbook.prune(real_now_ms()))
        return logbook.book.base_n


def test_a_card_set_back_to_an_older_copy(world: World) -> None:
    """A higher boot, a new logbook that names the old one, and the crew goes on."""
    crew, terminal = world.crew(UNIT), world.terminals[UNIT]
    crew.wait(all_receipted, "all receipted")
    terminal.agent.stop()
    copy = world.folder / "card.db"
    shutil.copy(terminal.store, copy)
    terminal.start()
    crew = terminal.crew()
    for word in ("busy", "available") * 3:
        crew.command(type="set_status", status=word)
    crew.wait(all_receipted, "all receipted")
    terminal.agent.kill()
    put_back(copy, terminal.store)
    terminal.start()
    terminal.agent.wait_for("event=boot_raised")
    crew = terminal.crew()
    crew.wait(lambda s: s["welcomed"] and all_receipted(s), "receipted again", SETTLED_S)
    old, new = logbooks_of(world.journal)
    assert old[1] == list(range(1, old[0] + 1)), "the old one keeps all"
    assert new[1] == list(range(1, new[0] + 1))
    starts = [one for one in bodies(world, EntryKind.START) if isinstance(one, Start)]
    assert sum(one.old_logbook is not None for one in starts) == 1
    codes = [one.code for one in bodies(world, EntryKind.ALARM) if isinstance(one, Alarm)]
    assert {"boot_raised", "logbook_renewed"} <= set(codes)
    world.desk.unit(UNIT, is_live)
    incident = world.desk.report(PLACE)
    order = world.desk.order(incident, UNIT, "delivered")
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    until(lambda: "whole" in world.ask_journal("verify"), "whole")
