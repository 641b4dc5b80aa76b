"""The envelope: what it binds, and that nothing else opens."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocol import cbor, envelope
from protocol.envelope import Kind, Opened, PositionOpener, keys_by_kid, open_sealed, peek, seal
from protocol.keys import SealKey, VerifyKey
from protocol.refusal import Reason, Refused
from tests.protocol.samples import (
    CENTRE_KEY,
    ENROLMENT,
    KINDS,
    LINK_TOPIC,
    ORDER_TOPIC,
    OTHER_KEY,
    PAYLOADS,
    POSITION_TOPIC,
    TERMINAL_KEY,
)
from tests.protocol.samples import seal as seal_sample

each_kind = pytest.mark.parametrize("kind", KINDS)


def opened(
    message: bytes,
    kind: Kind,
    *,
    bound_to: str | None = None,
    enrolment: bytes | None = None,
    key: VerifyKey | None = None,
) -> Opened:
    """Open as `kind` with what that kind's sample was sealed with, unless told otherwise."""
    topic, enrolled, sealer, _ = PAYLOADS[kind]
    used = key or sealer.verify_key
    return open_sealed(
        message,
        kinds=frozenset({kind}),
        bound_to=bound_to or topic,
        enrolment=enrolled if enrolment is None else enrolment,
        key_for=lambda kind, kid: used if kind is Kind.POSITION or kid == used.kid else None,
    )


def refused(message: bytes, kind: Kind = Kind.BIRTH, **other: object) -> Refused:
    with pytest.raises(Refused) as caught:
        opened(message, kind, **other)  # type: ignore[arg-type]
    return caught.value


def forged(
    protected: bytes,
    unprotected: bytes = b"\xa0",
    payload: bytes = b"\x43abc",
    key: SealKey = TERMINAL_KEY,
    kind: Kind = Kind.BIRTH,
) -> bytes:
    """A message whose signature holds over headers of our choice."""
    external = envelope.aad(kind, LINK_TOPIC, ENROLMENT)
    structure = b"\x84\x6aSignature1" + cbor2.dumps(protected) + cbor2.dumps(external) + payload
    signature = cbor2.dumps(key.sign(structure))
    return b"\x84" + cbor2.dumps(protected) + unprotected + payload + signature


def header(**labels: object) -> bytes:
    """The protected header of a birth with labels replaced (`l1`, `l4`, `kind`) or None: gone."""
    values = {1: -19, 4: TERMINAL_KEY.kid, -65537: "birth"}
    names = {"l1": 1, "l4": 4, "kind": -65537}
    changed = values | {names[name]: value for name, value in labels.items()}
    kept = {label: value for label, value in changed.items() if value is not None}
    return cbor2.dumps(kept, canonical=True)


@each_kind
def test_sealed_and_opened(kind: Kind) -> None:
    _, _, key, payload = PAYLOADS[kind]
    kid = b"" if kind is Kind.POSITION else key.kid
    message = seal_sample(kind)
    assert opened(message, kind) == Opened(kind, kid, payload)
    assert peek(message) == (kind, kid)
    assert seal_sample(kind) == message


