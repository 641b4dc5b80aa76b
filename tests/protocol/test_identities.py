"""Trust and identities: exact both ways, whose key may seal what, and until when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import envelope, identities
from protocol.envelope import Kind
from protocol.identities import IdentityKind, Role, State
from protocol.keys import VerifyKey
from protocol.refusal import Reason, Refused
from tests.protocol.samples import (
    CENTRE_KEY,
    FLEET,
    IDENTITIES,
    NOW_MS,
    OTHER_KEY,
    ROOT_KEY,
    TRUST,
)


def test_documents_exact_both_ways() -> None:
    assert identities.decode_trust(identities.encode(TRUST)) == TRUST
    assert identities.decode_identities(identities.encode(IDENTITIES)) == IDENTITIES
    assert IDENTITIES.common_names(IdentityKind.TERMINAL) == ("zz.car-7",)
    assert IDENTITIES.common_names(IdentityKind.GATEWAY) == ()


def with_identity(**changes: Any) -> identities.Identities:
    first, second = IDENTITIES.identities
    return replace(IDENTITIES, identities=(replace(first, **changes), second))


def test_an_enrolment_lives_once() -> None:
    twice = with_identity(enrolment=IDENTITIES.identities[1].enrolment)
    with pytest.raises(Refused, match="enrolment of d07-desk is there twice"):
        identities.decode_identities(identities.encode(twice))
    for state in (State.CLOSED, State.REVOKED):
        dead = replace(twice, identities=tuple(
            replace(one, state=state) if i == 0 else one for i, one in enumerate(twice.identities)
        ))  # fmt: skip
        assert identities.decode_identities(identities.encode(dead)) == dead
        turned = replace(dead, identities=dead.identities[::-1])
        assert identities.decode_identities(identities.encode(turned)) == turned


def test_bad_keys_are_refused_when_loaded() -> None:
    for document, decode in (
        (with_identity(keys=(bytes(32),)), identities.decode_identities),
        (replace(TRUST, role_keys=(replace(TRUST.role_keys[0], public_key=bytes(32)),)),
         identities.decode_trust),
    ):  # fmt: skip
        with pytest.raises(Refused, match="small order"):
            decode(identities.encode(document))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": "person"}, "identities.identities[0].kind: 'person', wanted one of terminal"),
        ({"state": "gone"}, "identities.identities[0].state: 'gone', wanted one of active"),
        ({"keys": (OTHER_KEY.public,) * 3}, "identities.identities[0].keys: "),
        ({"enrolment": b""}, "identities.identities[0].enrolment: "),
    ],
)
def test_identities_that_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(Refused) as caught:
        identities.decode_identities(identities.encode(with_identity(**changes)))
    assert caught.value.detail.startswith(text)


def test_role_keys_by_kind_and_time() -> None:
    kid = CENTRE_KEY.kid
    end_ms = TRUST.role_keys[0].not_after_ms + identities.LAST_GOOD_MS
    for kind in (Kind.DISPATCH, Kind.WELCOME, Kind.RECEIPT, Kind.REPLY):
        found = TRUST.key_for(kind, kid, NOW_MS)
        assert found is not None
        assert found.public == CENTRE_KEY.public
        assert TRUST.key_for(kind, kid, None) == found
        assert TRUST.key_for(kind, kid, end_ms) == found
        assert TRUST.key_for(kind, kid, end_ms + 1) is None
        assert TRUST.key_for(kind, kid, NOW_MS - 1) is None
        assert TRUST.key_for(kind, OTHER_KEY.kid, NOW_MS) is None
    for kind in (Kind.EVIDENCE, Kind.IDENTITIES, Kind.CONFIGURATION, Kind.TRUST, Kind.POSITION):
        assert TRUST.key_for(kind, kid, NOW_MS) is None
    assert set(identities.ROLE_OF_KIND.values()) == set(Role) - {Role.FIRMWARE}


def sealed(kind: Kind, document: identities.Trust | identities.Identities) -> bytes:
    return envelope.seal(kind, FLEET, b"", identities.encode(document), ROOT_KEY)


def root_for(kind: Kind, kid: bytes) -> VerifyKey | None:
    return ROOT_KEY.verify_key if kid == ROOT_KEY.kid else None


def test_documents_are_opened() -> None:
    trust = sealed(Kind.TRUST, TRUST)
    assert identities.open_trust(trust, FLEET, ROOT_KEY.verify_key) == TRUST
    document = sealed(Kind.IDENTITIES, IDENTITIES)
    assert identities.open_identities(document, FLEET, root_for) == IDENTITIES
    for message, kind in ((trust, Reason.WRONG_KIND), (document[:-1], Reason.MALFORMED)):
        with pytest.raises(Refused) as caught:
            identities.open_identities(message, FLEET, root_for)
        assert caught.value.reason is kind
    with pytest.raises(Refused, match="wrong_role: document of fleet yy, not zz"):
        identities.open_trust(
            sealed(Kind.TRUST, replace(TRUST, fleet="yy")), FLEET, ROOT_KEY.verify_key
        )
    with pytest.raises(Refused, match="unknown_key"):
        identities.open_trust(trust, FLEET, OTHER_KEY.verify_key)


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_cleanly(data: bytes) -> None:
    for payload in (data, b"\x84" + data, b"\x82" + data):
        for decode in (identities.decode_trust, identities.decode_identities):
            try:
                decode(payload)
            except Refused:
                continue
