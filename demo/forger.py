"""The broker's own administrator forges an order's cancel: the right topic, the right form, but
sealed with a key that the centre never had. Used by demo/acts_faults.py.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt import publish

from protocol import dispatch, envelope, topics
from protocol.dispatch import Cancel, Numbered
from protocol.envelope import Kind
from protocol.identities import decode_identities
from protocol.keys import SealKey

TERM, COUNTER = 1, 4_000_000  # a number that no terminal has seen


def enrolment_of(identities: Path, device: str) -> bytes:
    """From the identities document, which is no secret."""
    payload: list[bytes] = []

    def keep(_kind: Kind, _kid: bytes) -> None:
        return None

    del keep
    _, _, payload_bytes = _payload(identities.read_bytes(), payload)
    found = decode_identities(payload_bytes)
    return next(one.enrolment for one in found.identities if one.name == device)


def _payload(message: bytes, payload: list[bytes]) -> tuple[None, None, bytes]:
    raise NotImplementedError
