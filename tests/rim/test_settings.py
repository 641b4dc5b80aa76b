"""A wrong setting ends a daemon at once: exit 78, one line with file, key, value and remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rim.daemon import outrider, run
from tests.rim.world import World

pytestmark = pytest.mark.xdist_group("rim-settings")

CONFIGURATION = 78
Spoil = Callable[[str], str]  # text of a right file to that of a wrong one


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Keys and right settings files; nothing runs."""
    with World("611") as world:
        world.write_matcher_config()
        world.terminals["611"].write_config()
        yield world


def put(key: str, value: str) -> Spoil:
    """The last `key = …` of the file with another value."""

    def spoil(text: str) -> str:
        before, found, after = f"\n{text}".rpartition(f"\n{key} = ")
        assert found, key
        rest = after.partition("\n")[2]
        return f"{before}{found}{value}\n{rest}"

    return spoil


def top(line: str) -> Spoil:
    return lambda text: f"{line}\n{text}"


CASES = (
    # daemon, what is spoilt, what the line must name
    ("agent", put("port", "70000"), ("broker.port", "70000", "65535")),
    ("agent", put("port", '"x"'), ("broker.port", "x")),
    ("agent", put("lease_s", "300"), ("report.lease_s", "300", "30")),
    ("agent", put("fleet", '"No Name"'), ("fleet", "No Name")),
    ("agent", put("device", '"t-999"'), ("device", "t-999", "t-611")),
    ("agent", put("folder", '"/nowhere/keys"'), ("/nowhere/keys/root.pem", "does not exist")),
    ("agent", top('prot = "/dev/ttyS0"'), ("prot",)),
    ("agent", top("[gnss"), ("TOML",)),
    ("matcher", put("port", "0"), ("broker.port", "0", "1")),
    ("matcher", put("mode", '"automatic"'), ("mode", "automatic", "recommend")),
    ("matcher", put("kind", '"boat"'), ("unit", "kind", "boat", "motorcycle")),
    ("matcher", put("keys", '"/nowhere/centre"'), ("/nowhere/centre",)),
    ("matcher", put("identities", '"/nowhere/centre"'), ("/nowhere/centre", "trust.cbor")),
    ("matcher", put("fleet", '"otherfleet"'), ("tls.pem", "otherfleet", "testfleet")),
    ("matcher", top("modes = 1"), ("modes", "mode")),
)


def config_of(world: World, daemon: str) -> Path:
    return world.config("611") if daemon == "agent" else world.matcher_config


@pytest.mark.parametrize(("daemon", "spoil", "named"), CASES)
def test_one_line_says_what_to_correct(
    world: World, daemon: str, spoil: Spoil, named: tuple[str, ...]
) -> None:
    right = config_of(world, daemon)
    wrong = world.folder / f"wrong-{daemon}.toml"
    wrong.write_text(spoil(right.read_text()))
    done = run(outrider(daemon, "run", "--config", wrong))
    assert done.returncode == CONFIGURATION, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for word in named:
        assert word in lines[0], lines[0]
    assert " – " in lines[0], "no remedy"
