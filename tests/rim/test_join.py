"""A technician's way: a terminal joins a running fleet by commands and files, nothing restarts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority.fleet import FLEET
from tests.rim.daemon import outrider, run
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-join"), pytest.mark.timeout(90)]

NEW = "621"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World("611") as world:
        world.start_centre(**{NEW: "motorcycle"})
        world.start_terminals()
        world.desk.connected()
        world.log_on()
        yield world


def said(*words: str | Path, stdin: str = "") -> str:
    """What the command prints; it must be done, and quietly."""
    done = run(outrider(*words), stdin=stdin)
    assert done.returncode == 0, (words, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stdout.strip()


def test_a_terminal_joins_while_everything_runs(world: World, tmp_path: Path) -> None:
    authority = ("authority", "--dir", world.fleet.authority)
    device, stick = f"t-{NEW}", tmp_path / "stick"
    stick.mkdir()
    pids = world.matcher.pid, world.broker.pid
    mark = world.matcher.mark

    code = said(*authority, "invite", device)
    keys = world.keys(device)
    ask = ("enrol", "request", "--fleet", FLEET, "--device", device, "--code", "-", "--out", keys)
    fingerprint = said(*ask, stdin=code + "\n").removeprefix("fingerprint: ")
    shutil.copy(keys / "request.cbor", stick)
    approve = (*authority, "approve", stick / "request.cbor", "--fingerprint", fingerprint)
    approved = json.loads(said(*approve, "--json"))
    installed = said("enrol", "install", approved["approval"], "--out", keys,
                     "--root", approved["root"])  # fmt: skip
    assert approved["enrolment"] in installed

    world.matcher.wait_for("event=identities .*terminals=2", after=mark)
    joined = world.terminals[NEW] = world.terminal(NEW, at=1)
    joined.receiver.start("ready")
    joined.start()
    joined.agent.wait_for("event=welcomed")
    world.log_on(NEW)
    feature = world.desk.units[NEW]
    longitude, latitude = feature["geometry"]["coordinates"]
    assert (round(latitude, 4), round(longitude, 4)) == (
        round(joined.place[0], 4), round(joined.place[1], 4),
    )  # fmt: skip
    assert feature["properties"]["kind"] == "motorcycle"
    assert feature["properties"]["terminal"] == device

    incident = world.desk.report((joined.place[0] + 0.001, joined.place[1]))
    order = world.desk.order(incident, NEW, "delivered")
    world.crew(NEW).answer(order, "accept")
    world.crew(NEW).order(order, "confirmed", "held")
    assert (world.matcher.pid, world.broker.pid) == pids
    assert world.matcher.is_alive


def test_a_code_serves_once(world: World, tmp_path: Path) -> None:
    authority = ("authority", "--dir", world.fleet.authority)
    code = said(*authority, "invite", "t-622")
    ask = ("enrol", "request", "--fleet", FLEET, "--device", "t-622", "--code", code, "--out")
    said(*ask, tmp_path / "first")
    said(*ask, tmp_path / "second")
    said(*authority, "approve", tmp_path / "first" / "request.cbor", "--yes")
    second = run(outrider(*authority, "approve", tmp_path / "second" / "request.cbor", "--yes"))
    assert second.returncode == 1
    assert len(second.stderr.strip().splitlines()) <= 3
    assert "Traceback" not in second.stderr
