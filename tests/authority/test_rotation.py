"""Role keys rotate one by one with a bounded overlap; configurations follow the book."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from authority import book as books
from authority.office import Office
from protocol import cbor, configuration
from protocol.envelope import Kind
from protocol.identities import LAST_GOOD_MS, Role
from protocol.keys import SealKey
from protocol.refusal import Refused
from runtime.key_files import load_private
from tests.authority.fleet import FLEET, NOW_MS, Fleet

DAY_MS = 86_400_000


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def test_one_role_rotates_alone(fleet: Fleet) -> None:
    """The other keys, the certificates and the identities stay as they were."""
    before, files = fleet.trust(), {p.name: p.read_bytes() for p in fleet.centre.glob("*.*")}
    with Office.open(fleet.authority) as office:
        office.rotate(fleet.now_ms, roles=[Role.RECEIPT])
        office.save(fleet.now_ms)
    new = [key for key in fleet.trust().role_keys if key not in before.role_keys]
    assert [key.role for key in new] == [Role.RECEIPT, Role.RECEIPT]  # old with its end, and new
    changed = {p.name for p in fleet.centre.glob("*.*") if files[p.name] != p.read_bytes()}
    assert changed == {"receipt.key", "trust.cbor", "crl.pem"}


@pytest.mark.parametrize("hours", [0, 1, 24, 168])
def test_an_old_role_key_ends_after_the_overlap(fleet: Fleet, hours: int) -> None:
    old = SealKey(load_private(fleet.centre / "dispatch.key"))
    with Office.open(fleet.authority) as office:
        office.rotate(NOW_MS, overlap_hours=hours)
        office.save(NOW_MS)
    trust, end_ms = fleet.trust(), NOW_MS + hours * 3_600_000
    assert trust.key_for(Kind.DISPATCH, old.kid, end_ms) is not None
    assert trust.key_for(Kind.DISPATCH, old.kid, end_ms + 1) is None  # it has a successor: no grace
    assert trust.has_ended(Kind.DISPATCH, old.kid, end_ms + 1)


@pytest.mark.parametrize("hours", [-1, 169])
def test_an_overlap_is_bounded(fleet: Fleet, hours: int) -> None:
    with Office.open(fleet.authority) as office, pytest.raises(Refused, match="0 to 168"):
        office.rotate(NOW_MS, overlap_hours=hours)


def test_the_newest_key_holds_72_h_past_its_end(fleet: Fleet) -> None:
    key = SealKey(load_private(fleet.centre / "dispatch.key"))
    end_ms = NOW_MS + 7 * DAY_MS
    assert fleet.trust().key_for(Kind.DISPATCH, key.kid, end_ms + LAST_GOOD_MS) is not None
    assert fleet.trust().key_for(Kind.DISPATCH, key.kid, end_ms + LAST_GOOD_MS + 1) is None


def test_a_book_of_the_first_form_is_read(fleet: Fleet) -> None:
    parts = cbor.decode(books.encode(fleet.book), books.BOOK_BYTES_MAX)
    assert isinstance(parts, list)
    old = books.decode(cbor.encode([1, *parts[1:8]]))
    assert old == replace(fleet.book, configurations=(), audit_lines=0, audit_chain="")


def configured(fleet: Fleet, *names: str) -> list[configuration.Configuration]:
    """One more, and what is published afterwards, in order."""
    with Office.open(fleet.authority) as office:
        office.configure("[report]\nlease_s = 9\n", names, NOW_MS)
        office.save(NOW_MS)
    messages = cbor.decode((fleet.centre / "configuration.cbor").read_bytes(), 1 << 20)
    assert isinstance(messages, list)
    trust = fleet.trust()
    return [
        configuration.open_configuration(
            one, FLEET, lambda kind, kid: trust.key_for(kind, kid, NOW_MS)
        )
        for one in messages
    ]


def test_a_configuration_is_kept_while_it_is_the_newest_for_somebody(fleet: Fleet) -> None:
    for name in ("car-07", "car-08"):
        fleet.enrol(name)

    def held(*names: str) -> list[tuple[int, tuple[str, ...]]]:
        return [(one.version, one.names) for one in configured(fleet, *names)]

    assert held() == [(1, ())]
    assert held("car-07") == [(1, ()), (2, ("car-07",))]
    assert held("car-08", "car-07") == [(1, ()), (3, ("car-07", "car-08"))]
    assert held() == [(4, ())]
    with pytest.raises(Refused, match="car-99 is not enrolled"):
        configured(fleet, "car-99")


def test_configurations_are_sealed_anew_when_their_role_rotates(fleet: Fleet) -> None:
    before = configured(fleet)
    first = (fleet.centre / "configuration.cbor").read_bytes()
    with Office.open(fleet.authority) as office:
        office.rotate(NOW_MS, roles=[Role.CONFIGURATION], overlap_hours=0)
        office.save(NOW_MS)
    assert (fleet.centre / "configuration.cbor").read_bytes() != first
    again = configured(fleet, *())
    assert [one.version for one in again] == [before[0].version + 1]
