"""Versions only rise, a name has one enrolment, two authorities never write at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from authority import acts, ceremony
from authority import book as books
from authority.acts import Invitee
from authority.folder import Folder
from authority.office import Office
from authority.register import register
from protocol.envelope import Kind
from protocol.identities import LAST_GOOD_MS, Identity, Role, State, open_identities, open_trust
from protocol.keys import SealKey
from protocol.refusal import Refused
from runtime.faults import ConfigFault, StoreBroken, StoreBusy
from runtime.key_files import fingerprint_of, load_certificate, load_private, public_key_of
from tests.authority.fleet import FLEET, NOW_MS, Fleet

DAY_MS = 86_400_000


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def crl(fleet: Fleet) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl((fleet.centre / "crl.pem").read_bytes())


def revoked_serials(fleet: Fleet) -> set[int]:
    return {one.serial_number for one in crl(fleet)}


def all_named(fleet: Fleet, name: str) -> list[Identity]:
    return [one for one in fleet.identities().identities if one.name == name]


def rotate(fleet: Fleet, now_ms: int = NOW_MS) -> None:
    with Office.open(fleet.authority) as office:
        office.rotate(now_ms)
        office.save(now_ms)


def test_the_centre_gets_what_it_needs_and_no_more(fleet: Fleet) -> None:
    assert sorted(path.name for path in fleet.centre.iterdir()) == [
        "canary.key", "canary.pem", "crl.pem", "dispatch.key", "evidence.key", "identities.cbor",
        "receipt.key", "root.pem", "tls.key", "tls.pem", "trust.cbor",
    ]  # fmt: skip
    for role in ("dispatch", "receipt", "evidence"):
        key = SealKey(load_private(fleet.centre / f"{role}.key"))
        kinds = {"dispatch": Kind.DISPATCH, "receipt": Kind.RECEIPT, "evidence": Kind.EVIDENCE}
        assert fleet.trust().key_for(kinds[role], key.kid, NOW_MS) == key.verify_key
        others = set(kinds.values()) - {kinds[role]}
        assert all(fleet.trust().key_for(kind, key.kid, NOW_MS) is None for kind in others)
    assert len({key.public_key for key in fleet.trust().role_keys}) == len(Role)


def test_certificates_chain_to_the_root(fleet: Fleet) -> None:
    root = load_certificate(fleet.centre / "root.pem")
    root.verify_directly_issued_by(root)
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    server = load_certificate(fleet.authority / "broker" / "server.pem")
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    for path in (fleet.enrol("car-07") / "tls.pem", fleet.centre / "tls.pem"):
        leaf = load_certificate(path)
        leaf.verify_directly_issued_by(root)
        assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        use = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(use) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert crl(fleet).is_signature_valid(root.public_key())  # type: ignore[arg-type]
    end = crl(fleet).next_update_utc
    assert end is not None
    assert end.timestamp() * 1000 - NOW_MS >= 7 * DAY_MS


def test_enrolling_again_closes_the_old_enrolment_in_the_same_version(fleet: Fleet) -> None:
    old = load_certificate(fleet.enrol("car-07", "old") / "tls.pem")
    version = fleet.identities().version
    new = load_certificate(fleet.enrol("car-07", "new") / "tls.pem")
    assert fleet.identities().version == version + 1
    assert [one.state for one in all_named(fleet, "car-07")] == [State.CLOSED, State.ACTIVE]
    assert all_named(fleet, "car-07")[0].tls_fingerprints == (fingerprint_of(old),)
    assert old.serial_number in revoked_serials(fleet)
    assert new.serial_number not in revoked_serials(fleet)


def test_revoking(fleet: Fleet) -> None:
    certificate = load_certificate(fleet.enrol("car-07") / "tls.pem")
    version, number = fleet.identities().version, fleet.book.crl_number
    with Office.open(fleet.authority) as office:
        office.revoke("car-07", NOW_MS)
        office.save(NOW_MS)
    assert fleet.identities().version == version + 1
    assert fleet.book.crl_number == number + 1
    assert [one.state for one in all_named(fleet, "car-07")] == [State.REVOKED]
    assert certificate.serial_number in revoked_serials(fleet)
    with Office.open(fleet.authority) as office:
        for name in ("car-07", "car-99", "matcher"):
            with pytest.raises(Refused):
                office.revoke(name, NOW_MS)


def test_the_canary_is_revoked_from_the_start(fleet: Fleet) -> None:
    canary = load_certificate(fleet.centre / "canary.pem")
    assert revoked_serials(fleet) == {canary.serial_number}


def test_a_revocation_leaves_the_list_when_its_certificate_has_ended(fleet: Fleet) -> None:
    old = load_certificate(fleet.enrol("car-07", "old") / "tls.pem")
    fleet.enrol("car-07", "new")
    rotate(fleet, NOW_MS + 20 * DAY_MS)
    assert old.serial_number in revoked_serials(fleet)
    with Office.open(fleet.authority) as office:
        office.save(NOW_MS + 31 * DAY_MS)
    assert old.serial_number not in revoked_serials(fleet)


def test_rotation_keeps_the_old_keys_beside_the_new(fleet: Fleet) -> None:
    before, document = fleet.trust(), (fleet.centre / "identities.cbor").read_bytes()
    matcher = all_named(fleet, "matcher")[0]
    fleet.now_ms += 6 * DAY_MS
    rotate(fleet, fleet.now_ms)
    after = fleet.trust()
    assert (after.version, fleet.identities().version) == (2, 2)
    assert set(before.role_keys) < set(after.role_keys)
    assert len(after.role_keys) == 2 * len(Role)
    new = SealKey(load_private(fleet.centre / "dispatch.key"))
    assert new.public not in {key.public_key for key in before.role_keys}
    assert after.key_for(Kind.DISPATCH, new.kid, fleet.now_ms) is not None
    open_identities(document, FLEET, lambda kind, kid: after.key_for(kind, kid, NOW_MS))
    renewed = all_named(fleet, "matcher")[0]
    assert renewed.enrolment == matcher.enrolment
    now = fingerprint_of(load_certificate(fleet.centre / "tls.pem"))
    assert renewed.tls_fingerprints == (*matcher.tls_fingerprints, now)


def test_private_keys_out_of_use_are_deleted(fleet: Fleet) -> None:
    before = {path.name for path in (fleet.authority / "keys").iterdir()}
    rotate(fleet)
    after = {path.name for path in (fleet.authority / "keys").iterdir()}
    assert len(after) == len(before) == len(Role) + 3
    assert not before & after


def test_keys_that_hold_nowhere_any_more_leave_the_trust_document(fleet: Fleet) -> None:
    first = set(fleet.trust().role_keys)
    rotate(fleet, NOW_MS + 7 * DAY_MS + LAST_GOOD_MS + 1)
    assert not first & set(fleet.trust().role_keys)
    for _ in range(8):
        rotate(fleet, NOW_MS + 11 * DAY_MS)
    assert len(fleet.trust().role_keys) == acts.ROLE_KEYS_KEPT * len(Role)


@pytest.mark.parametrize("days", [0, 8, -1])
def test_role_keys_hold_a_week_at_most(fleet: Fleet, days: int) -> None:
    with Office.open(fleet.authority) as office, pytest.raises(Refused, match="1 to 7"):
        office.rotate(NOW_MS, days)
    with pytest.raises(Refused, match="1 to 7"):
        ceremony.create(fleet.path / "second", FLEET, NOW_MS, role_days=days)


def test_an_authority_is_never_made_over_another(fleet: Fleet) -> None:
    root = (fleet.authority / "root.key").read_bytes()
    with pytest.raises(ConfigFault, match="holds an authority already"):
        ceremony.create(fleet.authority, FLEET, NOW_MS)
    assert (fleet.authority / "root.key").read_bytes() == root


HOLD = "import sys, pathlib; from authority.office import Office\n"
HOLD += "with Office.open(pathlib.Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"


def test_two_authorities_at_once_are_refused(fleet: Fleet) -> None:
    command = [sys.executable, "-c", HOLD, str(fleet.authority)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreBusy, match=f"in use by process \\({other.pid}\\)"):
            fleet.enrol("car-07")
        other.communicate()
    fleet.enrol("car-07")


def test_an_old_copy_of_the_folder_gives_no_version_out_twice(fleet: Fleet) -> None:
    old_book = (fleet.authority / "book.cbor").read_bytes()
    fleet.enrol("car-07")
    (fleet.authority / "book.cbor").write_bytes(old_book)
    with pytest.raises(ConfigFault, match="restore the newest copy"):
        fleet.enrol("car-08")


def test_what_a_crash_left_unpublished_is_published_by_the_next_act(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost_power(*_: object) -> None:
        raise StoreBroken("disk", "power cut")

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "publish", lost_power)
        with pytest.raises(StoreBroken):
            fleet.enrol("car-07")
    assert not all_named(fleet, "car-07")
    with Office.open(fleet.authority) as office:
        office.save(NOW_MS)
    assert [one.state for one in all_named(fleet, "car-07")] == [State.ACTIVE]


def test_nothing_lasts_before_it_is_saved(fleet: Fleet) -> None:
    before = {path: path.read_bytes() for path in fleet.authority.rglob("*") if path.is_file()}
    with Office.open(fleet.authority) as office:
        office.invite(Invitee("car-07"), NOW_MS)
    after = {path: path.read_bytes() for path in fleet.authority.rglob("*") if path.is_file()}
    assert {path.name for path in after if after[path] != before.get(path)} == {"lock"}


def test_a_damaged_or_open_book_is_named(fleet: Fleet) -> None:
    path = fleet.authority / "book.cbor"
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    with pytest.raises(ConfigFault, match=r"book\.cbor: is damaged"):
        fleet.enrol("car-07")
    path.write_bytes(good)
    path.chmod(0o644)
    with pytest.raises(ConfigFault, match="chmod 600"):
        fleet.enrol("car-07")


def test_half_an_authority_is_named(fleet: Fleet) -> None:
    (fleet.authority / "book.cbor").unlink()
    with pytest.raises(ConfigFault, match="was not finished"):
        fleet.enrol("car-07")
    shutil.rmtree(fleet.authority)
    with pytest.raises(ConfigFault, match="is no folder"):
        fleet.enrol("car-07")


def test_the_book_reads_back_as_it_was(fleet: Fleet) -> None:
    fleet.enrol("car-07")
    assert books.decode(books.encode(fleet.book)) == fleet.book


def test_another_root_cannot_make_trust(fleet: Fleet, tmp_path: Path) -> None:
    other = Fleet(tmp_path / "other")
    with pytest.raises(Refused):
        open_trust((other.centre / "trust.cbor").read_bytes(), FLEET, fleet.root)
    assert public_key_of(load_certificate(other.centre / "root.pem")) != fleet.root.public


def test_the_register_warns_of_what_ends_soon(fleet: Fleet) -> None:
    fleet.enrol("car-07")
    assert register(fleet.book, NOW_MS)["warnings"] == []
    role_end = register(fleet.book, NOW_MS + 5 * DAY_MS)["warnings"]
    assert len(role_end) == len(Role)
    late = "\n".join(register(fleet.book, NOW_MS + 28 * DAY_MS)["warnings"])
    for words in ("certificate of car-07", "certificate of matcher", "certificate of the broker"):
        assert words in late


def test_folders_are_private(fleet: Fleet) -> None:
    assert fleet.authority.stat().st_mode & 0o077 == 0
    for path in fleet.authority.rglob("*.key"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert (fleet.authority / "audit.log").stat().st_mode & 0o077 == 0
