"""Ed25519 keys for sealing: loading with the checks that libraries leave out, and key ids.

A public key that is of small order or not canonically encoded verifies messages nobody signed
(RFC 8032 section 5.1.3; "Taming the many EdDSAs", section 3), so it is refused when loaded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from protocol.refusal import Reason, Refused

PUBLIC_KEY_BYTES = 32
KID_BYTES = 8
SIGNATURE_BYTES = 64

_P: Final = 2**255 - 19
# y coordinates of the eight points of small order (RFC 7748 section 6 lists their twins)
_Y8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y: Final = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


def kid_of(public: bytes) -> bytes:
    """Key id: the first 8 bytes of SHA-256 of the raw public key."""
    return hashlib.sha256(public).digest()[:KID_BYTES]


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A checked public key and its id."""

    public: bytes
    kid: bytes = field(init=False)
    _key: Ed25519PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_public(self.public)
        object.__setattr__(self, "kid", kid_of(self.public))
        object.__setattr__(self, "_key", Ed25519PublicKey.from_public_bytes(self.public))

    def verifies(self, signature: bytes, message: bytes) -> bool:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SealKey:
    """A private key that seals; never printed."""

    _key: Ed25519PrivateKey = field(repr=False)
    public: bytes = field(init=False)
    kid: bytes = field(init=False)

    def __post_init__(self) -> None:
        public = self._key.public_key().public_bytes_raw()
        object.__setattr__(self, "public", public)
        object.__setattr__(self, "kid", kid_of(public))

    @classmethod
    def from_seed(cls, seed: bytes) -> SealKey:
        """From the 32 bytes of RFC 8032's private key; for test vectors and simulation."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    @property
    def verify_key(self) -> VerifyKey:
        return VerifyKey(self.public)


def check_public(public: bytes) -> None:
    """Raises Refused(malformed) for keys of wrong length, non-canonical or of small order."""
    if len(public) != PUBLIC_KEY_BYTES:
        raise Refused(Reason.MALFORMED, f"public key of {len(public)} bytes, wanted 32")
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    if y >= _P:
        raise Refused(Reason.MALFORMED, "public key is not canonically encoded")
    if y in _SMALL_ORDER_Y:
        raise Refused(Reason.MALFORMED, "public key is of small order")
