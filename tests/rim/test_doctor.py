"""`outrider doctor` finds each fault, made for real, says its remedy, and finds nothing else wrong.

The agent does not run: port and broker are tried directly. Its crew logged on before.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from authority.office import Office
from tests.authority.fleet import Fleet, real_now_ms
from tests.broker import Broker, free_port
from tests.pki import Pki
from tests.rim.daemon import Daemon, outrider, run
from tests.rim.doctor_rig import Report, copied, doctor, receiver, write
from tests.rim.terminal import Setting
from tests.rim.test_full_disk import small_disk
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-doctor"), pytest.mark.timeout(90)]

UNIT, REVOKED = "611", "612"
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A centre, its broker, and a terminal whose crew logged on before its agent was stopped."""
    with World(UNIT, keys_only=(REVOKED,)) as world:
        world.start()
        world.log_on()
        assert world.terminals[UNIT].agent.stop() == 0
        yield world


def changed(
    world: World, path: Path, device: str = f"t-{UNIT}", **tables: Mapping[str, Setting]
) -> Path:
    """The terminal's settings with other values, in a file of the test's own."""
    return write(path / "agent.toml", device, world.terminals[UNIT].settings, **tables)


def test_a_healthy_terminal_is_all_well(world: World) -> None:
    report = doctor(world.config(UNIT))
    assert report.others() == []
    assert report.code == 0
    names = ["settings", "agent", "port", "gnss", "clock", "keys", "certificate", "broker"]
    assert [*report.findings] == [*names, "disk", "unit"]
    assert "is let in and may publish" in report.findings["broker"]["found"]


def test_the_visit_leaves_no_trace_at_the_centre(world: World) -> None:
    """Asking for rights delivers nothing: the matcher refuses, counts and journals nothing."""
    before = (world.matcher.count("refused"), dict(world.desk.statistics["refused"]))
    doctor(world.config(UNIT))
    time = world.desk.statistics["time"]
    world.desk.wait(lambda: world.desk.statistics["time"] > time, "later statistics")
    assert (world.matcher.count("refused"), dict(world.desk.statistics["refused"])) == before


# --- port and receiver -------------------------------------------------------------------------


def test_port_missing(world: World, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    report = doctor(changed(world, tmp_path, gnss={"port": absent}))
    assert report.findings["gnss"]["level"] == "fault"
    assert report.others("port", "gnss", "clock") == []
    port = report.findings["port"]
    assert f"{absent} is not there" in port["found"]
    assert "plug the receiver in" in port["remedy"]


def test_no_permission_for_the_port(world: World, tmp_path: Path) -> None:
    """As root: looked at as a user who may not; else: a port that nobody may open."""
    port = world.terminals[UNIT].folder / f"{UNIT}.gnss"
    if os.geteuid() == 0:
        folder = Path("/tmp") / f"outrider-doctor-{os.getpid()}"  # every folder above is open
        folder.mkdir(mode=0o755)
        options = ["--user", "nobody"]
    else:
        folder, options = tmp_path, []
        port.resolve().chmod(0)
    try:
        config = changed(world, folder, gnss={"port": port.resolve()})
        report = doctor(config, *options)
    finally:
        port.resolve().chmod(0o600)
        if options:
            shutil.rmtree(folder)
    found = report.findings["port"]
    assert found["level"] == "fault"
    assert "no permission" in found["found"]
    assert "60-outrider.rules" in found["remedy"]
    assert report.code == 1


def test_port_held_by_another_program(world: World, tmp_path: Path) -> None:
    with receiver() as path, path.open("rb", buffering=0):
        report = doctor(changed(world, tmp_path, gnss={"port": path}))
    assert f"is held by {Path(sys.executable).name[:7]}" in report.findings["port"]["found"]
    assert "end that program" in report.findings["port"]["remedy"]


# What must be listened to for seconds, side by side. One identity holds one session, so they meet
# no broker.


@pytest.fixture(scope="module")
def heard(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Report]]:
    """Reports on receivers that say too little, or say it at another speed."""
    folder = tmp_path_factory.mktemp("heard")
    late_keys = Fleet(folder / "late", real_now_ms() + DAY_MS).enrol("t-late")
    spoken = ("--sentences", "RMC,GGA,GSA,GSV", "--constellations", "GP,GB")
    with ExitStack() as ends, ThreadPoolExecutor() as pool:
        silent = ends.enter_context(receiver(silent=True))
        fast = ends.enter_context(
            emulated(folder / "fast", "--at", "24.5,117.6", "--baud-real", "38400", "--hz", "2")
        )
        blind = ends.enter_context(emulated(folder / "blind", *spoken))
        cases: dict[str, tuple[str, dict[str, dict[str, Setting]]]] = {
            "silent": (f"t-{UNIT}", {"gnss": {"port": silent}}),
            "fast": (f"t-{UNIT}", {"gnss": {"port": fast, "baud": 9600}}),
            "blind": (f"t-{UNIT}", {"gnss": {"port": blind}}),
            "late": ("t-late", {"keys": {"folder": late_keys}}),
        }
        nowhere: Mapping[str, Setting] = {"port": free_port()}

        def look(name: str) -> Report:
            device, tables = cases[name]
            (folder / name).with_suffix(".d").mkdir()
            place = (folder / name).with_suffix(".d")
            return doctor(changed(world, place, device, broker=nowhere, **tables))

        yield dict(zip(cases, pool.map(look, cases), strict=True))


