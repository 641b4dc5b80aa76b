"""The store is read as it is, also beside an agent that holds it, and nothing of it changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.configuration import META
from agent.core import configuration as rules
from agent.core import crew as crew_codec
from agent.core.configuration import Given, Held
from agent.core.crew import Crew
from agent.core.state_rows import CREW
from agent.logbook_file import put_meta
from agent.logbook_schema import OPTIONS, SCHEMA
from agent.settings import AgentSettings, StoreFile
from doctor import disk_probe
from doctor.store_probe import look_into
from doctor.terminal_keys import check_keys
from runtime.store import Store
from tests.agent.enrolled import DEVICE, FLEET, Enrolment

ROWS = {
    CREW: crew_codec.encode(Crew(4, "621", status=1)),
    META: rules.encode(Held(3, Given(3, '[broker]\nhost = "other.example"\n'))),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def settings(tmp_path: Path) -> AgentSettings:
    (tmp_path / "store").mkdir()
    file = StoreFile(file=tmp_path / "store" / "agent.db")
    return AgentSettings(fleet=FLEET, device=DEVICE, store=file)


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_crew_and_signed_configuration(settings: AgentSettings, is_running: bool) -> None:
    """A signed configuration holds over the file: it is its broker that must be tried."""
    folder = settings.store.file.parent
    with Store(settings.store.file, SCHEMA, OPTIONS) as store:
        store.commit_now(lambda c: put_meta(c, ROWS))
        if is_running:
            before = contents(folder)
            kept = look_into(settings)
            assert contents(folder) == before
    if not is_running:
        before = contents(folder)
        kept = look_into(settings)
        assert contents(folder) == before
    assert not kept.unread
    assert (kept.version, kept.settings.broker.host) == (3, "other.example")
    assert (kept.crew.unit, kept.crew.logon) == ("621", 4)


def test_no_store_yet_and_no_store_at_all(settings: AgentSettings) -> None:
    assert look_into(settings).crew.logon is None
    assert not look_into(settings).unread
    settings.store.file.write_bytes(b"no database, whatever its name says" * 99)
    kept = look_into(settings)
    assert kept.unread
    assert kept.settings == settings


def test_a_renewal_that_was_cut_off_is_left_to_the_agent(tmp_path: Path) -> None:
    keys = Enrolment(tmp_path).keys
    assert check_keys(keys, f"{FLEET}.{DEVICE}").level == "ok"
    (keys / "renewal").mkdir()
    (keys / "renewal" / "tls.pem").write_bytes((keys / "tls.pem").read_bytes())
    (keys / "tls.key").write_bytes((keys / "seal.key").read_bytes())  # half of a new pair
    before = contents(keys / "renewal") | contents_of_files(keys)
    found = check_keys(keys, f"{FLEET}.{DEVICE}")
    assert (found.level, "renewed certificate" in found.found) == ("ok", True)
    assert contents(keys / "renewal") | contents_of_files(keys) == before
    (keys / "renewal" / "tls.pem").unlink()
    found = check_keys(keys, f"{FLEET}.{DEVICE}")
    assert (found.level, "does not belong" in found.found) == ("fault", True)


def test_keys_of_another_terminal(tmp_path: Path) -> None:
    found = check_keys(Enrolment(tmp_path).keys, f"{FLEET}.car-2")
    assert found.level == "fault"
    assert f"of {FLEET}.{DEVICE}" in found.found


def contents_of_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("is_hidden", [False, True], ids=["listed", "hidden"])
def test_who_holds_a_store(
    settings: AgentSettings, monkeypatch: pytest.MonkeyPatch, is_hidden: bool
) -> None:
    """Also where the kernel's list of locks is not to be seen."""
    file = settings.store.file
    if is_hidden:
        monkeypatch.setattr(disk_probe, "_LOCKS", file.parent / "hidden")
    assert disk_probe.holder_of(file) is None
    with Store(file, SCHEMA, OPTIONS):
        assert disk_probe.holder_of(file) == os.getpid()
    if is_hidden:
        file.with_name(file.name + ".lock").write_text("999999999")  # of before a power cut
    assert disk_probe.holder_of(file) is None
