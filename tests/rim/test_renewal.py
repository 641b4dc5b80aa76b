"""Certificates and keys of terminals renew while the fleet works: no restart, nothing lost."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator

import pytest

from protocol.entry import EntryKind, NewKey
from protocol.envelope import peek
from protocol.keys import SealKey, kid_of
from runtime.key_files import fingerprint_of, load_certificate, load_private
from tests.rim.daemon import outrider, run, until
from tests.rim.journal import entries_of
from tests.rim.terminal import Terminal
from tests.rim.work import Work, nothing_refused
from tests.rim.world import World, is_live

pytestmark = [pytest.mark.xdist_group("rim-renewal"), pytest.mark.timeout(120)]

DAY_MS = 86_400_000
DUE_NOW, NOT_YET = 0.1, 0.667  # of 30 days, of which 5 have passed


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """611 is to renew at once, 612 is not."""
    with World("611", "612", age_ms=5 * DAY_MS) as world:
        world.terminals["611"].settings["keys"]["renew_at"] = DUE_NOW
        world.start()
        world.log_on()
        yield world


def answer_requests(world: World) -> None:
    """The operator's round: requests to the authority, its answers to the centre."""
    requests = world.folder / "requests"
    done = run(outrider("authority", "--dir", world.fleet.authority, "renew", requests))
    assert done.returncode == 0, done.stderr


def seal_kid(terminal: Terminal, world: World) -> bytes:
    return SealKey(load_private(world.keys(terminal.device) / "seal.key")).kid


def test_it_renews_under_load_without_a_restart(world: World) -> None:
    terminal = world.terminals["611"]
    folder, enrolment = world.keys("t-611"), world.enrolments["t-611"]
    before = fingerprint_of(load_certificate(folder / "tls.pem"))
    old_kid = seal_kid(terminal, world)
    with Work(world) as work:
        work.more()
        until((world.folder / "requests" / "t-611.cbor").exists, "request at the centre")
        answer_requests(world)
        terminal.agent.wait_for("event=certificate_renewed")
        terminal.agent.wait_for("event=key_renewed")
        work.more(2)
    assert fingerprint_of(load_certificate(folder / "tls.pem")) != before
    assert seal_kid(terminal, world) != old_kid
    for name in ("tls.key", "seal.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert not (folder / "renewal").exists()
    nothing_refused(world)
    assert terminal.agent.count("event=ready") == 1
    named = [one.body for one in entries_of(world.journal, enrolment, EntryKind.KEY)]
    assert [kid_of(one.public_key) for one in named if isinstance(one, NewKey)] == [
        seal_kid(terminal, world)
    ]
    by_key = seals_of_heads(world, enrolment)
    assert by_key[0] == old_kid
    assert by_key[-1] == seal_kid(terminal, world)
    assert seal_of_entry(world, enrolment, EntryKind.KEY) == old_kid


def seals_of_heads(world: World, enrolment: bytes) -> list[bytes]:
    """Which key sealed each batch that the centre keeps, in order of arrival."""
    with sqlite3.connect(f"file:{world.journal}?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT sealed FROM head JOIN logbook USING (logbook) WHERE enrolment = ? ORDER BY id",
            (enrolment,),
        ).fetchall()
    return [peek(sealed)[1] for (sealed,) in rows]


def seal_of_entry(world: World, enrolment: bytes, kind: EntryKind) -> bytes:
    with sqlite3.connect(f"file:{world.journal}?mode=ro", uri=True) as db:
        ((sealed,),) = db.execute(
            "SELECT sealed FROM entry JOIN logbook USING (logbook) JOIN head USING (logbook)"
            " WHERE enrolment = ? AND entry.kind = ? AND entry.n BETWEEN first AND last LIMIT 1",
            (enrolment, int(kind)),
        ).fetchall()
    return peek(sealed)[1]


def test_who_is_not_due_asks_nothing(world: World) -> None:
    assert not (world.folder / "requests" / "t-612.cbor").exists()
    assert not (world.keys("t-612") / "renewal").exists()


def test_after_a_restart_the_new_keys_serve(world: World) -> None:
    terminal = world.terminals["611"]
    terminal.settings["keys"]["renew_at"] = NOT_YET
    assert terminal.agent.stop() == 0
    mark = terminal.agent.mark
    terminal.start()
    terminal.agent.wait_for("event=welcomed", after=mark)
    terminal.crew().log_on("611")
    world.desk.unit("611", is_live)
    with Work(world) as work:
        work.more()
    nothing_refused(world)


def test_killed_in_the_middle_it_goes_on(world: World) -> None:
    """Twice: with the certificate in place and the old key still sealing; and at once after."""
    terminal = world.terminals["612"]
    terminal.settings["keys"]["renew_at"] = DUE_NOW
    assert terminal.agent.stop() == 0
    terminal.start()
    until((world.folder / "requests" / "t-612.cbor").exists, "request at the centre")
    old_kid = seal_kid(terminal, world)
    answer_requests(world)
    terminal.agent.wait_for("event=certificate_renewed")
    terminal.agent.kill()
    terminal.settings["keys"]["renew_at"] = NOT_YET
    mark = terminal.agent.mark
    terminal.start()
    terminal.agent.wait_for("event=welcomed", after=mark)
    until(lambda: seal_kid(terminal, world) != old_kid, "new sealing key")
    terminal.agent.kill()
    mark = terminal.agent.mark
    terminal.start()
    terminal.agent.wait_for("event=welcomed", after=mark)
    until(lambda: not (world.keys("t-612") / "renewal").exists(), "renewal is over")


def test_the_journal_is_whole_after_all_of_it(world: World) -> None:
    assert world.desk.statistics["refused"] == {}
    world.ask_journal("verify")
