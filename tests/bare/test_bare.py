"""Both commands of the README on a Debian 12 with nothing but python3 (`./run test --long`).

OUTRIDER_BARE_TREE names a folder to keep the tree in, for the next time; OUTRIDER_BARE_TESTS what
`./run test` is given inside (default: everything). The tests of this file build on one another.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from pathlib import Path

import pytest

from tests.bare.tree import BareTree, Unavailable, home, make

CLONE = "/srv/outrider"
OFFICER = "officer"

pytestmark = [
    pytest.mark.long,
    pytest.mark.bare,
    pytest.mark.timeout(3600),
    pytest.mark.xdist_group("bare"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> BareTree:
    named = os.environ.get("OUTRIDER_BARE_TREE")
    try:
        made = make(Path(named) if named else tmp_path_factory.mktemp("bare") / "tree")
    except Unavailable as reason:
        pytest.skip(f"no bare Debian tree: {reason}")
    made.run("rm", "-rf", CLONE, home("root"), home(OFFICER), folder="/")
    made.run("useradd", "--no-create-home", OFFICER, folder="/")  # there already in a kept tree
    for user in ("root", OFFICER):
        made.run("install", "-d", f"--owner={user}", home(user), folder="/")
    made.run("apt-get", "purge", "-y", "python3-venv", "python3.11-venv", folder="/")
    made.clone(CLONE)
    return made


def test_without_root_one_line_says_what_to_install(tree: BareTree) -> None:
    tree.clone(f"{home(OFFICER)}/outrider", OFFICER)
    done = tree.run("./run", "setup", folder=f"{home(OFFICER)}/outrider", user=OFFICER)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "sudo apt-get install -y --no-install-recommends python3-venv" in done.stderr


def test_setup_makes_everything_and_the_second_is_immediate(tree: BareTree) -> None:
    done = tree.run("./run", "setup", folder=CLONE)
    assert done.returncode == 0, done.stderr
    assert "python3-venv" in done.stderr
    assert tree.run(".venv/bin/outrider", "--version", folder=CLONE).returncode == 0
    assert tree.run(f"{home('root')}/.cache/outrider/bin/mosquitto", "-h", folder="/").stdout
    started = time.monotonic()
    again = tree.run("./run", "setup", folder=CLONE)
    assert (again.returncode, again.stderr) == (0, "")
    assert time.monotonic() - started < 5


def test_setup_without_root_uses_package_lists_of_its_own(tree: BareTree) -> None:
    tree.run("sh", "-c", "rm -rf /var/lib/apt/lists/*", folder="/")
    done = tree.run("./run", "setup", folder=f"{home(OFFICER)}/outrider", user=OFFICER)
    assert done.returncode == 0, done.stderr
    assert f"{home(OFFICER)}/.cache/outrider/apt" in done.stderr


def test_demo_attends_every_incident(tree: BareTree) -> None:
    done = tree.run("./run", "demo", "--seconds", "60", "--json", folder=CLONE)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["incidents"] >= 4
    assert result["attended"] == result["incidents"]
    assert result["refused"] == {}


def test_suite_passes(tree: BareTree) -> None:
    chosen = shlex.split(os.environ.get("OUTRIDER_BARE_TESTS", ""))
    done = tree.run("./run", "test", *chosen, folder=CLONE, timeout_s=3500)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
