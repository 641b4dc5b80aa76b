"""Others' COSE_Sign1: what is refused and why, and what an independent library makes of it."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from protocol import cose
from protocol.keys import SealKey
from protocol.refusal import Reason, Refused

SEALER = SealKey.from_seed(bytes(range(32)))
KEY = SEALER.verify_key
P256 = ec.derive_private_key(0x1234567, ec.SECP256R1())
P256_PEM = P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
EDDSA = cbor2.dumps({1: -8})
NO_ARRAY = "malformed: not an array of four, as a COSE_Sign1 is"
DETACHED = "payload is detached; give the message with its payload"
ENDLESS = "cut short or of indefinite length at byte"


def signed(
    protected: bytes = EDDSA,
    unprotected: bytes = b"\xa0",
    payload: bytes = b"content",
    aad: bytes = b"",
) -> bytes:
    """A message whose signature holds, whatever its headers say."""
    signature = SEALER.sign(cose.sig_structure(protected, aad, payload))
    return (
        b"\x84" + cbor2.dumps(protected) + unprotected + cbor2.dumps(payload)
        + cbor2.dumps(signature)
    )  # fmt: skip


def reason_of(message: bytes, key: cose.Key = KEY, aad: bytes = b"") -> str:
    with pytest.raises(Refused) as caught:
        cose.verify(message, key, aad)
    return str(caught.value)


def test_eddsa_and_ed25519_verify_with_an_ed25519_key() -> None:
    for algorithm in (-8, -19):
        protected = cbor2.dumps({1: algorithm, 4: b"11"})
        found = cose.verify(signed(protected), KEY)
        assert found == cose.Verified(algorithm, True, b"11", b"content")


def test_tag_18_counts_as_none() -> None:
    message = signed()
    assert cose.verify(b"\xd2" + message, KEY) == cose.verify(message, KEY)
    assert cose.verify(b"\xd8\x12" + message, KEY) == cose.verify(message, KEY)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xd1", "tag 17 is COSE_Mac0"), (b"\xd0", "tag 16 is COSE_Encrypt0"),
        (b"\xd8\x62", "tag 98 is COSE_Sign;"), (b"\xd8\x61", "tag 97 is COSE_Mac;"),
        (b"\xd8\x60", "tag 96 is COSE_Encrypt;"), (b"\xd8\x3d", "tag 61 is a CWT"),
        (b"\xd9\xd9\xf7", "tag 55799 is self-described"), (b"\xc0", "tag 0 is something else"),
    ],
)  # fmt: skip
def test_every_other_tag_is_refused(head: bytes, name: str) -> None:
    assert reason_of(head + signed()).startswith(f"wrong_kind: {name}")


def test_a_tag_in_the_tag_is_refused() -> None:
    assert reason_of(b"\xd2\xd2" + signed()) == NO_ARRAY


def test_es256_is_r_and_s_of_32_bytes() -> None:
    protected = cbor2.dumps({1: -7})
    structure = cose.sig_structure(protected, b"aad", b"content")
    r, s = decode_dss_signature(P256.sign(structure, ec.ECDSA(SHA256())))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    key = cose.key_from_pem(P256_PEM)
    message = cbor2.dumps([protected, {}, b"content", raw])
    assert cose.verify(message, key, b"aad").algorithm == cose.ES256
    assert reason_of(message, key).startswith("bad_seal: ")
    zeros = cbor2.dumps([protected, {}, b"content", bytes(64)])
    assert reason_of(zeros, key).startswith("bad_seal: ")
    der = cbor2.dumps([protected, {}, b"content", P256.sign(structure, ec.ECDSA(SHA256()))])
    assert "wanted 64" in reason_of(der, key, b"aad")


def test_key_and_algorithm_must_agree() -> None:
    message = signed(cbor2.dumps({1: -7}))
    assert reason_of(message) == "wrong_algorithm: algorithm -7 ES256 with an Ed25519 key"
    found = reason_of(signed(), cose.key_from_pem(P256_PEM))
    assert found == "wrong_algorithm: algorithm -8 EdDSA with a P-256 key"


@pytest.mark.parametrize("algorithm", [0, 5, -35, -37, -257, -53, "none", "EdDSA", "HS256"])
def test_other_algorithms_are_refused(algorithm: int | str) -> None:
    found = reason_of(signed(cbor2.dumps({1: algorithm})))
    assert found.startswith(f"wrong_algorithm: algorithm {algorithm!r}; known are -8 EdDSA")


@pytest.mark.parametrize("algorithm", [True, None, -8.0, b"\x27", [-8]])
def test_an_algorithm_is_an_integer_or_a_text(algorithm: object) -> None:
    assert reason_of(signed(cbor2.dumps({1: algorithm}))).startswith("malformed: algorithm: ")


@pytest.mark.parametrize("protected", [b"", b"\xa0"])
def test_without_any_algorithm_it_is_refused(protected: bytes) -> None:
    assert reason_of(signed(protected)) == "wrong_algorithm: no header names an algorithm"


@pytest.mark.parametrize("protected", [b"", b"\xa0"])
def test_an_empty_protected_header_has_two_spellings_and_one_signature(protected: bytes) -> None:
    signature = SEALER.sign(cbor2.dumps(["Signature1", b"", b"", b"content"]))
    message = cbor2.dumps([protected, {1: -8}, b"content", signature])
    found = cose.verify(message, KEY)
    assert not found.is_algorithm_protected


def test_protected_headers_are_signed_as_they_came() -> None:
    long_form = bytes.fromhex("b8010127")  # map(1), the count in two bytes
    message = signed(long_form)
    assert cose.verify(message, KEY).algorithm == cose.EDDSA
    with_other_bytes = b"\x84" + cbor2.dumps(EDDSA) + message[1 + 1 + len(long_form) :]
    assert reason_of(with_other_bytes).startswith("bad_seal: ")


@pytest.mark.parametrize(
    ("protected", "text"),
    [
        ({1: -8, 2: [99], 99: 1}, "critical header 99 is not understood"),
        ({1: -8, 2: ["exp"], "exp": 1}, "critical header 'exp' is not understood"),
        ({1: -8, 2: [4]}, "critical header 4 is not protected"),
        ({1: -8, 2: []}, "critical headers: not an array of labels"),
        ({1: -8, 2: 4}, "critical headers: not an array of labels"),
        ({1: -8, 2: [b"x"]}, "critical headers: neither integer nor text at byte 1"),
    ],
)
def test_critical_headers(protected: dict[object, object], text: str) -> None:
    assert reason_of(signed(cbor2.dumps(protected))) == f"malformed: {text}"


def test_a_critical_header_that_is_understood_passes() -> None:
    assert cose.verify(signed(cbor2.dumps({1: -8, 2: [4], 4: b"k"})), KEY).kid == b"k"


def test_critical_headers_are_not_listed_unprotected() -> None:
    found = reason_of(signed(unprotected=cbor2.dumps({2: [1]})))
    assert found == "malformed: critical headers are listed unprotected"


@pytest.mark.parametrize(
    ("protected", "unprotected", "text"),
    [
        ("a2012701382b", "a0", "protected header: label 1 is there twice"),
        ("a10127", "a20441000442aabb", "unprotected header: label 4 is there twice"),
        ("a10127", "a10127", "header 1 is there twice"),
        ("a2012704412a", "a104412b", "header 4 is there twice"),
        ("a1f50027", "a0", "protected header: bytes behind the map"),
        ("a1f527", "a0", "protected header: neither integer nor text at byte 1"),
        ("a1f93c0027", "a0", "protected header: neither integer nor text at byte 1"),
        (
            "a1410027",
            "a0",
            "protected header: neither integer nor text at byte 1",
        ),
        ("a261ff000127", "a0", "protected header: text is not UTF-8 at byte 1"),
        ("820127", "a0", "protected header: not a map"),
        ("a10127", "80", "unprotected header: not a map"),
        ("a10127", "f6", "unprotected header: not a map"),
        ("a10127", "a1042a", "key id: not a whole byte string at byte 0"),
        ("bf0127ff", "a0", "indefinite or reserved length at byte 0"),
        ("a10127", "bfff", "indefinite or reserved length at byte 5"),
    ],
)
def test_headers_that_are_no_headers(protected: str, unprotected: str, text: str) -> None:
    message = signed(bytes.fromhex(protected), bytes.fromhex(unprotected))
    found = reason_of(message)
    assert found.startswith("malformed: ")
    assert found.removeprefix("malformed: ") == text


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"", "message: cut short or of indefinite length at byte 0"),
        (b"\x80", NO_ARRAY.removeprefix("malformed: ")),
        (b"\x85" + b"\x40" * 5, NO_ARRAY.removeprefix("malformed: ")),
        (b"\xa2\x01\x02\x03\x04", NO_ARRAY.removeprefix("malformed: ")),
        (b"\x9f\x40\xa0\x40\x40\xff", "message: cut short or of indefinite length at byte 0"),
        (b"\xd2", "message: cut short or of indefinite length at byte 1"),
        (b"\x84\x5f\x41\xa0\xff\xa0\x40\x40", f"protected header: {ENDLESS} 1"),
        (b"\x84\x40\xa0\x5f\x41a\xff\x40", "payload: cut short or of indefinite length at byte 3"),
        (b"\x84\x40\xa0\xf6\x58\x40" + bytes(64), DETACHED),
        (b"\x84\x40\xa0\x60\x40", "payload: not a whole byte string at byte 3"),
        (b"\x84\x40\xa0\x5b" + b"\xff" * 8, "payload: not a whole byte string at byte 3"),
        (b"\x84\x40\xa0\x5a\xff\xff\xff\xff", "payload: not a whole byte string at byte 3"),
        (b"\x84\x5a\xff\xff\xff\xff", "protected header: not a whole byte string at byte 1"),
        (b"\x84\x40\xa0\x40\x58", "signature: cut short at byte 4"),
    ],
)  # fmt: skip
def test_structures_that_are_no_sign1(message: bytes, text: str) -> None:
    assert reason_of(message) == f"malformed: {text}"


def test_bytes_behind_the_message_are_refused() -> None:
    assert reason_of(signed() + b"\x00") == "malformed: 1 bytes behind the message"


def test_nesting_without_end_is_refused() -> None:
    deep = b"\xa1\x18\x63" + b"\x81" * 100_000 + b"\x00"
    assert reason_of(signed(unprotected=deep)).startswith("too_deep: ")
    assert reason_of(signed(protected=deep)).startswith("too_deep: ")
    assert reason_of(b"\x81" * 100_000) == NO_ARRAY


def test_more_headers_than_anyone_means_are_refused() -> None:
    wide = cbor2.dumps(dict.fromkeys(range(10, 5000), 0))
    assert reason_of(signed(unprotected=wide)).startswith("too_large: ")
    long = cbor2.dumps({9: bytes(70_000)})
    assert reason_of(signed(unprotected=long)).startswith("too_large: ")


def test_a_message_without_end_is_refused() -> None:
    assert reason_of(bytes(cose.MESSAGE_BYTES_MAX + 1)).startswith("too_large: ")


@given(st.integers(0, len(signed()) * 8 - 1))
def test_no_flipped_bit_verifies(bit: int) -> None:
    message = bytearray(signed())
    message[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Refused):
        cose.verify(bytes(message), KEY)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_cleanly(data: bytes) -> None:
    for message in (data, b"\x84" + data, b"\xd2\x84\x43\xa1\x01\x27" + data):
        with pytest.raises(Refused):
            cose.verify(message, KEY)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (ed448.Ed448PrivateKey.generate().public_key(), "Ed448 key; wanted Ed25519 or P-256"),
        (ec.derive_private_key(7, ec.SECP384R1()).public_key(), "wanted Ed25519 or P-256"),
        (rsa.generate_private_key(65537, 2048).public_key(), "RSA key; wanted Ed25519 or P-256"),
    ],
)
def test_keys_of_other_kinds_are_refused(
    key: ed448.Ed448PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey, text: str
) -> None:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(Refused, match=text) as caught:
        cose.key_from_pem(pem)
    assert caught.value.reason is Reason.WRONG_ALGORITHM


@pytest.mark.parametrize("pem", [b"", b"\x00\xff", b"-----BEGIN PUBLIC KEY-----\nAAAA\n"])
def test_what_is_no_pem_is_refused(pem: bytes) -> None:
    with pytest.raises(Refused, match="malformed: not a PEM public key"):
        cose.key_from_pem(pem)


def test_a_key_in_hex_has_64_digits() -> None:
    assert cose.key_from_hex(KEY.public.hex().upper()) == KEY
    assert cose.key_from_hex(KEY.public.hex()[:-1]) is None
    assert cose.key_from_hex("key.pem") is None
    with pytest.raises(Refused, match="small order"):
        cose.key_from_hex("00" * 32)
