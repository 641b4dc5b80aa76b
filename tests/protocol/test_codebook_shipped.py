"""The codebook that comes with Outrider: whole, and it knows every code that the system writes."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.codebook_model import CODE_TABLES, codes_in
from protocol.codebook_reading import TEXT_BYTES_MAX
from protocol.codebook_shipped import SHIPPED, shipped, shipped_text
from protocol.words import Status
from tests.protocol.dispatchable import DISPATCHABLE_TO_PRIORITY

ROOT = Path(__file__).resolve().parent.parent.parent
BOOK = shipped()
ALARMS = {"Alarm", "alert", "_alarm"}


def codes_called(*folders: str) -> Iterator[tuple[str, str]]:
    """(file, code) of each alarm or alert that is raised by a literal code."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if not isinstance(node, ast.Call) or not node.args:
                    continue
                called, first = ast.unparse(node.func).split(".")[-1], node.args[0]
                if called in ALARMS and isinstance(first, ast.Constant):
                    yield path.name, str(first.value)


def test_every_alert_and_alarm_has_its_names() -> None:
    raised = list(codes_called("matcher", "agent"))
    assert len(raised) > 10
    nameless = [(file, code) for file, code in raised if code not in BOOK.alerts]
    assert not nameless, f"add them to [alerts] in protocol/codes/{SHIPPED}"


@pytest.mark.parametrize(
    "kind",
    [
        "theft", "fight", "burglary", "traffic", "disturbance", "lost_child", "traffic_accident",
        "robbery", "sos", "other",
    ],
)  # fmt: skip
def test_kinds_that_demo_tests_and_guides_use(kind: str) -> None:
    assert BOOK.kinds[kind].dispatched


def test_kinds_of_the_demo() -> None:
    tree = ast.parse((ROOT / "demo" / "command.py").read_bytes())
    kinds = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "KINDS"
    )
    assert set(kinds) <= set(BOOK.kinds)


@pytest.mark.parametrize(
    "reason",
    [
        "no_answer", "place_taken", "incident_cleared", "wrong_logon", "stand_down", "cancelled",
        "preempted", "joined",
    ],
)  # fmt: skip
def test_reasons_that_the_rule_writes(reason: str) -> None:
    assert reason in BOOK.reasons_for("rule")


def test_priorities_as_designed() -> None:
    rows = [BOOK.priority(number) for number in range(5)]
    assert [row.answer_s for row in rows] == [10, 10, 20, 60, 120]
    assert [row.delivery_s for row in rows] == [5, 5, 10, 30, 60]
    assert [row.silence_releases for row in rows] == [False, False, False, True, True]
    assert [row.mode for row in rows] == ["auto", "auto", *["recommend"] * 3]
    assert len({row.sound for row in rows}) == 5


@pytest.mark.parametrize("status", Status, ids=lambda status: status.word)
def test_statuses_as_designed(status: Status) -> None:
    assert BOOK.dispatchable_to(status) == DISPATCHABLE_TO_PRIORITY[status]


def test_crimes_go_to_the_synthetic_desk_too() -> None:
    assert BOOK.groups["criminal"].synthetic_desk
    assert sum(kind.group == "criminal" for kind in BOOK.kinds.values()) >= 15


def test_it_is_large_enough_and_leaves_room() -> None:
    counts = {table: len(codes_in(BOOK, table)) for table in CODE_TABLES}
    assert counts["kinds"] >= 60
    assert counts["dispositions"] >= 20
    assert {kind.group for kind in BOOK.kinds.values()} == set(BOOK.groups)
    assert len(shipped_text().encode()) < 0.75 * TEXT_BYTES_MAX


def test_nothing_is_defined_for_nothing() -> None:
    """Each sound but the two for changes, and each service, is named somewhere."""
    named = {one.sound for one in BOOK.priorities.values()} | {"revision", "cancel"}
    assert named == set(BOOK.sounds)
    assert {code for kind in BOOK.kinds.values() for code in kind.refer} == set(BOOK.services)


def test_a_wheel_carries_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["protocol"]
    carried = {path for pattern in patterns for path in (ROOT / "protocol").glob(pattern)}
    assert ROOT / "protocol" / "codes" / SHIPPED in carried
