"""A store that does not hold what was written: set aside, told, and the terminal goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.damage import KEPT_ASIDE_MAX, set_aside
from protocol.entry import Alarm, Delivered, Start
from runtime.faults import StoreDamaged
from tests.agent.centre import Centre, order
from tests.agent.conftest import World

BLOCK = 2048


def codes(centre: Centre) -> set[str]:
    return {one.code for one in centre.bodies(Alarm)}


def torn(path: Path) -> None:
    """Pages in the middle hold something else."""
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // BLOCK):
        data[page * BLOCK : (page + 1) * BLOCK] = b"\x5a" * BLOCK
    path.write_bytes(bytes(data))


def no_database(path: Path) -> None:
    path.write_bytes(b"\xff" * path.stat().st_size)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:BLOCK])


@pytest.mark.parametrize(
    "damage", [torn, no_database, cut_short], ids=["torn", "no-database", "cut-short"]
)
def test_a_damaged_store_is_set_aside_and_the_terminal_serves(
    world: World, damage: Callable[[Path], None]
) -> None:
    agent, centre = world.agent, world.centre
    agent.start()
    number = agent.crew().ask(type="logon", unit="621", crew=["4711"])["entry"]
    centre.wait(lambda: centre.bodies(Start), "first boot")
    agent.stop()
    store = agent.folder / "agent.db"
    damage(store)
    kept = store.read_bytes()
    centre.new_session()
    agent.start()
    aside = agent.folder / "agent.db.damaged-1"
    assert aside.read_bytes() == kept, "nothing of it is thrown away"
    assert "store_set_aside" in agent.log.read_text()
    centre.wait(lambda: [p for p in centre.positions if p.boot == 2], "a boot above the old one")
    centre.wait(lambda: "store_damaged" in codes(centre), "people are told")
    number = agent.crew().ask(type="logon", unit="621", crew=["4711"])["entry"]
    centre.dispatch(order("o-1", number))
    centre.wait(lambda: centre.bodies(Delivered), "an order is taken")


def test_damage_found_later_ends_the_process_once(world: World) -> None:
    """No crash loop: it ends, sets the store aside, and the next start serves."""
    agent, centre = world.agent, world.centre
    centre.gives_receipts = False
    agent.tables["track"] = "entry_s = 1\nscratch_s = 1"
    agent.start()
    crew = agent.crew()
    for n in range(120):
        word = "busy" if n % 2 else "available"
        crew.ask(type="set_status", status=word)
    centre.wait(lambda: centre.batches, "a batch")
    agent.kill()
    store = agent.folder / "agent.db"
    torn(store)
    ended = 0
    for _ in range(3):
        try:
            agent.start()
            break
        except AssertionError:
            ended += 1
    assert ended <= 1
    assert [path.name for path in agent.folder.glob("agent.db.damaged-?")]
    centre.gives_receipts = True
    centre.wait(lambda: "store_damaged" in codes(centre), "told")


def test_what_is_set_aside_is_bounded(tmp_path: Path) -> None:

    path = tmp_path / "agent.db"
    for n in range(KEPT_ASIDE_MAX + 3):
        path.write_bytes(b"%d" % n)
        set_aside(path, StoreDamaged(path, "is damaged"))
    kept = sorted(one.read_bytes() for one in tmp_path.iterdir())
    assert kept == [b"0", b"1", b"2", b"6"]
