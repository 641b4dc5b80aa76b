"""Numbered messages on their way: sealed, published, repeated byte for byte until delivered.

What is open is in the board; this is only the clockwork around it, rebuilt from the board at start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from matcher.core import events as ev
from matcher.core.board import Board
from matcher.registry import Registry
from protocol import envelope
from protocol.envelope import Kind, Signer
from protocol.repeats import DISPATCH
from runtime.clock import Clock


class Publish(Protocol):
    """The link as it is needed here; False where the message found no room."""

    def __call__(self, topic: str, payload: bytes, *, urgent: bool = False) -> bool: ...


@dataclass(slots=True)
class _Open:
    topic: str
    sealed: bytes
    attempt: int
    due_ms: int


class Outbox:
    """Open messages of all terminals by (enrolment, term, counter)."""

    def __init__(self, key: Signer, publish: Publish, clock: Clock) -> None:
        self._key, self._publish, self._clock = key, publish, clock
        self._open: dict[tuple[bytes, int, int], _Open] = {}
        self._wake = asyncio.Event()

    def load(self, board: Board, registry: Registry) -> None:
        """Take over what is open; for start-up."""
        for enrolment, waiting in board.outbound.items():
            for message in waiting:
                self._add(registry, enrolment, message.term, message.counter, message.message)

    def on_events(self, events: Sequence[ev.Event], registry: Registry) -> None:
        for event in events:
            if isinstance(event, ev.MessageQueued):
                key = (event.enrolment, event.term, event.counter)
                self._add(registry, *key, event.message)
                self._send(self._open.get(key))
            elif isinstance(event, ev.MessageDelivered | ev.MessageExpired):
                self._open.pop((event.enrolment, event.term, event.counter), None)
            elif isinstance(event, ev.TermBegan):
                self._open.clear()
        self._wake.set()

    def repeat_for(self, enrolment: bytes) -> None:
        """After a birth: everything open for this terminal, at once and in order."""
        for key in sorted(k for k in self._open if k[0] == enrolment):
            self._send(self._open[key])

    def repeat_all(self) -> None:
        """After a connection of our own."""
        for key in sorted(self._open):
            self._open[key].attempt = 0
            self._send(self._open[key])
        self._wake.set()

    async def run(self) -> None:
        """Repeat what is due, for ever."""
        while True:
            now_ms = self._clock.monotonic_ms()
            for message in [m for m in self._open.values() if m.due_ms <= now_ms]:
                self._send(message)
            next_ms = min((m.due_ms for m in self._open.values()), default=now_ms + 60_000)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.001, (next_ms - now_ms) / 1000)):
                    await self._wake.wait()

    def _add(
        self, registry: Registry, enrolment: bytes, term: int, counter: int, message: bytes
    ) -> None:
        peer = registry.by_enrolment.get(enrolment)
        if peer is not None:
            topic = peer.topic_order
            sealed = envelope.seal(Kind.DISPATCH, topic, enrolment, message, self._key)
            due_ms = self._clock.monotonic_ms()
            self._open[enrolment, term, counter] = _Open(topic, sealed, 0, due_ms)

    def _send(self, message: _Open | None) -> None:
        if message is None:
            return
        self._publish(message.topic, message.sealed, urgent=True)
        message.due_ms = self._clock.monotonic_ms() + DISPATCH.delay_ms(message.attempt, 1.0)
        message.attempt += 1
