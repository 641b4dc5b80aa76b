"""Why this unit: the same bytes from the journal alone; restricted units counted, not named."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import cbor2
import pytest

from matcher import command, explain
from matcher.core import events as ev
from matcher.core import records
from matcher.core.commands import Tick
from matcher.explain import Why
from matcher.explain_texts import STATUS_ZH, reason_text
from matcher.journal.journal import Row
from protocol.order import OrderKind
from protocol.words import Status
from tests.matcher.decided_journal import keep, settings_for
from tests.matcher.fleet import FleetUnderTest

AT_MS = 1_790_000_000_000
DECIDED = ev.Decided(
    AT_MS, "i-1-1", "o-1-1", "nearest-live",
    (
        ev.Candidate("621", 24_000, 288, 400, "live"),
        ev.Candidate("618", 41_400, 500, 900, "live"),
    ),
    (ev.LeftOut("630", "position 240 s old"), ev.LeftOut("631", "has order o-1-0")),
)  # fmt: skip
ISSUED = ev.OrderIssued(
    AT_MS, "o-1-1", "i-1-1", "621", "assign", 1, 4, AT_MS, 10, "rule:auto", 24_000
)
WHY = Why(DECIDED, ISSUED, 7, b"\xab" * 32)


def test_the_sentence() -> None:
    assert explain.sentence(WHY) == (
        "Sent 621: 24 s. 618 was 41 s; 630 left out: position 4 min old;"
        " 631 left out: has order o-1-0."
    )
    assert explain.sentence(WHY, "zh") == (
        "已派 621:24 秒。618 需 41 秒;630 未入选:定位是 4 分钟前的;631 未入选:有未完成指令 o-1-0。"
    )


def test_a_person_who_chose_and_a_time_that_nobody_knows() -> None:
    by_person = replace(WHY, decided=replace(DECIDED, rule="chosen-by-person", reason="voice"))
    by_person = replace(by_person, issued=replace(ISSUED, issuer="Lin Mei", eta_ms=None))
    assert explain.sentence(by_person).startswith("Sent 621 by Lin Mei: travel time unknown. 618")
    assert explain.sentence(by_person, "zh").startswith("Lin Mei 派出 621:行程时间不明。618")
    assert "; reason voice" in explain.details(by_person)[0]


def test_a_neighbour_who_heard_of_it() -> None:
    heard = replace(WHY, issued=replace(ISSUED, kind=OrderKind.ALERT.value, slot=0))
    assert explain.sentence(heard).startswith("Told 621 as a neighbour: 24 s.")
    assert "no place of the plan" in explain.details(heard)[0]


def test_the_details() -> None:
    assert explain.details(WHY) == [
        "rule nearest-live; issuer rule:auto; place 1 of the plan",
        "decided 2026-09-21T14:13:20.000Z; transaction 7; chain " + "ab" * 32,
        "candidate 621: 24000 ms, 288 m, live, position 400 ms old",
        "candidate 618: 41400 ms, 500 m, live, position 900 ms old",
        "left out 630: position 240 s old",
        "left out 631: has order o-1-0",
    ]


@pytest.mark.parametrize(
    ("hidden", "count"),
    [((), 0), (("618",), 1), (("618", "630", "631"), 3), (("621",), 0), (("999",), 0)],
)
def test_restricted_units_are_counted_and_named_nowhere(
    hidden: tuple[str, ...], count: int
) -> None:
    names = frozenset(hidden)
    said = "\n".join(
        [
            explain.sentence(WHY, "en", names), explain.sentence(WHY, "zh", names),
            *explain.details(WHY, names), str(explain.as_json(WHY, names)),
        ]
    )  # fmt: skip
    for unit in hidden:
        assert unit not in said
    assert explain.as_json(WHY, names)["restricted"] == count
    assert ("restricted: " in said) == (count > 0)
    assert (f"restricted units not named: {count}" in said) == (count > 0)
    if "621" in hidden:
        assert explain.sentence(WHY, "en", names).startswith("Sent a restricted unit: 24 s.")


def test_a_reason_does_not_name_a_restricted_unit_either() -> None:
    decided = replace(DECIDED, left_out=(ev.LeftOut("630", "waits for 618, not for 6180"),))
    said = explain.sentence(replace(WHY, decided=decided), "en", frozenset({"618"}))
    assert "waits for restricted, not for 6180" in said


@pytest.mark.parametrize(
    ("reason", "english", "chinese"),
    [
        ("position 119 s old", "position 119 s old", "定位是 119 秒前的"),
        ("position 120 s old", "position 2 min old", "定位是 2 分钟前的"),
        ("position lost: 61 s old", "position lost: 61 s old", "定位丢失已 61 秒"),
        ("position is suspect: frozen, jump", None, "定位可疑:停滞、跳变"),
        ("status out_of_service", None, "状态为停用"),
        ("not logged on", None, "未登录"),
        ("a later reason", None, "a later reason"),
    ],
)
def test_reasons_in_both_languages(reason: str, english: str | None, chinese: str) -> None:
    assert reason_text(reason, "en") == (english or reason)
    assert reason_text(reason, "zh") == chinese


def test_every_reason_of_the_core_has_its_chinese() -> None:
    """Driven through the core: whatever it says, none is shown in English to a Chinese reader."""
    fleet = FleetUnderTest(
        {unit: 1_000 + n for n, unit in enumerate("abcdefg")},
        kinds={"c": "drone"}, bands={"a": "stale"},
    )  # fmt: skip
    fleet.request({"verb": "hold", "unit": "b", "on": True})
    fleet.request({"verb": "status", "unit": "d", "status": "busy"})
    fleet.report(priority=3)
    incident = fleet.report(priority=3)
    fleet.deliver("f")
    fleet.request({"verb": "release", "incident": incident.incident, "unit": "f"})
    reasons = {o.reason for e in fleet.events if isinstance(e, ev.Decided) for o in e.left_out}
    assert len(reasons) >= 5
    for reason in reasons:
        assert reason_text(reason, "zh") != reason, reason
    assert set(STATUS_ZH) == set(Status)


@dataclass(frozen=True, slots=True)
class PricedCandidate(ev.Candidate):
    price_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LaterDecided(ev.Decided):
    graph: str | None = None


def test_what_later_records_hold_is_told_by_name() -> None:
    """A price and the road graph, once decisions have them; nothing where they have not."""
    priced = PricedCandidate("621", 24_000, 288, 400, "live", 26_000)
    bare = PricedCandidate("618", 41_000, 500, 900, "live")
    decided = LaterDecided(
        AT_MS, "i-1-1", "o-1-1", "nearest-live", (priced, bare), (), None, "2026-11-24 #7"
    )
    lines = explain.details(replace(WHY, decided=decided))
    assert lines[0].endswith("; graph 2026-11-24 #7")
    assert lines[2].endswith(", price_ms 26000")
    assert lines[3].endswith("old")
    found = explain.as_json(replace(WHY, decided=decided))
    assert found["graph"] == "2026-11-24 #7"
    assert explain.as_json(WHY).get("graph") is None


def test_an_order_is_found_by_its_whole_id_only() -> None:
    """`o-1-1` stands inside the bytes of `o-1-12` too."""
    other = replace(ISSUED, order="o-1-12", unit="618")
    rows = [row(1, [replace(DECIDED, order="o-1-12"), other]), row(2, [DECIDED, ISSUED])]
    found = explain.find(rows, "o-1-1")
    assert found is not None
    assert (found.issued.unit, found.seq) == ("621", 2)
    assert explain.find(rows, "o-1") is None


def row(seq: int, events: list[ev.Event]) -> Row:
    tick = cbor2.dumps(records.encode(Tick(AT_MS, ())), canonical=True)
    return Row(seq, tick, records.encode_all(events), bytes(32))


# --- the command ---------------------------------------------------------------------------------


def fleet_with_orders() -> FleetUnderTest:
    fleet = FleetUnderTest({"a": 30_000, "b": 20_000, "c": 40_000}, bands={"c": "stale"})
    incident = fleet.report(units=2)
    fleet.attend(fleet.orders(incident)[0])
    return fleet


def asked(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    code = command.main([str(word) for word in words])
    said = capsys.readouterr()
    assert (code, said.err) == (0, "")
    return said.out


@pytest.mark.parametrize("form", [(), ("--json",), ("--lang", "zh")], ids=["text", "json", "zh"])
def test_a_copied_journal_under_other_settings_gives_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: tuple[str, ...]
) -> None:
    keep(tmp_path / "journal.db", fleet_with_orders().commands)
    config = settings_for(tmp_path, tmp_path / "journal.db")
    here = asked(capsys, "explain", "o-1-2", *form, "--config", config)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(tmp_path / "journal.db", elsewhere / "copy.db")
    text = 'mode = "recommend"\nutc_offset_min = -60\nname = "other"\n'
    other = settings_for(elsewhere, elsewhere / "copy.db", text)
    with other.open("a") as file:
        file.write('[[unit]]\nunit = "zz"\nkind = "drone"\n')
    assert asked(capsys, "explain", "o-1-2", *form, "--config", other) == here
    assert here.strip()


def test_what_the_command_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path / "journal.db", fleet_with_orders().commands)
    config = settings_for(tmp_path, tmp_path / "journal.db")
    lines = asked(capsys, "explain", "o-1-1", "--config", config).splitlines()
    assert lines[0] == "Sent b: 20 s. a was 30 s; c left out: position 0 s old."
    found = json.loads(asked(capsys, "explain", "o-1-1", "--json", "--config", config))
    assert found["sentence"] == lines[0]
    assert found["details"] == lines[1:]
    assert (found["order"], found["unit"], found["eta_ms"]) == ("o-1-1", "b", 20_000)
    assert [c["unit"] for c in found["candidates"]] == ["b", "a"]
    assert command.main(["explain", "o-9-9", "--config", str(config)]) == 1
    assert "o-9-9: not in this journal" in capsys.readouterr().err
