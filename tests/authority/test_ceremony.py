"""Enrolment from code to certificate, and everything that must not get through it."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest

from authority import approval, ceremony, device_folder, enrol_request
from authority.acts import Invitee
from authority.office import Approved, Office
from protocol import cbor
from protocol.identities import IdentityKind, State
from protocol.keys import SealKey
from protocol.refusal import Reason, Refused
from runtime.faults import ConfigFault
from runtime.key_files import (
    dates_ms_of,
    enrolment_of,
    fingerprint_of,
    load_certificate,
    load_private,
)
from tests.authority.fleet import FLEET, NOW_MS, Fleet

MINUTE_MS = 60_000
DAY_MS = 86_400_000
CAR = Invitee("car-07")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def invited(fleet: Fleet, invitee: Invitee = CAR, now_ms: int = NOW_MS) -> str:
    with Office.open(fleet.authority) as office:
        code = office.invite(invitee, now_ms)
        office.save(now_ms)
    return code


def requested(fleet: Fleet, code: str, out: str = "car", device: str = "car-07") -> bytes:
    return device_folder.make_request(fleet.path / out, FLEET, device, code, NOW_MS)


def approve(fleet: Fleet, message: bytes, now_ms: int = NOW_MS) -> Approved:
    with Office.open(fleet.authority) as office:
        approved = office.approve(message, now_ms)
        office.save(now_ms)
    return approved


def refused(fleet: Fleet, message: bytes, now_ms: int = NOW_MS) -> Reason:
    """Why it is refused; nothing published may have changed, and the refusal is audited."""
    version, lines = fleet.identities().version, len(audit(fleet))
    with pytest.raises(Refused) as caught:
        approve(fleet, message, now_ms)
    assert fleet.identities().version == version
    assert audit(fleet)[lines:][-1]["action"] == "refuse"
    return caught.value.reason


def audit(fleet: Fleet) -> list[dict[str, object]]:
    text = (fleet.authority / "audit.log").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_whole_ceremony(fleet: Fleet) -> None:
    message = requested(fleet, invited(fleet))
    approved = approve(fleet, message)
    installed = device_folder.install(fleet.path / "car", approved.approval, fleet.root_fingerprint)
    assert installed.enrolment == approved.enrolment
    folder = fleet.path / "car"
    assert sorted(path.name for path in folder.iterdir()) == [
        "root.pem", "seal.key", "tls.key", "tls.pem", "trust.cbor",
    ]  # fmt: skip
    for name in ("tls.key", "seal.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    identity = next(one for one in fleet.identities().identities if one.name == "car-07")
    certificate = load_certificate(folder / "tls.pem")
    assert identity.state is State.ACTIVE
    assert identity.kind is IdentityKind.TERMINAL
    assert identity.enrolment == enrolment_of(certificate) == approved.enrolment
    assert identity.keys == (SealKey(load_private(folder / "seal.key")).public,)
    assert identity.tls_fingerprints == (fingerprint_of(certificate),)
    assert [line["action"] for line in audit(fleet)] == ["init", "invite", "approve"]


def test_what_carries_no_secret_away(fleet: Fleet) -> None:
    code = invited(fleet)
    message = requested(fleet, code)
    seeds = [
        load_private(fleet.path / "car" / name).private_bytes_raw()
        for name in ("tls.key", "seal.key")
    ]
    approved = approve(fleet, message)
    written = [path for path in fleet.authority.rglob("*") if path.is_file()]
    for content in (message, approved.approval, *(path.read_bytes() for path in written)):
        for secret in (*seeds, code.encode(), code.replace("-", "").encode()):
            assert secret not in content
    root_seed = load_private(fleet.authority / "root.key").private_bytes_raw()
    for path in (*fleet.centre.iterdir(), *(fleet.authority / "broker").iterdir()):
        if path.suffix == ".key":
            assert load_private(path).private_bytes_raw() != root_seed


def test_a_code_is_used_once(fleet: Fleet) -> None:
    code = invited(fleet)
    approve(fleet, requested(fleet, code))
    assert refused(fleet, requested(fleet, code, out="other")) is Reason.REPLAYED


def test_the_same_request_gets_the_same_approval_again(fleet: Fleet) -> None:
    message = requested(fleet, invited(fleet))
    first = approve(fleet, message)
    version = fleet.identities().version
    again = approve(fleet, message, NOW_MS + DAY_MS)  # the stick was lost on the way back
    assert (again.approval, again.again) == (first.approval, True)
    assert fleet.identities().version == version


def test_a_code_is_for_one_name(fleet: Fleet) -> None:
    code = invited(fleet)
    assert refused(fleet, requested(fleet, code, device="car-08")) is Reason.UNKNOWN_SENDER
    invited(fleet, Invitee("car-08"))
    assert refused(fleet, requested(fleet, code, "b", device="car-08")) is Reason.BAD_SEAL


def test_a_code_runs_out(fleet: Fleet) -> None:
    message = requested(fleet, invited(fleet))
    assert refused(fleet, message, NOW_MS + 15 * MINUTE_MS) is Reason.EXPIRED
    approve(fleet, message, NOW_MS + 15 * MINUTE_MS - 1)


def test_a_new_code_ends_the_old(fleet: Fleet) -> None:
    old = requested(fleet, invited(fleet))
    new_code = invited(fleet)
    assert refused(fleet, old) is Reason.BAD_SEAL
    keys = (fleet.path / "car" / "seal.key").read_bytes()
    approve(fleet, requested(fleet, new_code))  # the same folder asks again, with the same keys
    assert (fleet.path / "car" / "seal.key").read_bytes() == keys


def test_a_request_for_another_fleet_is_refused(fleet: Fleet) -> None:
    folder = fleet.path / "x"
    message = device_folder.make_request(folder, "elsewhere", "car-07", invited(fleet), NOW_MS)
    assert refused(fleet, message) is Reason.WRONG_ROLE


def test_no_byte_of_a_request_can_be_changed(fleet: Fleet) -> None:
    message = requested(fleet, invited(fleet))
    with Office.open(fleet.authority) as office:
        for at in range(len(message)):
            altered = message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]
            with pytest.raises(Refused):
                enrol_request.open_request(altered, office.book.fleet)
    assert refused(fleet, message[:-1]) is Reason.MALFORMED


def test_keys_of_another_cannot_ride_on_a_code(fleet: Fleet) -> None:
    """Who takes the proof out of a request cannot put it over keys of his own."""
    genuine = enrol_request.open_request(requested(fleet, invited(fleet)), FLEET).request
    own = requested(fleet, "AAAA-AAAA-AAAA-AAAA", out="thief")
    payload = cbor.array(cbor.decode(own), 4, "own")[2]
    fields = cbor.array(cbor.decode(payload), 6, "payload")
    fields[5] = genuine.code_proof
    from protocol import envelope

    key = SealKey(load_private(fleet.path / "thief" / "seal.key"))
    forged = envelope.seal(envelope.Kind.ENROL, FLEET, b"", cbor.encode(fields), key)
    assert refused(fleet, forged) is Reason.BAD_SEAL


def test_one_key_for_both_uses_is_refused(fleet: Fleet) -> None:
    key = load_private(fleet.enrol("car-01") / "seal.key")
    message = enrol_request.make(FLEET, "car-07", invited(fleet), key, SealKey(key), NOW_MS)
    assert refused(fleet, message) is Reason.WRONG_ROLE


def test_a_key_is_enrolled_once(fleet: Fleet) -> None:
    seal_key = SealKey(load_private(fleet.enrol("car-01") / "seal.key"))
    tls_key = load_private(fleet.enrol("car-02") / "tls.key")
    message = enrol_request.make(FLEET, "car-07", invited(fleet), tls_key, seal_key, NOW_MS)
    assert refused(fleet, message) is Reason.REPLAYED


@pytest.mark.parametrize(
    "name", ["matcher", "broker", "canary", "authority", "Car", "a.b", "", "a" * 32]
)
def test_names_of_the_centre_and_no_names_are_not_invited(fleet: Fleet, name: str) -> None:
    with Office.open(fleet.authority) as office, pytest.raises(Refused):
        office.invite(Invitee(name), NOW_MS)


@pytest.mark.parametrize(
    "invitee",
    [
        Invitee("d07", IdentityKind.MANAGER),
        Invitee("d07", IdentityKind.MANAGER, "Lin"),
        Invitee("d07", IdentityKind.MANAGER, "Lin", ("king",)),
        Invitee("d07", IdentityKind.MANAGER, "Lin", ("dispatcher", "group-")),
        Invitee("d07", IdentityKind.MANAGER, "Lin", ("dispatcher", "group-+")),
        Invitee("d07", IdentityKind.MANAGER, "Lin", ("group-" + "a" * 26,)),
        Invitee("car", IdentityKind.TERMINAL, "Lin"),
        Invitee("car", IdentityKind.TERMINAL, None, ("dispatcher",)),
        Invitee("m2", IdentityKind.MATCHER),
    ],
)
def test_kind_person_and_roles_must_agree(fleet: Fleet, invitee: Invitee) -> None:
    with Office.open(fleet.authority) as office, pytest.raises(Refused):
        office.invite(invitee, NOW_MS)


def test_a_person_may_belong_to_groups(fleet: Fleet) -> None:
    with Office.open(fleet.authority) as office:
        office.invite(
            Invitee("d08", IdentityKind.MANAGER, "Lin", ("dispatcher", "group-drugs")), NOW_MS
        )


def test_an_approval_fits_only_its_own_request(fleet: Fleet) -> None:
    message = requested(fleet, invited(fleet))
    good = approve(fleet, message).approval
    folder = fleet.path / "car"
    for at in range(0, len(good), 7):
        altered = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        with pytest.raises(Refused):
            device_folder.install(folder, altered)
    with pytest.raises(Refused, match="fingerprint"):
        device_folder.install(folder, good, "00000 00000 00000 00000")
    assert not (folder / "tls.pem").exists()
    requested(fleet, invited(fleet, Invitee("car-08")), out="other", device="car-08")
    with pytest.raises(Refused, match="asked for"):
        device_folder.install(fleet.path / "other", good)
    device_folder.install(folder, good)
    with pytest.raises(ConfigFault, match="waits for no approval"):
        device_folder.install(folder, good)


def test_an_approval_of_a_stranger_with_his_own_root_is_refused(fleet: Fleet) -> None:
    code = invited(fleet)
    requested(fleet, code)
    stranger = Fleet(fleet.path / "stranger")
    stranger_code = invited(stranger)
    message = device_folder.make_request(fleet.path / "y", FLEET, "car-07", stranger_code, NOW_MS)
    with pytest.raises(Refused, match="not from the authority that gave the code"):
        device_folder.install(fleet.path / "car", approve(stranger, message).approval)


def test_an_enrolled_folder_is_left_alone(fleet: Fleet) -> None:
    folder = fleet.enrol("car-07")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ConfigFault, match="is enrolled already"):
        requested(fleet, invited(fleet), out="car-07")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_key_file_that_others_may_read_stops_the_installation(fleet: Fleet) -> None:
    good = approve(fleet, requested(fleet, invited(fleet))).approval
    (fleet.path / "car" / "seal.key").chmod(0o640)
    with pytest.raises(ConfigFault, match="chmod 600"):
        device_folder.install(fleet.path / "car", good)
    assert not (fleet.path / "car" / "tls.pem").exists()


def test_a_bad_code_writes_nothing(fleet: Fleet) -> None:
    with pytest.raises(Refused):
        requested(fleet, "ABCD")
    assert not (fleet.path / "car").exists()


def test_certificates_hold_as_long_as_promised(fleet: Fleet) -> None:
    for path in (
        fleet.enrol("car-07") / "tls.pem",
        fleet.centre / "tls.pem",
        fleet.authority / "broker" / "server.pem",
    ):
        begin_ms, end_ms = dates_ms_of(load_certificate(path))
        assert (begin_ms, end_ms) == (NOW_MS - 60 * MINUTE_MS, NOW_MS + 30 * DAY_MS)
    for key in fleet.trust().role_keys:
        assert key.not_after_ms - NOW_MS == 7 * DAY_MS
        assert key.not_before_ms <= NOW_MS


def test_approval_of_pending_is_bound_to_the_request(fleet: Fleet) -> None:
    one = approval.pending_for(FLEET, "car-07", "AAAA-AAAA-AAAA-AAAA", b"one")
    other = approval.pending_for(FLEET, "car-07", "AAAA-AAAA-AAAA-AAAA", b"other")
    made = [approval.make(pending, b"c", b"r", b"t") for pending in (one, other)]
    assert made[0] != made[1]
    assert approval.decode_pending(approval.encode_pending(one)) == one


def test_a_fleet_of_nineteen_in_a_moment(fleet: Fleet) -> None:
    cars = [Invitee(f"car-{n:02}") for n in range(16)]
    desks = [Invitee(f"d{n}", IdentityKind.MANAGER, "Lin", ("dispatcher",)) for n in range(3)]
    members = [ceremony.Member(one, fleet.path / one.device) for one in (*cars, *desks)]
    started_s = time.process_time()
    enrolments = ceremony.enrol_all(fleet.authority, members, NOW_MS)
    assert time.process_time() - started_s < 1.5  # processor time: a busy machine does not count
    assert fleet.identities().version == 1 + 19
    assert len(set(enrolments.values())) == 19
    assert len(fleet.identities().common_names(IdentityKind.TERMINAL)) == 16
    assert fleet.identities().common_names(IdentityKind.MATCHER) == (f"{FLEET}.matcher",)
