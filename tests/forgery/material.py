"""The real messages that the crafted ones are made of, and the centre that has to refuse them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from protocol import envelope
from protocol import request as rq
from protocol.envelope import Kind
from runtime.clock import ManualClock
from tests.forgery.in_hand import CentreInHand
from tests.forgery.recording import CLERK, UNITS, Recording
from tests.rim.world import DESK

LANES = ("position", "logbook", "link")
OF_EACH = {"position": 10, "logbook": 8, "link": 3}
FEW_BYTES = 700

Message = tuple[str, bytes]


def real(recording: Recording) -> list[Message]:
    """Real messages to the centre: of each terminal and lane, and the desks' requests."""
    found = [
        (topic, payload)
        for unit in UNITS
        for lane in LANES
        for topic in [recording.terminal(unit, lane)]
        for payload in recording.of(topic, FEW_BYTES)[: OF_EACH[lane]]
    ]
    for manager in (DESK, CLERK):
        for verb in rq.VERBS:
            topic = recording.request(manager, verb)
            found += [(topic, payload) for payload in recording.of(topic)[:5]]
    return found


def to_terminals(recording: Recording) -> list[Message]:
    return [
        (topic, payload)
        for unit in UNITS
        for topic in [recording.terminal(unit, "order")]
        for payload in _one_of_each_kind(recording.of(topic))
    ]


def _one_of_each_kind(messages: list[bytes]) -> list[bytes]:
    by_kind: dict[Kind, list[bytes]] = {}
    for one in messages:
        by_kind.setdefault(envelope.peek(one)[0], []).append(one)
    return [one for found in by_kind.values() for one in found[:3]]


def centre_refuses(
    recording: Recording, folder: Path, clock: ManualClock, crafted: Iterable[Message]
) -> Counter[str]:
    """Feed `crafted` to the centre: each is counted once, and nothing else happens."""

    async def feed() -> Counter[str]:
        centre = await CentreInHand(recording.world.matcher_config, folder, clock).take_over()
        before, quick = centre.marks(), centre.quick_marks()
        for said, (topic, payload) in enumerate(crafted, 1):
            await centre.hear(topic, payload)
            refused = centre.refused
            assert refused.total() == said, (topic, payload.hex())
            assert centre.quick_marks() == quick, (topic, payload.hex())
        assert refused["handler_fault"] == 0
        assert centre.marks() == before
        centre.close()
        return refused

    return asyncio.run(feed())
