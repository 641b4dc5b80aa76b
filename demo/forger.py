"""The broker's own administrator forges the cancel of an order: right topic, right form, a number
that is new; only the seal is of a key that the centre never had.

It goes through the administrator's door (demo/story_world.py). Used by demo/acts_faults.py.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt import MQTTException, publish

from demo.processes import Gone
from protocol import dispatch, envelope, topics
from protocol.dispatch import Cancel, Numbered
from protocol.envelope import Kind
from protocol.keys import SealKey
from runtime.key_files import enrolment_of, load_certificate

TERM: Final = 1
COUNTER: Final = 4_000_000
LIFE_MS: Final = 600_000
HOST: Final = "127.0.0.1"


async def forge_cancel(
    order: dict[str, Any], fleet: str, device: str, certificate: Path, port: int, now_ms: int
) -> None:
    """Publish it; `certificate` is the terminal's, as it shows it to the broker. Raises Gone."""
    body = Cancel(
        order["order"], order["incident"], None, "stand_down", "demo dispatcher", now_ms,
        now_ms + LIFE_MS,
    )  # fmt: skip
    topic = topics.terminal(fleet, device, "order")
    enrolment = enrolment_of(load_certificate(certificate))
    payload = dispatch.encode(Numbered(TERM, COUNTER, body))
    stranger = SealKey(Ed25519PrivateKey.generate())
    forged = envelope.seal(Kind.DISPATCH, topic, enrolment, payload, stranger)
    try:
        await asyncio.to_thread(publish.single, topic, forged, 1, hostname=HOST, port=port)
    except (OSError, MQTTException) as cause:
        raise Gone(f"broker's second listener, port {port}: {cause}; see its log") from cause
