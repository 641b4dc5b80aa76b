"""Receivers as they are in a vehicle: unplugged, set to another speed, two of them, behind gpsd."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from protocol.entry import Track
from protocol.track import unpack
from runtime.serial_port import BY_ID
from tests.agent.conftest import World
from tests.agent.enrolled import now_ms
from tests.agent.gpsd_server import FakeGpsd
from tests.agent.plug import Plug
from tests.agent.process import Crew
from tests.hil.helpers import Emulator

PLACE = "24.513,117.647"


@pytest.fixture(params=["link", "by-id"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """What the settings say, and the link that leads to the device."""
    if request.param == "link":
        yield str(tmp_path / "gnss"), tmp_path / "gnss"
        return
    name = f"usb-Outrider_test_{os.getpid()}-if00-port0"
    had_folder = BY_ID.exists()
    try:
        BY_ID.mkdir(parents=True, exist_ok=True)
        (BY_ID / name).symlink_to("/dev/null")
    except OSError as cause:
        pytest.skip(f"no link in {BY_ID} here: {cause.strerror}")
    try:
        yield name, BY_ID / name
    finally:
        (BY_ID / name).unlink(missing_ok=True)
        if not had_folder:
            BY_ID.rmdir()


def fix_at(watch: Crew, time_ms: int, timeout_s: float = 10.0) -> dict[str, Any]:
    """The first state that shows the fix of that epoch."""
    return watch.until(lambda s: s["fix"] and s["fix"]["time_ms"] == time_ms, "fix", timeout_s)


def until_opened(world: World, times: int) -> None:
    """Until the agent has opened the port so often: what comes before, opening throws away."""
    deadline_s = time.monotonic() + 10
    while world.agent.log.read_bytes().count(b"event=port_opened") < times:
        assert time.monotonic() < deadline_s, f"port not opened {times} times"
        time.sleep(0.005)


def track_times(world: World) -> list[int]:
    """Epochs of all fixes that the centre has in track entries, in order."""
    tracks = world.centre.bodies(Track)
    return [point.time_ms for one in tracks for point in unpack(one.packed, one.count)]


def test_unplugged_and_found_again_under_another_name(world: World, port: tuple[str, Path]) -> None:
    name, link = port
    world.agent.tables["gnss"] = f'port = "{name}"\nbaud = 115200'
    link.unlink(missing_ok=True)
    first = Plug(link)
    world.agent.start()
    watch = world.agent.crew()
    watch.say(type="watch")
    until_opened(world, 1)
    times = [first.speak()]
    fix_at(watch, times[0])
    times.append(first.speak())
    second = Plug(link)  # while the first still has its name
    link.unlink()
    first.pull()  # at once: the epoch just read is not closed yet
    pulled_s = time.monotonic()
    watch.until(lambda s: s["fix"]["flags"] == ["unplugged"], "word of the unplugging", 2.5)
    assert time.monotonic() - pulled_s < 2.0
    assert second.path != first.path
    link.symlink_to(second.path)
    plugged_s = time.monotonic()
    until_opened(world, 2)
    times.append(second.speak())
    fix_at(watch, times[2], 5.0)
    assert time.monotonic() - plugged_s < 5.0
    world.centre.wait(lambda: len(track_times(world)) >= 3, "track")
    assert track_times(world) == times
    second.pull()


@pytest.mark.parametrize("real", [4800, 230_400])
def test_a_wrong_speed_is_found_within_10_s(world: World, tmp_path: Path, real: int) -> None:
    link = tmp_path / "gnss"
    world.agent.tables["gnss"] = f'port = "{link}"\nbaud = 9600'
    options = ("--at", PLACE, "--baud-real", str(real), "--sentences", "RMC,GGA")
    with Emulator("gnss", "--link", str(link), *options) as receiver:
        receiver.event("ready")
        world.agent.start()
        started_s = time.monotonic()
        watch = world.agent.crew()
        watch.say(type="watch")
        state = watch.until(lambda s: s["fix"] and s["fix"]["lat"], "fix")
        assert time.monotonic() - started_s < 10.0
    assert round(state["fix"]["lat"], 5) == 24.513


@pytest.mark.parametrize("fault", ["killed", "mute"])
def test_the_second_receiver_takes_over_within_3_s(
    world: World, tmp_path: Path, fault: str
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    world.agent.tables["gnss"] = f'port = "{one}"\nbaud = 115200'
    world.agent.tables["gnss.second"] = f'port = "{two}"\nbaud = 115200'
    with (
        Emulator("gnss", "--link", str(one), "--hz", "2") as first,
        Emulator("gnss", "--link", str(two), "--hz", "2") as second,
    ):
        for receiver, lat in ((first, 24.513), (second, 24.51305)):  # 6 m apart, driving east
            receiver.event("ready")
            receiver.tell(do="route", points=[[lat, 117.647], [lat, 117.667]], speed_mps=15)
        world.agent.start()
        watch = world.agent.crew()
        watch.say(type="watch")
        watch.until(lambda s: s["fix"] and s["fix"]["lat"] == pytest.approx(24.513), "first")
        world.centre.wait(lambda: len(track_times(world)) >= 4, "track of the first")
        if fault == "killed":
            first.kill()
        else:
            first.tell(do="fault", kind="gap", seconds=60)
        lost_s = time.monotonic()
        watch.until(lambda s: s["fix"]["lat"] == pytest.approx(24.51305), "second", 4.5)
        assert time.monotonic() - lost_s < 4.0, "the screen shows a fix once a second"
        count = len(track_times(world))
        world.centre.wait(lambda: len(track_times(world)) >= count + 8, "track of the second")
    times = track_times(world)
    assert len(times) == len(set(times)), "no epoch twice"
    assert times == sorted(times)
    assert max(later - earlier for earlier, later in pairwise(times)) <= 3000


def test_a_terminal_behind_gpsd(world: World) -> None:
    with FakeGpsd() as gpsd:
        world.agent.tables["gnss"] = f'port = "gpsd://127.0.0.1:{gpsd.port}"'
        world.agent.start()
        watch = world.agent.crew()
        watch.say(type="watch")
        assert gpsd.commands.get(timeout=10) == '?WATCH={"enable": true, "json": true}'
        first = gpsd.speak()
        assert fix_at(watch, first)["fix"]["satellites"] == 9
        gpsd.drop()
        watch.until(lambda s: s["fix"]["flags"] == ["unplugged"], "word of gpsd's end", 2.5)
        gpsd.commands.get(timeout=5)
        second = gpsd.speak()
        fix_at(watch, second, 5.0)
        world.centre.wait(lambda: track_times(world) == [first, second], "track")


def test_10_hz_and_all_talkers_leave_the_processor_alone(world: World, tmp_path: Path) -> None:
    link = tmp_path / "gnss"
    world.agent.tables["gnss"] = f'port = "{link}"\nbaud = 115200'
    world.agent.tables["report"] = ""
    options = (
        "--at", PLACE, "--hz", "10", "--baud", "115200", "--constellations", "GP,GL,GA,GB,GQ",
        "--sentences", "RMC,GGA,GNS,VTG,GLL,ZDA,GSA,GSV",
    )  # fmt: skip
    with Emulator("gnss", "--link", str(link), *options) as receiver:
        receiver.event("ready")
        world.agent.start()
        watch = world.agent.crew()
        watch.say(type="watch")
        watch.until(lambda s: s["fix"] and s["fix"]["lat"], "fix")
        begin_s, used_s = time.monotonic(), cpu_s(world.agent.pid)
        watch.until(lambda _: time.monotonic() - begin_s > 5, "5 s")
        share = (cpu_s(world.agent.pid) - used_s) / (time.monotonic() - begin_s)
        state = watch.hear()
        assert state["fix"]["age_ms"] < 250
        assert abs(now_ms() - state["fix"]["time_ms"]) < 1000, "no backlog"
    assert share < 0.15, f"{share:.1%} of a core"


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