@each_kind
def test_no_flipped_bit_opens(kind: Kind) -> None:
    message = seal_sample(kind)
    for bit in range(len(message) * 8):
        flipped = bytearray(message)
        flipped[bit // 8] ^= 1 << bit % 8
        refused(bytes(flipped), kind)


@each_kind
def test_no_cut_and_no_addition_opens(kind: Kind) -> None:
    message = seal_sample(kind)
    for size in range(len(message)):
        assert refused(message[:size], kind).reason is Reason.MALFORMED
    assert refused(message + b"\x00", kind).reason is Reason.MALFORMED
    assert refused(b"\xd2" + message, kind).detail == "not an untagged COSE_Sign1"


@each_kind
def test_moved_to_another_topic_enrolment_or_key(kind: Kind) -> None:
    message = seal_sample(kind)
    assert refused(message, kind, bound_to="elsewhere").reason is Reason.BAD_SEAL
    assert refused(message, kind, enrolment=b"x" * 16).reason is Reason.BAD_SEAL
    found = refused(message, kind, key=OTHER_KEY.verify_key)
    assert found.reason is (Reason.BAD_SEAL if kind is Kind.POSITION else Reason.UNKNOWN_KEY)


@each_kind
def test_moved_to_another_kind(kind: Kind) -> None:
    for other in KINDS:
        if other is not kind:
            assert refused(seal_sample(kind), other).reason is Reason.WRONG_KIND


def test_the_kind_is_signed_even_where_the_header_is_silent() -> None:
    """A position's header names no kind: the aad does."""
    protected = bytes.fromhex("a10132")
    message = forged(protected, kind=Kind.BIRTH)
    found = refused(message, Kind.POSITION, bound_to=LINK_TOPIC)
    assert found.reason is Reason.BAD_SEAL


@pytest.mark.parametrize(
    ("protected", "text"),
    [
        (header(l1=-8), "wrong_algorithm: algorithm -8; -19 only"),
        (header(l1=0), "wrong_algorithm: algorithm 0; -19 only"),
        (header(l1=-7), "wrong_algorithm: algorithm -7; -19 only"),
        (header(l1=5), "wrong_algorithm: algorithm 5; -19 only"),
        (header(l1="none"), "wrong_algorithm: algorithm 'none'; -19 only"),
        (header(l1=-19.0), "wrong_algorithm: algorithm -19.0; -19 only"),
        (header(l1=None), "malformed: protected header names no algorithm"),
        (b"", "malformed: item ends at byte 0 of 0, cut short"),
        (b"\xa0", "malformed: protected header names no algorithm"),
        (b"\x80", "malformed: protected header names no algorithm"),
        (header(l4=None), "malformed: protected header must hold algorithm, kid and kind"),
        (header(l4=b"short"), "malformed: protected header must hold algorithm, kid and kind"),
        (header(l4=1), "malformed: protected header must hold algorithm, kid and kind"),
        (header(kind=None), "malformed: protected header must hold algorithm, kid and kind"),
        (header(kind="order"), "wrong_kind: unknown kind 'order'"),
        (header(kind=7), "wrong_kind: unknown kind 7"),
        (header(kind="Birth"), "wrong_kind: unknown kind 'Birth'"),
        (b"\x00" * 65, "malformed: protected header too long"),
    ],
)  # fmt: skip
def test_headers_that_seal_nothing(protected: bytes, text: str) -> None:
    assert str(refused(forged(protected))) == text


def test_other_labels_are_refused() -> None:
    extra = {1: -19, 4: TERMINAL_KEY.kid, -65537: "birth"}
    for label, value in ((2, [99]), (3, 0), (5, b"iv"), (99, 1), ("x", 1)):
        protected = cbor2.dumps(extra | {label: value}, canonical=True)
        found = str(refused(forged(protected)))
        assert found == "malformed: protected header must hold algorithm, kid and kind"


def test_two_kids_are_refused() -> None:
    kid = b"\x04\x48"
    protected = b"\xa4\x01\x32" + (kid + TERMINAL_KEY.kid) + (kid + OTHER_KEY.kid)
    protected += b"\x3a\x00\x01\x00\x00\x65birth"
    assert refused(forged(protected)).detail == "not the deterministic encoding"


@pytest.mark.parametrize("label", [True, 1.0])
def test_labels_that_only_python_takes_for_one(label: object) -> None:
    """True and 1.0 equal 1 in a dictionary; the encoding is deterministic all the same."""
    alone = cbor2.dumps({label: -19}, canonical=True)
    assert refused(forged(alone), Kind.POSITION).reason is Reason.MALFORMED
    full = cbor2.dumps({label: -19, 4: TERMINAL_KEY.kid, -65537: "birth"}, canonical=True)
    assert cbor.encode(cbor.decode(full)) == full
    found = refused(forged(full))
    assert str(found) == "malformed: protected header: a label is no integer"


@pytest.mark.parametrize("unprotected", [{1: -19}, {4: b"12345678"}, {2: [1]}, {99: 0}])
def test_the_unprotected_header_is_empty(unprotected: dict[int, object]) -> None:
    found = refused(forged(header(), cbor2.dumps(unprotected)))
    assert str(found) == "malformed: unprotected header is not empty"
    without = forged(header(l1=None), cbor2.dumps({1: -19}))
    assert str(refused(without)) == "malformed: unprotected header is not empty"


@pytest.mark.parametrize(
    "message",
    [
        b"", b"\x84", b"\x85" + b"\x40" * 5, b"\x9f" + b"\x40\xa0\x40\x40\xff", b"\xd2\x84\x40",
        b"\xd8\x62\x84\x40\xa0\x40\x80", b"\x81" * 4096, b"\x84\x5f\x40\xff\xa0\x40\x40",
        b"\x84\x5b" + b"\xff" * 8, b"\x84\x5a\xff\xff\xff\xff" + bytes(4000),
        b"\x84\x43\xa1\x01\x32\xa0\x5b\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\x84\x43\xa1\x01\x32\xbf\xff\x40\x40",
        b"\x84\x43\xa1\x01\x32\xa0\xf6\x58\x40" + bytes(64),
        b"\x84\x43\xa1\x01\x32\xa0\x58\x01\x00\x58\x40" + bytes(64),
        b"\x84\x58\x03\xa1\x01\x32\xa0\x41\x00\x58\x40" + bytes(64),
        b"\x84\x43\xa1\x01\x32\xa0\x41\x00\x59\x00\x40" + bytes(64),
    ],
)  # fmt: skip
def test_structures_that_are_no_envelope(message: bytes) -> None:
    assert refused(message, Kind.POSITION).reason is Reason.MALFORMED


def test_nesting_without_end_is_refused_before_it_is_decoded() -> None:
    deep = b"\x81" * 100_000
    assert refused(deep).reason is Reason.TOO_LARGE
    with pytest.raises(Refused) as caught:
        open_sealed(
            deep, kinds=frozenset(Kind), bound_to="", enrolment=b"",
            key_for=lambda _kind, _kid: None, bytes_max=1 << 20,
        )  # fmt: skip
    assert caught.value.reason is Reason.MALFORMED
    inside = b"\xa1\x01" + b"\x81" * 60
    assert refused(forged(inside)).reason is Reason.TOO_DEEP


def test_size() -> None:
    message = seal(Kind.BIRTH, LINK_TOPIC, ENROLMENT, bytes(4096), TERMINAL_KEY)
    assert str(refused(message)) == f"too_large: {len(message)} bytes; at most 4096"


@pytest.mark.parametrize("size", [1, 63, 65, 114])
def test_a_signature_has_64_bytes(size: int) -> None:
    message = seal_sample(Kind.BIRTH)[:-66] + cbor2.dumps(bytes(size))
    assert str(refused(message)) == "malformed: signature is not 64 bytes at the end"


def test_an_empty_payload_is_opened_as_such() -> None:
    message = seal(Kind.BIRTH, LINK_TOPIC, ENROLMENT, b"", TERMINAL_KEY)
    assert opened(message, Kind.BIRTH).payload == b""


def test_keys_by_their_id() -> None:
    key_for = keys_by_kid({CENTRE_KEY.kid: CENTRE_KEY.verify_key})
    assert key_for(Kind.DISPATCH, CENTRE_KEY.kid) == CENTRE_KEY.verify_key
    assert key_for(Kind.DISPATCH, OTHER_KEY.kid) is None


def test_what_is_bound() -> None:
    external = envelope.aad(Kind.DISPATCH, ORDER_TOPIC, ENROLMENT)
    assert cbor.decode(external) == ["outrider/1", "dispatch", ORDER_TOPIC, ENROLMENT]


# --- the hot path ------------------------------------------------------------------------------


def both_ways(message: bytes, keys: tuple[VerifyKey, ...]) -> tuple[bytes | Reason, bytes | Reason]:
    """What the opener and the general path make of one message."""

    def general() -> bytes:
        failure = Refused(Reason.BAD_SEAL, "no key")
        for key in keys:
            try:
                return opened(message, Kind.POSITION, key=key).payload
            except Refused as refusal:
                failure = refusal
        raise failure

    def outcome(open_it: object) -> bytes | Reason:
        try:
            found: bytes = open_it()  # type: ignore[operator]
        except Refused as refusal:
            return refusal.reason
        return found

    opener = PositionOpener(POSITION_TOPIC, ENROLMENT, keys)
    return outcome(lambda: opener.open(message)), outcome(general)


OLD, NEW = TERMINAL_KEY.verify_key, OTHER_KEY.verify_key


@given(st.binary(max_size=180), st.sampled_from([TERMINAL_KEY, OTHER_KEY, CENTRE_KEY]))
def test_the_opener_agrees_with_the_general_path(payload: bytes, key: SealKey) -> None:
    message = seal(Kind.POSITION, POSITION_TOPIC, ENROLMENT, payload, key)
    fast, general = both_ways(message, (OLD, NEW))
    assert fast == general
    assert fast == (Reason.BAD_SEAL if key is CENTRE_KEY else payload)


@given(st.data())
def test_the_opener_agrees_on_damaged_messages(data: st.DataObject) -> None:
    message = bytearray(seal_sample(Kind.POSITION))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(message) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                message[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                del message[at]
            case _:
                message.insert(at, data.draw(st.integers(0, 255)))
    assume(bytes(message) != seal_sample(Kind.POSITION))
    fast, general = both_ways(bytes(message), (OLD,))
    assert isinstance(fast, Reason)
    assert isinstance(general, Reason)


def test_the_opener_opens_every_length_of_head() -> None:
    for size in (0, 23, 24, 180):
        message = seal(Kind.POSITION, POSITION_TOPIC, ENROLMENT, bytes(size), TERMINAL_KEY)
        assert both_ways(message, (OLD,)) == (bytes(size), bytes(size))


def test_the_opener_tries_two_keys_and_no_third() -> None:
    message = seal_sample(Kind.POSITION)
    others = (CENTRE_KEY.verify_key, NEW)
    with pytest.raises(Refused, match="bad_seal: position: signature fits no key"):
        PositionOpener(POSITION_TOPIC, ENROLMENT, (*others, OLD)).open(message)
    assert PositionOpener(POSITION_TOPIC, ENROLMENT, (NEW, OLD)).open(message)


def test_the_opener_names_what_is_no_position() -> None:
    opener = PositionOpener(POSITION_TOPIC, ENROLMENT, (OLD,))
    will = seal(Kind.WILL, POSITION_TOPIC, ENROLMENT, b"", TERMINAL_KEY)
    for message, text in (
        (will, "wrong_kind: not a position"),
        (bytes(257), "too_large: 257 bytes; a position has at most 256"),
        (b"", "malformed: not an untagged COSE_Sign1"),
        (b"\x84\x43\xa1\x01\x32\xa0\x58\x40" + bytes(64), "malformed: "),
    ):
        with pytest.raises(Refused) as caught:
            opener.open(message)
        assert str(caught.value).startswith(text)


def test_the_opener_takes_no_bytes_between_payload_and_signature() -> None:
    """Signed soundly, as only the terminal itself could."""
    external = cbor2.dumps(envelope.aad(Kind.POSITION, POSITION_TOPIC, ENROLMENT))
    body = b"\x43abc\x00"
    structure = b"\x84\x6aSignature1\x43\xa1\x01\x32" + external + body
    message = b"\x84\x43\xa1\x01\x32\xa0" + body + cbor2.dumps(TERMINAL_KEY.sign(structure))
    with pytest.raises(Refused) as caught:
        PositionOpener(POSITION_TOPIC, ENROLMENT, (OLD,)).open(message)
    assert str(caught.value) == "malformed: bytes between payload and signature"