@contextmanager
def emulated(link: Path, *options: str) -> Iterator[Path]:
    process = Daemon(
        "receiver", [sys.executable, "-m", "hil", "gnss", "--link", str(link), *options]
    )
    process.start("ready")
    try:
        yield link
    finally:
        process.stop()


def test_no_sentences(heard: dict[str, Report]) -> None:
    report = heard["silent"]
    assert report.others("gnss", "clock", "broker") == []
    assert "no sentences" in report.findings["gnss"]["found"]
    assert "TX" in report.findings["gnss"]["remedy"]


def test_wrong_baud(heard: dict[str, Report]) -> None:
    report = heard["fast"]
    assert report.others("gnss", "broker") == []
    found = report.findings["gnss"]
    assert found["level"] == "warn"
    assert "wrong baud: speaks at 38400, settings say 9600" in found["found"]
    assert "set baud = 38400" in found["remedy"]
    assert report.code == 1


def test_no_fix(heard: dict[str, Report]) -> None:
    report = heard["blind"]
    assert report.others("gnss", "clock", "broker") == []
    assert "no fix" in report.findings["gnss"]["found"]
    assert "satellites in view" in report.findings["gnss"]["found"]
    assert "antenna" in report.findings["gnss"]["remedy"]


def test_clock_before_what_is_held(heard: dict[str, Report]) -> None:
    """A certificate from tomorrow: it is the clock that is a day late."""
    report = heard["late"]
    assert report.others("clock", "broker") == []
    assert "before" in report.findings["clock"]["found"]
    assert "set-ntp" in report.findings["clock"]["remedy"]


# --- clock, keys, certificate --------------------------------------------------------------------


def test_clock_wrong(world: World, tmp_path: Path) -> None:
    with receiver(ahead=timedelta(hours=1)) as path:
        report = doctor(changed(world, tmp_path, gnss={"port": path}))
    report.fault("clock", "is wrong", "behind GNSS time", "timedatectl set-ntp true")


def test_key_file_too_open(world: World, tmp_path: Path) -> None:
    keys = copied(world.keys(f"t-{UNIT}"), tmp_path / "keys")
    (keys / "seal.key").chmod(0o640)
    report = doctor(changed(world, tmp_path, keys={"folder": keys}))
    report.fault("keys", "seal.key", "others may read", "0640", "chmod 600")


def test_certificate_about_to_expire(world: World, tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "f", real_now_ms())
    fleet.now_ms -= 28 * DAY_MS
    keys = {"folder": fleet.enrol("t-old")}
    with fleet.broker() as broker:
        report = doctor(changed(world, tmp_path, "t-old", keys=keys, broker={"port": broker.port}))
    report.fault("certificate", "about to expire", "48 h", "renews", level="warn")


# --- broker --------------------------------------------------------------------------------------


