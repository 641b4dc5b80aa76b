"""Renewal at the authority and in a tool's folder: what gets through, and what must not."""

from __future__ import annotations

import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from authority import device_renewal, renewals
from authority.office import Office
from authority.renewals import Checked
from protocol import renewal
from protocol.identities import Identity, IdentityKind, State
from protocol.keys import SealKey
from protocol.refusal import Reason, Refused
from runtime import key_renewal
from runtime.faults import ConfigFault, StoreBroken
from runtime.key_files import (
    dates_ms_of,
    enrolment_of,
    fingerprint_of,
    load_certificate,
    load_private,
    public_key_of,
)
from runtime.store import atomic_write
from tests.authority.fleet import NOW_MS, Fleet

DAY_MS = 86_400_000
LATER_MS = NOW_MS + 5 * DAY_MS


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.fixture
def tool(fleet: Fleet) -> Path:
    return fleet.enrol_manager("d07-shell")


def asked(folder: Path, kind: IdentityKind = IdentityKind.MANAGER) -> bytes:
    return device_renewal.ask(folder, kind, LATER_MS).read_bytes()


def renew(fleet: Fleet, message: bytes, *, older_key: bool = False) -> Checked:
    with Office.open(fleet.authority) as office:
        checked = office.renew(message, LATER_MS, older_key=older_key)
        office.save(LATER_MS)
    return checked


def refused(fleet: Fleet, message: bytes) -> Reason:
    version = fleet.book.identities.version
    with pytest.raises(Refused) as caught:
        renew(fleet, message)
    assert fleet.book.identities.version == version
    return caught.value.reason


def identity(fleet: Fleet, name: str) -> Identity:
    found = fleet.book.active(name)
    assert found is not None
    return found


def answer(fleet: Fleet, name: str) -> bytes:
    return (fleet.centre / "renewed" / f"{name}.cbor").read_bytes()


def seal_public(folder: Path) -> bytes:
    return SealKey(load_private(folder / "seal.key")).public


def test_a_tool_renews_by_file(fleet: Fleet, tool: Path) -> None:
    before, old = identity(fleet, "d07-shell"), load_certificate(tool / "tls.pem")
    renew(fleet, asked(tool))
    assert seal_public(tool) == before.keys[0]  # nothing has changed yet
    device_renewal.install(tool, answer(fleet, "d07-shell"), LATER_MS)
    new, after = load_certificate(tool / "tls.pem"), identity(fleet, "d07-shell")
    assert after == replace(
        before,
        keys=(*before.keys, seal_public(tool)),
        tls_fingerprints=(fingerprint_of(old), fingerprint_of(new)),
    )
    assert enrolment_of(new) == before.enrolment
    assert dates_ms_of(new)[1] == LATER_MS + 30 * DAY_MS
    assert public_key_of(new) == load_private(tool / "tls.key").public_key().public_bytes_raw()
    assert not (tool / "renewal").exists()
    for name in ("tls.key", "seal.key"):
        assert stat.S_IMODE((tool / name).stat().st_mode) == 0o600


def test_a_third_key_takes_the_place_of_the_first(fleet: Fleet, tool: Path) -> None:
    keys = [seal_public(tool)]
    for _ in range(3):
        renew(fleet, asked(tool))
        device_renewal.install(tool, answer(fleet, "d07-shell"), LATER_MS)
        keys.append(seal_public(tool))
    assert identity(fleet, "d07-shell").keys == tuple(keys[-2:])
    assert len(identity(fleet, "d07-shell").tls_fingerprints) == 2
    assert len(set(keys)) == 4


def test_the_same_request_again_changes_nothing(fleet: Fleet, tool: Path) -> None:
    message = asked(tool)
    assert asked(tool) == message
    assert not renew(fleet, message).again
    version, first = fleet.book.identities.version, answer(fleet, "d07-shell")
    assert renew(fleet, message).again
    assert (fleet.book.identities.version, answer(fleet, "d07-shell")) == (version, first)


def test_a_request_of_an_earlier_renewal_is_refused(fleet: Fleet, tool: Path) -> None:
    first = asked(tool)
    renew(fleet, first)
    device_renewal.install(tool, answer(fleet, "d07-shell"), LATER_MS)
    renew(fleet, asked(tool))
    assert refused(fleet, first) is Reason.UNKNOWN_KEY


def test_the_older_key_alone_does_not_push_out_the_newer(fleet: Fleet, tool: Path) -> None:
    """Who stole a key that has a successor gets no certificate by it."""
    thief = tool.parent / "thief"
    shutil.copytree(tool, thief)
    renew(fleet, asked(tool))
    device_renewal.install(tool, answer(fleet, "d07-shell"), LATER_MS)
    stolen = asked(thief)
    assert refused(fleet, stolen) is Reason.UNKNOWN_KEY
    renew(fleet, stolen, older_key=True)  # the operator knows that the newer one was lost


