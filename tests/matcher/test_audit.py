"""The story of an incident, a unit, a person; who looked is written down first."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from matcher import command
from matcher.audit import Subject, story
from matcher.audit_lines import At, Line, line_of
from matcher.audit_trail import Trail
from matcher.core import events as ev
from matcher.core.commands import Tick
from matcher.evidence.audit import SCHEMA, audit_file, look_ups, verify_audit
from matcher.journal.journal import rows
from matcher.journal.schema import SCHEMA as JOURNAL
from protocol import entry as entries
from protocol.order import Answer
from runtime.sqlite_file import open_reader
from tests.matcher.decided_journal import keep, settings_for
from tests.matcher.fleet import START_MS, FleetUnderTest


def busy_fleet() -> FleetUnderTest:
    """Two incidents, one declined and one alarm, a refused request, a log-off."""
    fleet = FleetUnderTest({"a": 10_000, "b": 20_000, "c": 30_000})
    first = fleet.report()
    fleet.deliver("a")
    fleet.answer(fleet.orders(first)[0], Answer.DECLINE)
    fleet.attend(fleet.orders(first)[1])
    second = fleet.report()
    fleet.deliver("a")
    fleet.wait(11)  # nobody answers: alert, and the next is added
    alert = next(a.alert for a in fleet.board.alerts.values() if a.kind == "no_answer")
    fleet.request({"verb": "acknowledge", "alert": alert})
    fleet.request({"verb": "assign", "incident": second.incident, "unit": "a"})  # has an order
    fleet.entry("c", entries.Logoff(1, None))
    fleet.request({"verb": "status", "unit": "c", "status": "out_of_service"})
    return fleet


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    keep(tmp_path / "journal.db", busy_fleet().commands)
    return tmp_path / "journal.db"


def told(journal: Path, **subject: Any) -> list[Line]:
    with closing(open_reader(journal, JOURNAL)) as db:
        return list(story(rows(db), Subject(**subject)))


def test_an_incident_from_report_to_clear(journal: Path) -> None:
    lines = told(journal, incident="i-1-1")
    assert {line.incident for line in lines} == {"i-1-1"}
    whats = [line.what for line in lines]
    assert whats[0] == "report"
    assert {"decision", "order", "step", "message", "incident", "request"} <= set(whats)
    messages = [(line.text, line.by) for line in lines if line.what == "message"]
    assert messages[0] == ("order o-1-1 queued for t-a", None)
    assert ("order o-1-1 at t-a: shown", "terminal:t-a") in messages
    steps = [(line.text, line.by, line.means) for line in lines if line.what == "step"]
    assert ("o-1-1 decline", "unit:a", "touch") in steps
    assert ("o-1-2 clear (handled)", "unit:b", "touch") in steps
    assert ("o-1-2 confirm", "rule:confirm", "automatic") in steps
    assert steps[-1][0] == "o-1-2 clear (handled)"
    assert lines[0].by == "person 7"
    decision = next(line for line in lines if line.what == "decision")
    assert decision.text.startswith("o-1-1; a 10 s, b 20 s, c 30 s")
    assert [line.seq for line in lines] == sorted(line.seq for line in lines)


def test_alerts_acknowledgements_and_refused_requests(journal: Path) -> None:
    lines = told(journal, incident="i-1-2")
    (raised,) = [line for line in lines if line.what == "alert"]
    (seen,) = [line for line in lines if line.what == "acknowledged"]
    assert "no_answer: " in raised.text
    assert (seen.by, seen.unit) == ("person 7", "a")
    refused = [line.text for line in lines if line.what == "request" and "refused" in line.text]
    assert refused == [
        "assign incident i-1-2 unit a: refused, unit_has_order: a has order o-1-3;"
        " release it first, from d01"
    ]


def test_a_unit_with_what_was_weighed_of_it(journal: Path) -> None:
    lines = told(journal, unit="c")
    assert [line.what for line in lines if line.what.startswith("log-")] == ["log-on", "log-off"]
    assert "c out_of_service" in [line.text for line in lines]
    weighed = [line for line in lines if line.what == "decision"]
    assert len(weighed) >= 2
    assert not any(line.unit not in (None, "c") for line in lines)


def test_a_person_of_the_crew_and_a_person_at_the_desk(journal: Path) -> None:
    crew = told(journal, person="c-0")
    assert [line.what for line in crew if line.what.startswith("log-")] == ["log-on", "log-off"]
    assert crew[-1].what == "log-off"  # what becomes of the unit afterwards is not theirs
    assert {line.unit for line in crew} == {"c"}
    desk = told(journal, person="person 7")
    assert {"report", "request", "acknowledged"} <= {line.what for line in desk}
    assert all(line.by == "person 7" for line in desk)
    assert told(journal, person="nobody") == []


def test_a_period_is_by_the_lines_own_time(journal: Path) -> None:
    everything = told(journal)
    later = START_MS + 5_000
    assert {line.at_ms >= later for line in everything} == {True, False}
    assert told(journal, since_ms=later) == [one for one in everything if one.at_ms >= later]
    assert told(journal, until_ms=later) == [one for one in everything if one.at_ms < later]


def test_nothing_of_the_journal_is_left_untold(journal: Path) -> None:
    with closing(open_reader(journal, JOURNAL)) as db:
        events = sum(len(row.decision().events) for row in rows(db))
    assert len(told(journal)) == events


def test_what_is_not_known_here_is_told_by_its_fields() -> None:
    @dataclass(frozen=True)
    class StagingPointSet:
        at_ms: int
        order: str
        metres: int
        by: str
        secret: bytes

    trail = Trail()
    trail.follow(ev.OrderIssued(1, "o-1", "i-1", "a", "assign", 1, 1, 1, 1, "rule", None))
    event: Any = StagingPointSet(5, "o-1", 300, "Lin", b"x")
    line = line_of(event, At(Tick(6, ()), 2, trail))
    assert (line.what, line.text) == ("staging point set", "order o-1, metres 300")
    assert (line.incident, line.unit, line.by) == ("i-1", "a", "Lin")


# --- the command ---------------------------------------------------------------------------------


def ask(config: Path, *words: str) -> int:
    return command.main(["audit", *words, "--config", str(config)])


def test_a_look_is_recorded_before_anything_is_told(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings_for(journal.parent, journal)
    assert ask(config, "--unit", "a", "--reason", "complaint 44") == 0
    out = capsys.readouterr().out
    assert "o-1-1 decline by unit:a (touch)" in out
    assert ask(config, "--person", "nobody", "--reason", "case 7", "--to", "2030-01-01") == 1
    assert "person nobody to 2030-01-01T00:00:00.000Z: nothing" in capsys.readouterr().err
    with closing(open_reader(audit_file(journal), SCHEMA)) as db:
        kept = [(one.act, one.what, one.reason) for one, _ in look_ups(db)]
    assert kept == [
        ("audit", "unit a", "complaint 44"),
        ("audit", "person nobody to 2030-01-01T00:00:00.000Z", "case 7"),
    ]
    assert verify_audit(journal) == []


def test_where_the_look_cannot_be_recorded_nothing_is_told(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit_file(journal).write_text("no database")
    config = settings_for(journal.parent, journal)
    assert ask(config, "--unit", "a", "--reason", "complaint 44") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "audit.db" in said.err


@pytest.mark.parametrize("words", [(), ("--reason", " "), ("--reason", "x\ny")], ids=range(3))
def test_no_look_without_a_reason(
    journal: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        ask(settings_for(journal.parent, journal), "--unit", "a", *words)
    assert ended.value.code == 2
    assert "--reason" in capsys.readouterr().err
    assert not audit_file(journal).exists()


def test_json_is_an_object_a_line(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = settings_for(journal.parent, journal)
    assert ask(config, "--incident", "i-1-1", "--reason", "case 7", "--json") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found[0]["what"] == "report"
    assert set(found[0]) == {
        "at", "journaled", "transaction", "what", "text", "incident", "unit", "by", "means",
    }  # fmt: skip
    assert len(found) == len(told(journal, incident="i-1-1"))