def test_broker_unreachable(world: World, tmp_path: Path) -> None:
    report = doctor(changed(world, tmp_path, broker={"port": free_port()}))
    report.fault("broker", "unreachable", "connection refused", "broker.port")


def test_broker_name_not_found(world: World, tmp_path: Path) -> None:
    report = doctor(changed(world, tmp_path, broker={"host": "broker.invalid"}))
    report.fault("broker", "name not found", "broker.host")


def test_broker_of_another_root(world: World, tmp_path: Path) -> None:
    with Broker(tmp_path / "other", Pki(tmp_path / "pki")) as other:
        report = doctor(changed(world, tmp_path, broker={"port": other.port}))
    report.fault("broker", "wrong broker certificate", "not of our root", "enrol again")


def test_broker_under_another_name(world: World, tmp_path: Path) -> None:
    report = doctor(changed(world, tmp_path, broker={"server_name": "elsewhere.example"}))
    report.fault("broker", "wrong broker certificate", "another name", "server_name")


def test_not_authorised_by_the_access_list(world: World, tmp_path: Path) -> None:
    """The session stands and SUBACK grants everything: only the verdict on a publication shows."""
    with world.fleet.broker() as bare:
        bare.acl_file.write_text("# nobody may anything\n")
        bare.reload()
        bare.wait_for_log("Reloading config")
        report = doctor(changed(world, tmp_path, broker={"port": bare.port}))
    words = ("not authorised", "may not publish on position, logbook, link", "authority list")
    report.fault("broker", *words)


def test_not_authorised_since_revoked(world: World, tmp_path: Path) -> None:
    with Office.open(world.fleet.authority) as office:
        office.revoke(f"t-{REVOKED}", real_now_ms())
        office.save(real_now_ms())
    keys = {"folder": world.keys(f"t-{REVOKED}")}
    with world.fleet.broker() as strict:
        report = doctor(
            changed(world, tmp_path, f"t-{REVOKED}", keys=keys, broker={"port": strict.port})
        )
    report.fault("broker", "not authorised", "revoked", "enrol this device again")


# --- disk, crew, usage ---------------------------------------------------------------------------


def test_disk_nearly_full(world: World, tmp_path: Path) -> None:
    store = world.terminals[UNIT].store
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk") as disk:
        shutil.copy(store, disk / store.name)
        report = doctor(changed(world, tmp_path, store={"file": disk / store.name}))
    report.fault("disk", "nearly full", "MiB free", "free space")


def test_unit_not_logged_on(world: World, tmp_path: Path) -> None:
    report = doctor(changed(world, tmp_path, store={"file": tmp_path / "agent.db"}))
    report.fault("unit", "no unit is logged on", "outrider agent logon")


def test_one_line_each_and_all_faults_at_once(world: World, tmp_path: Path) -> None:
    """No fault hides another; a pipe gets one line for each check and a count."""
    config = changed(
        world, tmp_path, gnss={"port": tmp_path / "absent"}, broker={"port": free_port()},
        store={"file": tmp_path / "agent.db"},
    )  # fmt: skip
    done = run(outrider("doctor", "--config", config))
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    faults = [one for one in lines if one.startswith("fault  ")]
    assert [one.split()[1] for one in faults] == ["port:", "gnss:", "broker:", "unit:"]
    assert all(" -> " in one for one in faults)
    assert lines[-1].startswith("4 faults")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('fleet = "x"\ndevice = "y"\n[gnss]\nprot = "a"\n', ("gnss.prot", "did you mean port?")),
        ("fleet = \n", ("is not TOML", "correct that line")),
        ("\xff", ("settings", "->")),
    ],
    ids=["misspelt", "no-toml", "no-settings"],
)
def test_wrong_settings_are_a_finding(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(text, encoding="latin-1")
    done = run(outrider("doctor", "--config", config))
    assert done.returncode == 1
    assert done.stdout.startswith("fault  settings:")
    for word in words:
        assert word in done.stdout


def test_usage() -> None:
    assert run(outrider("doctor", "--confg", "x")).returncode == 2
    helped = run(outrider("doctor", "--help"))
    assert helped.returncode == 0
    assert "examples:" in helped.stdout