@pytest.mark.parametrize("state", [State.REVOKED, State.CLOSED])
def test_an_enrolment_that_is_over_renews_nothing(fleet: Fleet, tool: Path, state: State) -> None:
    message = asked(tool)
    if state is State.REVOKED:
        with Office.open(fleet.authority) as office:
            office.revoke("d07-shell", LATER_MS)
            office.save(LATER_MS)
    else:
        fleet.enrol_manager("d07-other")
        shutil.rmtree(fleet.path / "again", ignore_errors=True)
        (fleet.path / "d07-shell").rename(fleet.path / "old")
        fleet.enrol_manager("d07-shell")
    assert refused(fleet, message) is Reason.REVOKED


def test_no_byte_of_a_request_can_be_changed(fleet: Fleet, tool: Path) -> None:
    message = asked(tool)
    for at in range(len(message)):
        changed = bytearray(message)
        changed[at] ^= 0x10
        with pytest.raises(Refused):
            renewals.check(fleet.book, bytes(changed))
    renewals.check(fleet.book, message)


def test_a_request_is_for_its_own_name_and_kind(fleet: Fleet, tool: Path) -> None:
    other = fleet.enrol_manager("d07-desk")
    made = renewal.claimed(asked(tool))
    key = SealKey(load_private(other / "seal.key"))
    assert refused(fleet, renewal.seal_request(made, key)) is Reason.UNKNOWN_KEY
    own = SealKey(load_private(tool / "seal.key"))
    as_terminal = replace(made, kind=IdentityKind.TERMINAL)
    assert refused(fleet, renewal.seal_request(as_terminal, own)) is Reason.WRONG_ROLE
    foreign = replace(made, fleet="elsewhere")
    assert refused(fleet, renewal.seal_request(foreign, own)) is Reason.WRONG_ROLE


def test_keys_that_somebody_has_are_refused(fleet: Fleet, tool: Path) -> None:
    other, made = fleet.enrol_manager("d07-desk"), renewal.claimed(asked(tool))
    own = SealKey(load_private(tool / "seal.key"))
    taken = replace(made, seal_public=seal_public(other))
    assert refused(fleet, renewal.seal_request(taken, own)) is Reason.REPLAYED


def test_an_answer_fits_only_the_folder_that_asked(fleet: Fleet, tool: Path) -> None:
    other = fleet.enrol_manager("d07-desk")
    renew(fleet, asked(tool))
    asked(other)
    before = {path.name: path.read_bytes() for path in other.iterdir() if path.is_file()}
    with pytest.raises(Refused):
        device_renewal.install(other, answer(fleet, "d07-shell"), LATER_MS)
    assert {p.name: p.read_bytes() for p in other.iterdir() if p.is_file()} == before
    with pytest.raises(ConfigFault, match="waits for no renewed certificate"):
        device_renewal.install(fleet.enrol_manager("d07-third"), answer(fleet, "d07-shell"), 0)


def test_a_terminals_sealing_key_is_left_to_its_agent(fleet: Fleet) -> None:
    car = fleet.enrol("car-07")
    old = seal_public(car)
    renew(fleet, asked(car, IdentityKind.TERMINAL))
    device_renewal.install(car, answer(fleet, "car-07"), LATER_MS)
    assert seal_public(car) == old
    assert key_renewal.is_taken(car)


@pytest.mark.parametrize("step", range(12))
def test_a_crash_at_any_write_leaves_a_pair_that_fits(
    fleet: Fleet, tool: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file operation in turn is the last one; then the folder is opened as at a start."""
    renew(fleet, asked(tool))
    left = [step]

    def counted(name: str, real: object) -> None:
        def operation(*arguments: object, **named: object) -> object:
            if left[0] == 0:
                raise StoreBroken(tool, "power cut", None, "")
            left[0] -= 1
            return real(*arguments, **named)  # type: ignore[operator]

        monkeypatch.setattr(key_renewal, name, operation)

    counted("atomic_write", atomic_write)
    with monkeypatch.context() as patch:
        unlink = Path.unlink

        def cut(path: Path, missing_ok: bool = False) -> None:
            if left[0] == 0:
                raise OSError("power cut")
            left[0] -= 1
            unlink(path, missing_ok)

        patch.setattr(Path, "unlink", cut)
        try:
            device_renewal.install(tool, answer(fleet, "d07-shell"), LATER_MS)
            crashed = False
        except StoreBroken:
            crashed = True
    monkeypatch.undo()
    key_renewal.recover(tool)
    tls_key = load_private(tool / "tls.key").public_key().public_bytes_raw()
    assert tls_key == public_key_of(load_certificate(tool / "tls.pem"))
    assert seal_public(tool) in identity(fleet, "d07-shell").keys
    assert crashed == (step < 8)
    if key_renewal.is_taken(tool):
        key_renewal.roll_seal(tool)
    if not (tool / "renewal").exists():
        assert seal_public(tool) == identity(fleet, "d07-shell").keys[-1]
