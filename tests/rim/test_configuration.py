"""Signed configurations on real terminals: applied without a restart, taken back where they cut."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol import cbor, position
from protocol.entry import Configured, EntryKind
from tests.broker import free_port
from tests.rim.daemon import outrider, run, until
from tests.rim.journal import entries_of
from tests.rim.terminal import Terminal
from tests.rim.work import Work, nothing_refused
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-configuration"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """611 gives up a trial after 3 s, 612 only when it crashes."""
    with World("611", "612") as world:
        world.terminals["611"].settings["configuration"] = {"trial_s": 3.0}
        world.terminals["612"].settings["configuration"] = {"trial_s": 600.0}
        world.start()
        world.log_on()
        yield world


def configure(world: World, text: str, *names: str) -> int:
    """By the authority's command; its folder is the centre's here. The version."""
    path = world.folder / "new.toml"
    path.write_text(text)
    words = ("--for", *names) if names else ()
    done = run(outrider("authority", "--dir", world.fleet.authority, "configure", path, *words))
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split("version ")[1].split()[0])


def next_s(world: World, unit: str) -> int:
    """What the newest position at the centre promises."""
    enrolment = world.enrolments[f"t-{unit}"]
    with sqlite3.connect(f"file:{world.journal}?mode=ro", uri=True) as db:
        ((sealed,),) = db.execute("SELECT sealed FROM position WHERE enrolment = ?", (enrolment,))
    payload = cbor.array(cbor.decode(sealed), 4, "sealed")[2]
    return position.decode(payload).next_s


def configured(world: World, unit: str) -> list[tuple[str, int]]:
    """The terminal's entries on configurations, as the centre has them."""
    bodies = [
        one.body
        for one in entries_of(world.journal, world.enrolments[f"t-{unit}"], EntryKind.CONFIGURED)
    ]
    return [(one.kind, one.version) for one in bodies if isinstance(one, Configured)]


def proved(terminal: Terminal, version: int) -> None:
    terminal.agent.wait_for(rf"event=configuration_on_trial version={version}\b")
    terminal.agent.wait_for(rf"event=configuration version={version}\b")


def test_it_is_applied_to_running_parts(world: World) -> None:
    assert next_s(world, "611") == 3
    with Work(world) as work:
        work.more()
        text = 'log_level = "debug"\n[report]\npolicy = "interval"\ninterval_s = 0.5\nlease_s = 2\n'
        version = configure(world, text, "t-611")
        proved(world.terminals["611"], version)
        until(lambda: next_s(world, "611") == 2, "positions by the new policy")
        work.more()
    nothing_refused(world)
    terminal = world.terminals["611"]
    assert terminal.agent.count("event=ready") == 1
    until(lambda: configured(world, "611") == [("trial", 1), ("configuration", 1)], "entries")
    assert configured(world, "612") == []
    assert world.terminals["612"].agent.count("configuration_on_trial") == 0


def test_it_holds_after_a_restart(world: World) -> None:
    terminal = world.terminals["611"]
    assert terminal.agent.stop() == 0
    mark = terminal.agent.mark
    terminal.start()
    terminal.agent.wait_for("event=welcomed", after=mark)
    until(lambda: next_s(world, "611") == 2, "positions by the configuration")
    assert terminal.agent.count("configuration_on_trial version=1") == 1


def test_one_that_cuts_the_terminal_off_is_taken_back(world: World) -> None:
    terminal = world.terminals["611"]
    mark = terminal.agent.mark
    version = configure(world, f"[broker]\nport = {free_port()}\n", "t-611")
    terminal.agent.wait_for(rf"event=configuration_on_trial version={version}\b", after=mark)
    terminal.agent.wait_for(rf"event=config_rolled_back version={version}\b", after=mark)
    trial = terminal.agent.mark
    terminal.agent.wait_for("event=welcomed", after=mark)
    world.desk.wait(
        lambda: [one for one in world.desk.alerts.values() if one["kind"] == "config_rolled_back"],
        "alert of the rollback",
    )
    assert configured(world, "611")[-2:] == [("trial", version), ("configuration", 1)]
    until(lambda: next_s(world, "611") == 2, "positions by the last good one")
    assert terminal.agent.stop() == 0  # and it is never tried again, after a restart neither
    terminal.start()
    terminal.agent.wait_for("event=welcomed", after=trial)
    world.desk.done("hold", unit="611", on=True)
    world.desk.done("hold", unit="611", on=False)
    assert terminal.agent.count(f"configuration_on_trial version={version}") == 1


def test_one_under_which_the_agent_crashes_is_taken_back(world: World) -> None:
    terminal = world.terminals["612"]
    version = configure(world, f"[broker]\nport = {free_port()}\n", "t-612")
    terminal.agent.wait_for(rf"event=configuration_on_trial version={version}\b")
    for _ in range(4):
        terminal.agent.kill()
        mark = terminal.agent.mark
        terminal.start()
    terminal.agent.wait_for(rf"event=config_rolled_back version={version}\b", after=mark)
    terminal.agent.wait_for("event=welcomed", after=mark)
    until(lambda: configured(world, "612")[-1:] == [("configuration", 0)], "entry of the rollback")


def test_a_value_that_no_terminal_takes_changes_nothing(world: World) -> None:
    terminal = world.terminals["611"]
    version = configure(world, "[report]\nlease_s = 4000\n", "t-611")
    until(lambda: configured(world, "611")[-1:] == [("refused", version)], "refusal")
    assert next_s(world, "611") == 2
    assert terminal.agent.count(f"configuration_on_trial version={version}") == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[report]\nlease = 3\n", "did you mean report.lease_s?"),
        ('fleet = "other"\n', "not to be set from afar"),
        ('[keys]\nfolder = "/tmp"\n', "not to be set from afar"),
        ('[gnss]\nport = "/dev/x"\n', "not to be set from afar"),
        ("[report\n", "is not TOML"),
        ("report = 3\n", "write [report]"),
    ],
    ids=["misspelt", "fleet", "keys", "port", "no-toml", "no-table"],
)
def test_the_authority_seals_no_word_that_may_not_be_set(
    world: World, tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    done = run(outrider("authority", "--dir", world.fleet.authority, "configure", path))
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
