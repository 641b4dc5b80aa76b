"""A key file that is missing, open, empty or another's ends the start: exit 78, one exact line.

Nothing is ever made anew in its place.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.identity import load_identity
from agent.settings import AgentSettings
from manager.seals import Seals
from matcher.centre_keys import CentreKeys
from runtime.faults import ConfigFault
from runtime.settings import load
from tests.authority.fleet import FLEET
from tests.rim.daemon import outrider, run
from tests.rim.world import DESK, World

pytestmark = [pytest.mark.xdist_group("rim-key-files"), pytest.mark.timeout(60)]

CONFIGURATION, BAD_INPUT = 78, 1
Fault = Callable[[Path, Path], None]  # the file, another key of the same form


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Keys and right settings files; the terminal has run once, so its store knows its key."""
    with World("611", keys_only=("other",)) as world:
        world.write_matcher_config()
        world.manager_config(DESK)
        terminal = world.terminals["611"]
        terminal.start()
        assert terminal.agent.stop() == 0
        yield world


def missing(path: Path, _other: Path) -> None:
    path.unlink()


def open_to_all(path: Path, _other: Path) -> None:
    path.chmod(0o644)


def empty(path: Path, _other: Path) -> None:
    path.write_bytes(b"")


def another(path: Path, other: Path) -> None:
    shutil.copy(other, path)


FAULTS: dict[str, tuple[Fault, str]] = {
    "missing": (missing, "does not exist"),
    "open": (open_to_all, "holds a secret that others may read (0644)"),
    "empty": (empty, "is empty"),
}
WRONG = {
    ("agent", "tls.key"): "does not belong to tls.pem",
    ("agent", "seal.key"): "is not the key that this terminal's logbook is sealed with",
    ("matcher", "tls.key"): "does not belong to tls.pem",
    ("matcher", "dispatch.key"): "is no key of role dispatch in trust.cbor",
    ("matcher", "receipt.key"): "is no key of role receipt in trust.cbor",
}
KEYS = {
    "agent": ("tls.key", "seal.key"),
    "matcher": ("tls.key", "dispatch.key", "receipt.key"),
    "request": ("tls.key", "seal.key"),
}
LOADED = [
    pytest.param(who, name, fault, says, id=f"{who}-{name}-{word}")
    for who, names in KEYS.items()
    for name in names
    for word, (fault, says) in FAULTS.items()
]
STARTED = [
    pytest.param("agent", "tls.key", missing, "does not exist", id="agent-missing"),
    pytest.param("request", "seal.key", empty, "is empty", id="request-empty"),
    *(
        pytest.param(who, name, another, says, id=f"{who}-{name}-another")
        for (who, name), says in WRONG.items()
    ),
]


@contextlib.contextmanager
def spoilt(world: World, who: str, name: str, fault: Fault) -> Iterator[Path]:
    """The file with its fault; nothing may have changed it when this ends."""
    folder = {"agent": world.keys("t-611"), "matcher": world.fleet.centre}.get(who)
    path = (folder or world.keys(DESK)) / name
    right = path.read_bytes()
    try:
        fault(path, world.keys("t-other") / "seal.key")
        before = path.read_bytes() if path.exists() else None
        yield path
        assert (path.read_bytes() if path.exists() else None) == before
    finally:
        path.touch(0o600)
        path.chmod(0o600)
        path.write_bytes(right)


def load_keys(world: World, who: str) -> object:
    """What each of them does first; the processes are tried below."""
    if who == "agent":
        return load_identity(load(world.config("611"), AgentSettings))
    if who == "matcher":
        return CentreKeys.load(world.fleet.centre, FLEET, "matcher")
    return Seals.load(world.keys(DESK), FLEET, DESK)


@pytest.mark.parametrize(("who", "name", "fault", "says"), LOADED)
def test_the_reason_is_exact(world: World, who: str, name: str, fault: Fault, says: str) -> None:
    with (
        spoilt(world, who, name, fault) as path,
        pytest.raises(ConfigFault, match=re.escape(says)) as caught,
    ):
        load_keys(world, who)
    assert caught.value.place == str(path)
    assert caught.value.remedy


def start(world: World, who: str) -> tuple[int, str]:
    """Exit code and what was said."""
    if who == "agent":
        done = run(outrider("agent", "run", "--config", world.config("611")))
    elif who == "matcher":
        done = run(outrider("matcher", "run", "--config", world.matcher_config))
    else:
        config = world.folder / f"{DESK}.toml"
        done = run(outrider("request", "watch", "--seconds", "1", "--config", config))
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize(("who", "name", "fault", "says"), STARTED)
def test_the_start_is_refused(world: World, who: str, name: str, fault: Fault, says: str) -> None:
    with spoilt(world, who, name, fault) as path:
        code, said = start(world, who)
    assert code == (BAD_INPUT if who == "request" else CONFIGURATION), said
    *before, last = said.splitlines()
    assert all("level=info" in line for line in before)
    assert str(path) in last
    assert says in last


def test_with_the_right_files_the_terminal_starts_again(world: World) -> None:
    terminal = world.terminals["611"]
    terminal.start()
    assert terminal.agent.stop() == 0
    with sqlite3.connect(f"file:{terminal.store}?mode=ro", uri=True) as db:
        assert db.execute("SELECT count(*) FROM meta WHERE key = 'seal_keys'").fetchone() == (1,)
