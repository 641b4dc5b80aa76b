"""`outrider doctor` with a matcher's settings: keys, documents, lists, broker, disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority.fleet import Fleet, real_now_ms
from tests.broker import free_port
from tests.rim.doctor_rig import copied, doctor
from tests.rim.world import World

pytestmark = [pytest.mark.xdist_group("rim-doctor"), pytest.mark.timeout(60)]

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A centre whose matcher has run once and does not run now."""
    with World("611") as world:
        world.start_centre()
        world.desk.connected()
        assert world.matcher.stop() == 0
        yield world


def changed(world: World, path: Path, old: Path | str, new: Path | str) -> Path:
    text = world.matcher_config.read_text()
    assert str(old) in text
    config = path / "matcher.toml"
    config.write_text(text.replace(str(old), str(new)))
    return config


def test_a_stopped_centre_is_let_in_and_heard(world: World) -> None:
    report = doctor(world.matcher_config)
    assert report.others("clock") == []
    assert "is let in and may publish" in report.findings["broker"]["found"]
    assert "role dispatch" in report.findings["role keys"]["found"]


@pytest.mark.parametrize("name", ["dispatch.key", "receipt.key", "tls.key"])
def test_key_file_too_open(world: World, tmp_path: Path, name: str) -> None:
    keys = copied(world.fleet.centre, tmp_path / "centre")
    (keys / name).chmod(0o644)
    report = doctor(changed(world, tmp_path, world.fleet.centre, keys))
    assert report.others("keys", "documents", "clock") == []
    assert name in report.findings["keys"]["found"]
    assert "chmod 600" in report.findings["keys"]["remedy"]


def test_a_document_that_is_missing(world: World, tmp_path: Path) -> None:
    keys = copied(world.fleet.centre, tmp_path / "centre")
    (keys / "identities.cbor").unlink()
    report = doctor(changed(world, tmp_path, world.fleet.centre, keys))
    assert report.others("documents", "clock") == []
    assert "identities.cbor" in report.findings["documents"]["found"]
    assert "authority" in report.findings["documents"]["remedy"]


def test_lists_that_are_missing(world: World, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    report = doctor(changed(world, tmp_path, world.folder / "lists", tmp_path / "lists"))
    assert report.others("lists", "clock") == []
    assert "acl, crl.pem not in" in report.findings["lists"]["found"]
    assert "start the matcher" in report.findings["lists"]["remedy"]


def test_a_revocation_list_out_of_date(world: World, tmp_path: Path) -> None:
    """Past its date the broker lets nobody in, and says so to no one."""
    lists = copied(world.folder / "lists", tmp_path / "lists")
    old = Fleet(tmp_path / "old", real_now_ms() - 40 * DAY_MS)
    (lists / "crl.pem").write_bytes((old.centre / "crl.pem").read_bytes())
    report = doctor(changed(world, tmp_path, world.folder / "lists", lists))
    assert report.others("lists", "clock") == []
    assert "revocation list" in report.findings["lists"]["found"]
    assert "has expired" in report.findings["lists"]["found"]
    assert "authority refresh" in report.findings["lists"]["remedy"]


def test_broker_unreachable(world: World, tmp_path: Path) -> None:
    port = f"port = {free_port()}"
    report = doctor(changed(world, tmp_path, f"port = {world.broker.port}", port))
    assert report.others("broker", "clock") == []
    assert "unreachable" in report.findings["broker"]["found"]
