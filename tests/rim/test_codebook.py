"""The fleet's codebook for real: sealed by the authority, in force at the centre, at terminals."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from protocol.codebook_shipped import shipped_text
from protocol.entry import Configured, EntryKind
from tests.authority.fleet import Fleet, real_now_ms
from tests.protocol.codebooks import edited
from tests.rim.daemon import outrider, run, until
from tests.rim.journal import entries_of
from tests.rim.terminal import PLACE
from tests.rim.work import nothing_refused
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-codebook"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World("611", "612") as world:
        world.start()
        world.log_on()
        yield world


def text_of(version: int, *edits: tuple[str, str]) -> str:
    return edited(("version = 1\n", f"version = {version}\n"), *edits, text=shipped_text())


def seal(authority: Path, folder: Path, text: str) -> CompletedProcess[str]:
    """By the authority's command; its folder is the centre's here."""
    path = folder / "new-codebook.toml"
    path.write_text(text, encoding="utf-8")
    return run(outrider("authority", "--dir", authority, "codebook", path))


def roll_out(world: World, version: int, *edits: tuple[str, str]) -> None:
    """Sealed, in force, and at both terminals."""
    done = seal(world.fleet.authority, world.folder, text_of(version, *edits))
    assert (done.returncode, done.stdout) == (0, f"codebook {version}\n"), done.stderr
    world.matcher.wait_for(rf"event=codebook version={version} taken=(True|true)")
    for terminal in world.terminals.values():
        terminal.agent.wait_for(rf"event=codebook version={version}\b")


def taken(world: World, unit: str) -> list[int]:
    """Versions that the terminal's entries name, as the centre has them."""
    enrolment = world.enrolments[f"t-{unit}"]
    bodies = [one.body for one in entries_of(world.journal, enrolment, EntryKind.CONFIGURED)]
    return [b.version for b in bodies if isinstance(b, Configured) and b.kind == "codebook"]


def test_it_reaches_every_terminal_under_running_orders(world: World) -> None:
    crew = world.crew("611")
    incident = world.desk.report(PLACE)
    order = world.desk.order(incident, "611", "delivered")
    assert "incident_kind_zh" not in crew.order(order)
    roll_out(world, 2, ('en = "Theft"', 'en = "Stealing"'))
    card = crew.wait(
        lambda s: [c for c in s["orders"] if c["order"] == order and "incident_kind_en" in c]
    )["orders"][0]
    assert (card["incident_kind_zh"], card["incident_kind_en"]) == ("盗窃、扒窃", "Stealing")
    assert card["hazards_zh"] == []
    crew.answer(order, "accept")
    crew.order(order, "confirmed")
    until(lambda: taken(world, "611") == [2] == taken(world, "612"), "entries of both")
    nothing_refused(world)


def test_a_code_that_is_none_is_refused_where_it_is_typed(world: World) -> None:
    crew = world.crew("611")
    (order,) = [c["order"] for c in crew.state["orders"] if c["state"] == "confirmed"]
    crew.answer(order, "on-scene")
    refused = crew.command(type="answer", order=order, answer="clear", disposition="handeld")
    assert refused["type"] == "refused"
    assert refused["reason"] == "disposition handeld is not in the codebook"
    assert "handled, report_taken" in refused["remedy"]
    refused = crew.command(type="set_status", status="busy", reason="lunch")
    assert "reason lunch is not in the codebook" in refused["reason"]
    crew.answer(order, "clear", disposition="handled")


def test_a_new_version_decides_from_then_on_and_holds_after_restarts(world: World) -> None:
    roll_out(
        world, 3, ('en = "Theft"', 'en = "Stealing"'),
        ("delivery_s = 30\nanswer_s = 60\n", "delivery_s = 30\nanswer_s = 50\n"),
    )  # fmt: skip
    place = {"lat": PLACE[0], "lon": PLACE[1]}
    reply = world.desk.done("report", kind="visit", priority=3, place=place, plan={"units": 1})
    order = world.desk.order(str(reply.incident), "611", "delivered")
    assert world.crew("611").order(order)["answer_s"] == 50
    world.desk.done("cancel", incident=reply.incident, reason="duplicate")
    terminal = world.terminals["612"]
    mark = terminal.agent.mark
    assert terminal.agent.stop() == 0
    terminal.start()
    terminal.agent.wait_for("event=welcomed", after=mark)
    assert world.matcher.stop() == 0
    world.matcher.start()
    world.desk.connected()
    reply = world.desk.done("report", kind="visit", priority=3, place=place, plan={"units": 1})
    order = world.desk.order(str(reply.incident), "611", "delivered")
    assert world.crew("611").order(order)["answer_s"] == 50
    assert terminal.agent.count("event=codebook version=3") == 1, "kept: it is not sent again"
    world.desk.done("cancel", incident=reply.incident, reason="duplicate")


def test_a_call_for_others_is_referred_and_an_unknown_kind_is_told(world: World) -> None:
    place = {"lat": PLACE[0], "lon": PLACE[1]}
    reply = world.desk.done("report", kind="power_fault", place=place)
    assert reply.referred == ("power",)
    shown = world.desk.incident(str(reply.incident), "cancelled")
    assert (shown["disposition"], shown["referred_to"], shown["units"]) == (
        "referred", ["power"], [],
    )  # fmt: skip
    assert shown["long_number"].endswith(f"{int(shown['number'][-3:]):05d}")
    wrong = world.desk.ask("report", kind="thefd", place=place)
    assert (wrong.outcome, wrong.reason) == ("refused", "unknown_code")
    assert "did you mean theft" in str(wrong.detail)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (text_of(2), "version: does not rise (2) – at least 4"),
        (text_of(9, ("[kinds.fight]", "[kinds.brawl]")), "kinds.fight: has vanished"),
        (text_of(9, ("answer_s = 60", "answer_s = 0")), "priorities.3.answer_s"),
        ("[kinds\n", "is not TOML"),
    ],
    ids=["older", "vanished", "wrong", "no-toml"],
)
def test_the_authority_seals_none_that_may_not_follow(
    world: World, tmp_path: Path, text: str, says: str
) -> None:
    before = (world.fleet.centre / "codebook.cbor").read_bytes()
    done = seal(world.fleet.authority, tmp_path, text)
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    assert (world.fleet.centre / "codebook.cbor").read_bytes() == before


def test_one_of_another_fleet_is_refused_and_told(world: World, tmp_path: Path) -> None:
    other = Fleet(tmp_path, real_now_ms())
    assert seal(other.authority, tmp_path, text_of(9)).returncode == 0
    own = world.fleet.centre / "codebook.cbor"
    kept = own.read_bytes()
    shutil.copy(other.centre / "codebook.cbor", own)
    alert = world.desk.wait(
        lambda: next((a for a in world.desk.alerts.values() if a["kind"] == "codebook_refused"),
                     None),
        "alert of the refused codebook",
    )  # fmt: skip
    assert "version 3 stays in force" in alert["text"]
    own.write_bytes(kept)
    assert taken(world, "611") == [2, 3]


def test_the_journal_decides_the_same_again(world: World) -> None:
    state = world.live_state()
    assert state in world.ask_journal("replay")
    world.ask_journal("verify")
