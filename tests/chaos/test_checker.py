"""The checker can fail: a world that held is copied and spoiled by hand; each damage is named."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bench.checker import Evidence, find_faults
from tests.chaos import damage as of_orders
from tests.chaos import damage_seen as of_logbooks
from tests.chaos.damage import Damage
from tests.chaos.scene import Scene
from tests.rim.daemon import until

pytestmark = [pytest.mark.xdist_group("chaos-checker"), pytest.mark.timeout(120)]


CASES = (*of_orders.CASES, *of_logbooks.CASES)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A world with orders that were worked off and one that was cancelled."""
    folder = tmp_path_factory.mktemp("held") / "evidence"
    with Scene("601", "602", "603", seed=11) as scene:
        scene.start()
        scene.orders_done(4)
        scene.caller.pause()
        scene.players["603"].is_silent = True
        incident = scene.caller.call(scene.terminal("603").place)
        order = scene.desk.order(incident, "603", "delivered")
        until(lambda: scene.players["603"].card(order), "the card")
        scene.desk.done("cancel", incident=incident, reason="false_alarm")
        scene.players["603"].is_silent = False
        scene.settle()
        with scene.evidence() as evidence:
            shutil.copytree(evidence.journal.parent, folder)
    return _moved(evidence, folder)


def _moved(evidence: Evidence, folder: Path) -> Evidence:
    stores = {device: folder / store.name for device, store in evidence.stores.items()}
    return replace(
        evidence, journal=folder / evidence.journal.name, earlier=folder / "earlier.db",
        stores=stores,
        screens=copy.deepcopy(evidence.screens),
    )  # fmt: skip


def test_a_world_that_holds_has_no_fault(held: Evidence) -> None:
    assert held.asked
    assert held.stores
    assert any(one.showings for one in held.screens.values())
    assert find_faults(held) == {}


@pytest.mark.parametrize(
    ("damage", "check", "words"), CASES, ids=[done.__name__ for done, _, _ in CASES]
)
def test_each_damage_is_named(
    held: Evidence, tmp_path: Path, damage: Damage, check: str, words: str
) -> None:
    shutil.copytree(held.journal.parent, tmp_path / "evidence")
    spoiled = _moved(held, tmp_path / "evidence")
    damage(spoiled)
    faults = find_faults(spoiled)
    assert any(words in text for text in faults.get(check, ())), faults
