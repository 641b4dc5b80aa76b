"""New role keys seal once terminals can know them; a folder that went back changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from authority.office import Office
from matcher.centre_keys import CentreKeys
from matcher.documents_folder import DocumentsFolder
from matcher.role_keys import PATIENCE_MS, RoleKeys
from protocol.identities import Role
from runtime.clock import ManualClock
from runtime.faults import ConfigFault
from runtime.log import get_log
from tests.authority.fleet import FLEET, NOW_MS, Fleet


class Centre:
    """The keys of a centre's folder, watched by a clock that stands."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.clock = fleet, ManualClock(NOW_MS)
        self.keys = CentreKeys.load(fleet.centre, FLEET, "matcher")
        self.task = RoleKeys(self.keys, fleet.centre, self.clock, get_log("test"))
        self.task.check(fleet.trust())

    def change(self, *, all_know: bool) -> bool:
        trust = self.fleet.trust()
        self.task.look(trust)
        return self.task.change(trust, NOW_MS, all_know=all_know)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def rotate(fleet: Fleet, *roles: Role, overlap_hours: int = 24) -> None:
    with Office.open(fleet.authority) as office:
        office.rotate(NOW_MS, roles=roles, overlap_hours=overlap_hours)
        office.save(NOW_MS)


def test_not_before_terminals_know(fleet: Fleet) -> None:
    centre = Centre(fleet)
    old = centre.keys.dispatch.kid
    rotate(fleet, Role.DISPATCH)
    assert not centre.change(all_know=False)
    assert centre.keys.dispatch.kid == old
    assert centre.change(all_know=True)
    assert centre.keys.dispatch.kid != old
    assert not centre.change(all_know=True)


def test_the_silent_are_waited_for_ten_seconds(fleet: Fleet) -> None:
    centre = Centre(fleet)
    rotate(fleet, Role.RECEIPT)
    assert not centre.change(all_know=False)
    centre.clock.advance(PATIENCE_MS - 1)
    assert not centre.change(all_know=False)
    centre.clock.advance(1)
    assert centre.change(all_know=False)


def test_at_once_where_the_old_key_holds_no_more(fleet: Fleet) -> None:
    centre = Centre(fleet)
    rotate(fleet, Role.DISPATCH, overlap_hours=0)
    trust = fleet.trust()
    centre.task.look(trust)
    assert not centre.task.change(trust, NOW_MS, all_know=False)  # to the very millisecond
    assert centre.task.change(trust, NOW_MS + 1, all_know=False)


def test_a_key_that_the_trust_does_not_list_waits(fleet: Fleet) -> None:
    """As when the folder is carried in the wrong order."""
    centre, trust = Centre(fleet), fleet.trust()
    old = centre.keys.dispatch.kid
    rotate(fleet, Role.DISPATCH)
    with pytest.raises(ConfigFault, match="is no key of role dispatch"):
        centre.task.look(trust)
    assert not centre.task.change(trust, NOW_MS, all_know=True)
    assert centre.keys.dispatch.kid == old
    assert centre.change(all_know=True)


def test_a_trust_that_leaves_no_key_to_seal_with_waits_for_it(fleet: Fleet, tmp_path: Path) -> None:
    centre = Centre(fleet)
    rotate(fleet, overlap_hours=0)
    centre.task.check_can_seal(fleet.trust(), NOW_MS + 1)
    other = Fleet(tmp_path / "other")
    for role in ("dispatch", "receipt"):
        shutil.copy(other.centre / f"{role}.key", fleet.centre / f"{role}.key")
    with pytest.raises(ConfigFault, match="is no key of role dispatch"):
        centre.task.check_can_seal(fleet.trust(), NOW_MS + 1)


def configure(fleet: Fleet, *names: str) -> None:
    with Office.open(fleet.authority) as office:
        office.configure("[report]\nlease_s = 9\n", names, NOW_MS)
        office.save(NOW_MS)


def test_the_newest_configuration_for_a_name(fleet: Fleet) -> None:
    fleet.enrol("car-07")
    folder = DocumentsFolder(fleet.centre, FLEET, get_log("test"))
    assert not folder.look(fleet.trust(), NOW_MS)
    assert folder.configuration_for("car-07") is None
    configure(fleet)
    configure(fleet, "car-07")
    assert folder.look(fleet.trust(), NOW_MS)
    found = [folder.configuration_for(name) for name in ("car-07", "car-08")]
    assert [one and one.configuration.version for one in found] == [2, 1]


def test_an_older_or_damaged_file_changes_nothing(fleet: Fleet, tmp_path: Path) -> None:
    path, folder = (
        fleet.centre / "configuration.cbor",
        DocumentsFolder(fleet.centre, FLEET, get_log("test")),
    )
    configure(fleet)
    shutil.copy(path, tmp_path / "old")
    configure(fleet)
    assert folder.look(fleet.trust(), NOW_MS)
    for content in ((tmp_path / "old").read_bytes(), b"", path.read_bytes()[:-9]):
        path.write_bytes(content)
        assert not folder.look(fleet.trust(), NOW_MS)
        held = folder.configuration_for("car-07")
        assert held is not None
        assert held.configuration.version == 2
