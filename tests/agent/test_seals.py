"""Whose seals a terminal believes, and the dates of the broker's certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from agent.core.now import Now
from agent.identity import BrokerCertificate
from agent.seals import Seals
from protocol.envelope import Kind, seal
from protocol.identities import LAST_GOOD_MS, Role
from protocol.refusal import Reason, Refused
from protocol.words import TimeTrust
from runtime.mqtt_types import PeerRefused
from tests.agent.enrolled import DEVICE, FLEET, Enrolment, now_ms

DAY_MS = 86_400_000


@pytest.fixture
def enrolment(tmp_path: Path) -> Enrolment:
    return Enrolment(tmp_path / "pki")


def seals_of(enrolment: Enrolment) -> Seals:
    root = enrolment.root_key
    seals = Seals(FLEET, DEVICE, enrolment.enrolment, enrolment.terminal_key, root.verify_key)
    document = enrolment.trust_document(3)
    seals.believe(seals.open_trust(document), document)
    return seals


def reason_of(seals: Seals, message: bytes, at_ms: int | None) -> Reason:
    with pytest.raises(Refused) as refused:
        seals.open(message, at_ms)
    return refused.value.reason


def test_each_kind_is_opened_by_its_role_only(enrolment: Enrolment) -> None:
    seals = seals_of(enrolment)
    for kind, role in ((Kind.DISPATCH, Role.DISPATCH), (Kind.RECEIPT, Role.RECEIPT)):
        for signer, key in enrolment.roles.items():
            sealed = seal(kind, seals.order_topic, enrolment.enrolment, b"x", key)
            if signer is role:
                assert seals.open(sealed, now_ms()).payload == b"x"
            else:
                assert reason_of(seals, sealed, now_ms()) is Reason.UNKNOWN_KEY


def test_a_message_for_another_is_not_opened(enrolment: Enrolment) -> None:
    seals, key = seals_of(enrolment), enrolment.roles[Role.DISPATCH]
    other_topic = seals.order_topic.replace("car-1", "car-2")
    for topic, enrolled in (
        (other_topic, enrolment.enrolment),
        (seals.order_topic, bytes(16)),
        (seals.topic("logbook"), enrolment.enrolment),
    ):
        sealed = seal(Kind.DISPATCH, topic, enrolled, b"x", key)
        assert reason_of(seals, sealed, now_ms()) is Reason.BAD_SEAL


def test_role_keys_hold_72_hours_past_their_end_and_are_told(enrolment: Enrolment) -> None:
    seals = seals_of(enrolment)
    end_ms = now_ms() + 7 * DAY_MS
    key = enrolment.roles[Role.DISPATCH]
    sealed = seal(Kind.DISPATCH, seals.order_topic, enrolment.enrolment, b"x", key)
    assert seals.ended_roles(end_ms - 60_000) == ()
    assert seals.ended_roles(end_ms + 60_000) == ("dispatch", "receipt")
    assert seals.open(sealed, end_ms + LAST_GOOD_MS - 60_000).payload == b"x"
    assert reason_of(seals, sealed, end_ms + LAST_GOOD_MS + 60_000) is Reason.EXPIRED
    assert seals.open(sealed, None).payload == b"x", "no trusted time: the dates are not asked"


def test_trust_never_goes_back_and_needs_the_pinned_root(
    enrolment: Enrolment, tmp_path: Path
) -> None:
    seals = seals_of(enrolment)
    for version in (2, 3):
        with pytest.raises(Refused) as refused:
            seals.open_trust(enrolment.trust_document(version))
        assert refused.value.reason is Reason.STALE_VERSION
    with pytest.raises(Refused):
        seals.open_trust(Enrolment(tmp_path / "other").trust_document(9))
    assert seals.open_trust(enrolment.trust_document(4)).version == 4


def test_broker_certificate_is_held_against_the_time_that_is_known(enrolment: Enrolment) -> None:
    der = ssl.PEM_cert_to_DER_cert(enrolment.server().cert_file.read_text())
    begin_ms, end_ms = now_ms() - DAY_MS, now_ms() + 29 * DAY_MS

    def check(utc_ms: int, trust: TimeTrust, floor_ms: int) -> None:
        BrokerCertificate(lambda: Now(0, utc_ms, trust), lambda: floor_ms).check(der)

    check(now_ms(), TimeTrust.NTP, 0)
    check(0, TimeTrust.NONE, begin_ms - DAY_MS)  # a boot in the past still connects
    with pytest.raises(PeerRefused, match="not valid yet"):
        check(begin_ms - DAY_MS, TimeTrust.NTP, 0)
    with pytest.raises(PeerRefused, match="expired"):
        check(end_ms + DAY_MS, TimeTrust.GNSS, 0)
    with pytest.raises(PeerRefused, match="expired"):
        check(0, TimeTrust.RTC, end_ms + DAY_MS)


@pytest.mark.parametrize("kind", [Kind.CONFIGURATION, Kind.CODEBOOK])
def test_documents_are_bound_to_the_fleet(enrolment: Enrolment, kind: Kind) -> None:
    """Sealed once for all; sealed for this topic alone, or for another fleet, they are refused."""
    seals, key = seals_of(enrolment), enrolment.roles[Role.CONFIGURATION]
    assert seals.open(seal(kind, FLEET, b"", b"x", key), now_ms()).payload == b"x"
    for bound_to, of in ((seals.order_topic, enrolment.enrolment), ("other", b"")):
        assert reason_of(seals, seal(kind, bound_to, of, b"x", key), now_ms()) is Reason.BAD_SEAL


def test_a_certificate_is_for_one_terminal(enrolment: Enrolment) -> None:
    seals, key = seals_of(enrolment), enrolment.roles[Role.ENROLMENT]
    mine = seal(Kind.CERTIFICATE, seals.order_topic, enrolment.enrolment, b"x", key)
    assert seals.open(mine, now_ms()).payload == b"x"
    moved = seal(Kind.CERTIFICATE, seals.order_topic, bytes(16), b"x", key)
    assert reason_of(seals, moved, now_ms()) is Reason.BAD_SEAL
