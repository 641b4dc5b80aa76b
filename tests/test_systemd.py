"""The unit files: systemd finds nothing to say about them, and each is shut in as far as promised.

Looked at in a staged root in which the commands exist: `systemd-analyze verify` may exit 0 on an
unknown key, so anything that it prints is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNITS = ROOT / "systemd"
COMMANDS = (
    "opt/outrider/.venv/bin/outrider",
    "usr/sbin/mosquitto",
    "usr/bin/systemctl",
    "bin/kill",
    "bin/mkdir",
    "bin/chown",
)
EXPOSURE_MAX = {
    "outrider-agent.service": 1.5,
    "outrider-bridge.service": 1.2,
    "outrider-matcher.service": 1.2,
    "outrider-broker-reload.service": 1.2,
    "mosquitto.service": 1.3,
}
DAEMONS = ("outrider-agent.service", "outrider-bridge.service", "outrider-matcher.service")
# What Debian's package brings, as far as our drop-in needs it.
DEBIANS_MOSQUITTO = """[Unit]
Description=Mosquitto MQTT Broker
[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/sbin/mosquitto -c /etc/mosquitto/mosquitto.conf
ExecReload=/bin/kill -HUP $MAINPID
ExecStartPre=/bin/mkdir -m 740 -p /run/mosquitto
ExecStartPre=/bin/chown mosquitto /run/mosquitto
[Install]
WantedBy=multi-user.target
"""

pytestmark = [pytest.mark.timeout(400), pytest.mark.xdist_group("systemd")]


def tool(name: str) -> str:
    """Path of one of systemd's tools: the machine's own, else out of Debian's package."""
    found = shutil.which(name)
    if found:
        return found
    command = [str(ROOT / "run"), "unpack", "systemd", name]
    unpacked = subprocess.run(command, capture_output=True, text=True, check=False)
    if unpacked.returncode:
        pytest.skip(f"no {name} here: {unpacked.stderr.strip().splitlines()[-1]}")
    return unpacked.stdout.strip()


def units_of_systemd(analyze: str) -> Path:
    """The folder of systemd's own units: the machine's, else beside the unpacked tool."""
    for root in (Path("/"), Path(analyze).parent.parent / "systemd"):
        for folder in ("usr/lib/systemd/system", "lib/systemd/system"):
            if (root / folder / "sysinit.target").exists():
                return root / folder
    pytest.skip("systemd's own units are not here")


@pytest.fixture(scope="module")
def analyze() -> str:
    return tool("systemd-analyze")


@pytest.fixture
def stage(tmp_path: Path, analyze: str) -> Path:
    """A root folder as after an installation: units, drop-in, and every command they start."""
    own, etc = tmp_path / "usr/lib/systemd/system", tmp_path / "etc/systemd/system"
    shutil.copytree(units_of_systemd(analyze), own, symlinks=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    etc.mkdir(parents=True)
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.path")]:
        shutil.copy(unit, etc)
    shutil.copytree(UNITS / "mosquitto.service.d", etc / "mosquitto.service.d")
    (own / "mosquitto.service").write_text(DEBIANS_MOSQUITTO, encoding="utf-8")
    for command in COMMANDS:
        file = tmp_path / command
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#!/bin/sh\n", encoding="utf-8")
        file.chmod(0o755)
    return tmp_path


def verify(analyze: str, stage: Path, unit: str) -> str:
    """What systemd has to say about a unit; the empty string is good."""
    command = [analyze, "verify", "--man=no", f"--root={stage}", unit]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return (run.stdout + run.stderr).strip() or ("" if run.returncode == 0 else "failed")


def exposure(analyze: str, stage: Path, unit: str) -> float:
    command = [analyze, "security", "--offline=true", f"--root={stage}", "--no-pager", unit]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    line = next(line for line in run.stdout.splitlines() if "Overall exposure" in line)
    return float(line.partition(": ")[2].split()[0])


def settings(unit: str) -> dict[str, str]:
    """The last value of each key of a unit file."""
    lines = (UNITS / unit).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=")[::2] for line in lines if "=" in line and not line.startswith("#"))
    return dict(pairs)


def test_all_units_are_looked_at() -> None:
    assert {path.name for path in UNITS.glob("*.service")} == set(EXPOSURE_MAX) - {
        "mosquitto.service"
    }


@pytest.mark.parametrize("unit", [*EXPOSURE_MAX, "outrider-broker-reload.path"])
def test_systemd_finds_nothing_to_say(analyze: str, stage: Path, unit: str) -> None:
    assert verify(analyze, stage, unit) == ""


def test_a_misspelt_key_would_be_seen(analyze: str, stage: Path) -> None:
    unit = stage / "etc/systemd/system/outrider-agent.service"
    unit.write_text(unit.read_text().replace("WatchdogSec", "WachdogSec"), encoding="utf-8")
    assert "WachdogSec" in verify(analyze, stage, unit.name)


@pytest.mark.parametrize(("unit", "limit"), EXPOSURE_MAX.items())
def test_exposure_stays_under_its_limit(analyze: str, stage: Path, unit: str, limit: float) -> None:
    assert exposure(analyze, stage, unit) <= limit


@pytest.mark.parametrize("unit", DAEMONS)
def test_daemons_live_as_the_design_says(unit: str) -> None:
    found = settings(unit)
    wanted = {
        "Type": "notify",
        "WatchdogSec": "20",
        "Restart": "always",
        "RestartPreventExitStatus": "78",
        "StartLimitIntervalSec": "0",
    }
    assert {key: found.get(key) for key in wanted} == wanted
    assert {"StateDirectory", "RuntimeDirectory", "ConfigurationDirectory", "MemoryMax"} <= set(
        found
    )


def test_started_commands_are_commands_of_ours() -> None:
    import outrider

    known = {command.words for command in outrider.COMMANDS if command.daemon}
    started = {tuple(settings(unit)["ExecStart"].split()[1:3]) for unit in DAEMONS}
    assert started == known


def test_users_and_folders_can_be_made(tmp_path: Path) -> None:
    sysusers, tmpfiles = tool("systemd-sysusers"), tool("systemd-tmpfiles")
    if os.geteuid():
        pytest.skip("making users in a folder needs root")
    (tmp_path / "etc").mkdir()
    for command, folder in ((sysusers, "sysusers.d"), (tmpfiles, "tmpfiles.d")):
        files = [str(path) for path in sorted((UNITS / folder).glob("*.conf"))]
        verb = [] if command is sysusers else ["--create"]
        run = subprocess.run(
            [command, *verb, f"--root={tmp_path}", *files],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
    users = (tmp_path / "etc/passwd").read_text(encoding="utf-8")
    for unit in DAEMONS:
        assert f"{settings(unit)['User']}:" in users
    lists = (tmp_path / "var/lib/outrider/broker").stat()
    assert lists.st_mode & 0o7777 == 0o2750


def test_udev_rules_name_receiver_and_board() -> None:
    text = (UNITS / "udev/60-outrider.rules").read_text(encoding="utf-8")
    rules = [line for line in text.splitlines() if line.startswith("ENV{ID_VENDOR_ID}")]
    for link in ("outrider-gnss", "outrider-board"):
        rule = next(rule for rule in rules if f'SYMLINK+="{link}"' in rule)
        assert 'GROUP="outrider", MODE="0660"' in rule
        assert rule.count('"') % 2 == 0
