"""Take-over certificates and the canary: who gets one, how long, and when it is dead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from authority import takeover
from authority.certificates import DAY_MS
from authority.office import Office
from runtime.key_files import (
    certificate_der,
    common_name_of,
    load_certificate,
    load_private,
    public_key_of,
)
from tests.authority.fleet import FLEET, NOW_MS, Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    made = Fleet(tmp_path)
    for name in ("car-07", "car-08"):
        made.enrol(name)
    return made


def revoke(fleet: Fleet, name: str, now_ms: int = NOW_MS) -> None:
    with Office.open(fleet.authority) as office:
        office.revoke(name, now_ms)
        office.save(now_ms)


def refresh(fleet: Fleet, now_ms: int) -> None:
    with Office.open(fleet.authority) as office:
        office.save(now_ms)


def pairs(fleet: Fleet) -> set[str]:
    return {path.name for path in (fleet.centre / takeover.FOLDER).glob("*")}


def take_over(fleet: Fleet, name: str) -> x509.Certificate:
    return load_certificate(fleet.centre / takeover.FOLDER / f"{name}.pem")


def canary(fleet: Fleet) -> int:
    return load_certificate(fleet.centre / "canary.pem").serial_number


def revoked(fleet: Fleet) -> Iterator[int]:
    crl = x509.load_pem_x509_crl((fleet.centre / "crl.pem").read_bytes())
    return (one.serial_number for one in crl)


def test_a_revoked_name_gets_a_pair_and_nobody_else(fleet: Fleet) -> None:
    assert pairs(fleet) == set()
    revoke(fleet, "car-07")
    assert pairs(fleet) == {"car-07.pem", "car-07.key"}
    made = take_over(fleet, "car-07")
    key_file = fleet.centre / takeover.FOLDER / "car-07.key"
    assert common_name_of(made) == f"{FLEET}.car-07"
    assert load_private(key_file).public_key().public_bytes_raw() == public_key_of(made)
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert made.serial_number not in revoked(fleet)
    left_ms = made.not_valid_after_utc.timestamp() * 1000 - NOW_MS
    assert left_ms == takeover.DAYS * DAY_MS
    held = [i for i in fleet.identities().identities if i.name == "car-07"]
    assert public_key_of(made) not in held[0].keys


def test_it_is_renewed_as_long_as_the_revoked_certificate_lasts(fleet: Fleet) -> None:
    revoke(fleet, "car-07")
    first = take_over(fleet, "car-07").serial_number
    refresh(fleet, NOW_MS + DAY_MS)
    assert take_over(fleet, "car-07").serial_number == first
    refresh(fleet, NOW_MS + 4 * DAY_MS)
    assert take_over(fleet, "car-07").serial_number != first
    for day in range(7, 45, 3):
        with Office.open(fleet.authority) as office:
            office.rotate(NOW_MS + day * DAY_MS)
            office.save(NOW_MS + day * DAY_MS)
    assert pairs(fleet) == set()
    assert not [one for one in fleet.book.certificates if one.device == "car-07"]


def test_enrolled_again_the_pair_is_revoked_and_gone(fleet: Fleet) -> None:
    revoke(fleet, "car-07")
    old = take_over(fleet, "car-07").serial_number
    fleet.enrol("car-07", "anew")
    assert old in revoked(fleet)
    assert pairs(fleet) == set()
    newest = fleet.book.newest_certificate("car-07")
    assert newest.certificate == certificate_der(load_certificate(fleet.path / "anew" / "tls.pem"))
    revoke(fleet, "car-07")
    assert take_over(fleet, "car-07").serial_number != old


def test_a_lost_pair_is_published_again_and_a_stranger_swept(fleet: Fleet) -> None:
    revoke(fleet, "car-07")
    content = (fleet.centre / takeover.FOLDER / "car-07.pem").read_bytes()
    for path in (fleet.centre / takeover.FOLDER).glob("*"):
        path.unlink()
    (fleet.centre / takeover.FOLDER / "car-08.pem").write_text("x")
    refresh(fleet, NOW_MS)
    assert pairs(fleet) == {"car-07.pem", "car-07.key"}
    assert (fleet.centre / takeover.FOLDER / "car-07.pem").read_bytes() == content


def test_a_new_canary_comes_with_each_longer_list(fleet: Fleet) -> None:
    """So that a broker which refuses it has read this list and not an older one."""
    before = canary(fleet)
    refresh(fleet, NOW_MS)
    assert canary(fleet) == before
    old_list = set(revoked(fleet))
    revoke(fleet, "car-07")
    assert canary(fleet) not in old_list
    assert canary(fleet) in revoked(fleet)
    assert before in revoked(fleet)


def test_the_canary_outlives_the_list(fleet: Fleet) -> None:
    before = canary(fleet)
    refresh(fleet, NOW_MS + 11 * DAY_MS)
    assert canary(fleet) != before
    assert canary(fleet) in revoked(fleet)


def test_a_damaged_published_list_is_mended(fleet: Fleet) -> None:
    (fleet.centre / "crl.pem").write_text("damaged")
    revoke(fleet, "car-08")
    assert canary(fleet) in revoked(fleet)
