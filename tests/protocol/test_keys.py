"""Keys are judged when loaded; the points of small order are derived here, not copied."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.keys import SealKey, VerifyKey, check_public, kid_of
from protocol.refusal import Reason, Refused

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1)
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The complete addition law of edwards25519 (RFC 8032 section 5.1.4, affine)."""
    product = D * a[0] * b[0] * a[1] * b[1]
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, P - 2, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, P - 2, P)
    return x % P, y % P


def multiply(k: int, point: Point) -> Point:
    total = NEUTRAL
    while k:
        total = add(total, point) if k & 1 else total
        point, k = add(point, point), k >> 1
    return total


def recover_x(y: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_1 % P
    return x if x * x % P == square else None


def torsion() -> set[Point]:
    """The eight points whose order divides 8: multiples of one of order 8."""
    for y in range(2, 100):
        x = recover_x(y)
        if x is None:
            continue
        point = multiply(L, (x, y))
        if multiply(4, point) != NEUTRAL:
            return {multiply(k, point) for k in range(8)}
    raise AssertionError("no point of order 8 found")


def encoded(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def refused(public: bytes) -> str:
    with pytest.raises(Refused) as caught:
        VerifyKey(public)
    return str(caught.value)


def test_all_eight_points_of_small_order_are_refused() -> None:
    points = torsion()
    assert len(points) == 8
    assert all(multiply(8, point) == NEUTRAL for point in points)
    for point in points:
        assert refused(encoded(point)) == "malformed: public key is of small order"


def test_their_other_spellings_are_refused_too() -> None:
    """The sign of x = 0 set, and y not reduced: y and y + p where it fits into 255 bits."""
    for x, y in torsion():
        flipped = (y | (1 - (x & 1)) << 255).to_bytes(32, "little")
        assert "small order" in refused(flipped)
        if y + P < 1 << 255:
            for sign in (0, 1):
                assert "not canonically" in refused((y + P | sign << 255).to_bytes(32, "little"))


@pytest.mark.parametrize("excess", range(19))
def test_every_non_canonical_y_is_refused(excess: int) -> None:
    for sign in (0, 1):
        public = (P + excess | sign << 255).to_bytes(32, "little")
        assert refused(public) == "malformed: public key is not canonically encoded"


@pytest.mark.parametrize("size", [0, 31, 33, 57, 64])
def test_a_key_has_32_bytes(size: int) -> None:
    assert refused(bytes(size)) == f"malformed: public key of {size} bytes, wanted 32"


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_what_is_signed_verifies_by_its_own_key_alone(seed: bytes, message: bytes) -> None:
    key = SealKey.from_seed(seed)
    signature = key.sign(message)
    assert key.verify_key.verifies(signature, message)
    assert not key.verify_key.verifies(signature, message + b"\x00")
    assert not SealKey.from_seed(hashlib.sha256(seed).digest()).verify_key.verifies(
        signature, message
    )


def test_a_signature_with_the_order_added_is_refused() -> None:
    """S + L solves the same equation (RFC 8032 section 5.1.7): malleable where S is not checked."""
    key = SealKey.from_seed(bytes(32))
    signature = key.sign(b"x")
    s = int.from_bytes(signature[32:], "little") + L
    assert not key.verify_key.verifies(signature[:32] + s.to_bytes(32, "little"), b"x")


@pytest.mark.parametrize("size", [0, 63, 65, 128])
def test_a_signature_of_another_size_is_none(size: int) -> None:
    assert not SealKey.from_seed(bytes(32)).verify_key.verifies(bytes(size), b"x")


def test_key_id_is_the_start_of_the_hash() -> None:
    key = SealKey.from_seed(bytes(32))
    assert key.kid == kid_of(key.public) == hashlib.sha256(key.public).digest()[:8]
    assert key.verify_key.kid == key.kid


def test_a_private_key_is_not_printed() -> None:
    key = SealKey.from_seed(b"s" * 32)
    assert "Ed25519PrivateKey" not in repr(key)
    assert (b"s" * 32).hex() not in repr(key)


def test_reason() -> None:
    with pytest.raises(Refused) as caught:
        check_public(b"")
    assert caught.value.reason is Reason.MALFORMED
