"""What the journal tells of real orders: figures on their topic and by command, why, and who did.

Two cars, one desk, one incident attended and one cancelled by its caller.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rim.daemon import outrider, run
from tests.rim.terminal import PLACE
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-statistics"), pytest.mark.timeout(120)]

AT_611 = (PLACE[0] - 0.001, PLACE[1])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World("611", "612") as world:
        world.start()
        world.log_on()
        yield world


@pytest.fixture(scope="module")
def attended(world: World) -> tuple[str, str]:
    """An incident that was attended and one that its caller took back; the first with its order."""
    desk, crew = world.desk, world.crew("611")
    incident = desk.report(AT_611)
    order = desk.order(incident, "611", "delivered")
    crew.answer(order, "accept")
    crew.order(order, "confirmed", "held")
    for word in ("en-route", "on-scene"):
        crew.answer(order, word)
    crew.answer(order, "clear", disposition="handled")
    desk.incident(incident, "cleared")
    other = desk.report(AT_611, priority=3)
    desk.done("cancel", incident=other, reason="caller_cancelled")
    desk.incident(other, "cancelled")
    return incident, order


def test_the_topic_tells_the_last_day(world: World, attended: tuple[str, str]) -> None:
    def day() -> dict[str, Any] | None:
        found: dict[str, Any] | None = world.desk.statistics.get("day")
        return found if found and found["fleet"]["excluded"] else None

    found = world.desk.wait(day, "the day's figures with both incidents")
    assert (found["fleet"]["incidents"], found["fleet"]["attended"]) == (2, 1)
    assert found["fleet"]["excluded"] == {"caller_cancelled": 1}
    assert found["by_priority"]["1"]["within_5min"] == 1.0
    total, arrivals = found["fleet"]["total"], found["fleet"]["arrivals"]
    assert total["n"] == arrivals["touch"]["n"] == 1
    assert total["p50_s"] == total["p90_s"] < 60
    assert found["crew_alerts"]["shifts"] == 2
    assert world.desk.statistics["response_s"]["p50"] <= total["p50_s"]


def test_after_a_restart_the_day_is_read_from_the_journal(
    world: World, attended: tuple[str, str]
) -> None:
    before = world.desk.wait(lambda: world.desk.statistics.get("day"), "the day's figures")
    world.matcher.stop()
    mark = len(world.desk.history)
    world.matcher.start()

    def again() -> dict[str, Any] | None:
        said = [one for kind, one in world.desk.history[mark:] if kind == "statistics"]
        return next((one["day"] for one in said if one["day"]), None)

    after = world.desk.wait(again, "the day's figures after the restart")
    for part in ("fleet", "by_priority", "by_district", "by_hour", "crew_alerts"):
        assert after[part] == before[part], part


def test_by_command(world: World, attended: tuple[str, str]) -> None:
    found = json.loads(world.ask_journal("statistics", "--json"))
    assert (found["fleet"]["incidents"], found["fleet"]["attended"]) == (2, 1)
    assert [one["reason"] for one in found["excluded_incidents"]] == ["caller_cancelled"]
    assert "all                2" in world.ask_journal("statistics", "--by", "hour")
    assert "全部" in world.ask_journal("statistics", "--lang", "zh")


def test_the_same_why_from_a_copy_under_other_settings(
    world: World, attended: tuple[str, str], tmp_path: Path
) -> None:
    _, order = attended
    here = world.ask_journal("explain", order)
    for name in ("journal.db", "journal.db-wal"):
        if (world.journal.parent / name).exists():
            shutil.copy(world.journal.parent / name, tmp_path / name)
    other = tmp_path / "other.toml"
    other.write_text('fleet = "other"\nutc_offset_min = -300\n[files]\njournal = "journal.db"\n')
    copied = run(outrider("matcher", "explain", order, "--config", other))
    assert (copied.returncode, copied.stdout, copied.stderr) == (0, here, "")
    chinese = world.ask_journal("explain", order, "--lang", "zh")
    assert chinese.startswith("已派 611:")


def test_the_story_of_incident_unit_and_person(world: World, attended: tuple[str, str]) -> None:
    incident, order = attended
    reason = ("--reason", "complaint 44")
    story = world.ask_journal("audit", "--incident", incident, *reason)
    for part in (
        f"{order} assign to 611", f"{order} arrive by unit:611 (touch)", "cleared (handled)",
        "by person of d01-desk",
    ):  # fmt: skip
        assert part in story
    unit = world.ask_journal("audit", "--unit", "612", *reason)
    assert "612 log-on" in unit
    assert "decision" in unit
    person = world.ask_journal("audit", "--person", "4711", "--json", *reason)
    whats = {json.loads(line)["what"] for line in person.splitlines()}
    assert {"log-on", "order", "step", "message"} <= whats
    assert "look-ups agree" in world.ask_journal("verify")
    unreasoned = run(
        outrider("matcher", "audit", "--unit", "612", "--config", world.matcher_config)
    )
    assert (unreasoned.returncode, unreasoned.stdout) == (2, "")
