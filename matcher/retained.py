"""Which topics hold a message of ours, so that who moves elsewhere is cleared there first.

Called by publisher.py. Clearing a topic names its unit once more to whoever listens, so only what
was shown there is cleared: by this process here, of an earlier one by what the broker gives back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Publish(Protocol):
    def __call__(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        expiry_s: int | None = None,
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """One message on a state topic."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    expiry_s: int | None


class Retained:
    """`subject` is a unit's or incident's own key."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._held: dict[str, frozenset[str]] = {}
        self._uncleared: dict[str, str] = {}  # topic -> subject, as the link took no more

    def show(self, subject: str, messages: Sequence[Shown]) -> None:
        """First clear where the subject is shown no more, then say `messages`."""
        now = frozenset(one.topic for one in messages if one.retained)
        for topic in sorted(self._held.get(subject, frozenset()) - now):
            self._clear(topic, subject)
        self._held[subject] = now
        for one in messages:
            self._publish(
                one.topic, one.payload, qos=one.qos, retain=one.retained, expiry_s=one.expiry_s
            )

    def clear_again(self) -> None:
        """What the link did not take; called ten times a second."""
        for topic, subject in tuple(self._uncleared.items()):
            del self._uncleared[topic]
            if topic not in self._held[subject]:
                self._clear(topic, subject)

    def _clear(self, topic: str, subject: str) -> None:
        if not self._publish(topic, b"", qos=1, retain=True):
            self._uncleared[topic] = subject
