"""Which message goes next: four lanes, bounded; pure, no I/O.

URGENT goes before everything. LATEST holds one message per key: a newer one takes the place of
its waiting predecessor, so a position never queues behind older ones. NORMAL is first in, first
out. BULK goes when nothing else can. Within a lane the order is kept. LATEST goes before NORMAL:
who fills the link with it starves what is NORMAL, so orders and receipts of a centre are URGENT.

A full lane refuses; nothing that was taken is dropped, but for a message whose own expiry passed
while it waited. Called by `runtime.mqtt_connection`.
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_OVERHEAD_BYTES: Final = 64  # what a waiting message costs beside its text


class Lane(IntEnum):
    """Precedence; lower goes first."""

    URGENT = 0
    LATEST = 1
    NORMAL = 2
    BULK = 3


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way out; `expires_s` on the caller's monotonic clock, None: never."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    expires_s: float | None

    @property
    def size_bytes(self) -> int:
        """What it weighs against the bound."""
        return len(self.topic) + len(self.payload) + _OVERHEAD_BYTES


class SendQueue:
    """At most `messages_max` and `bytes_max` waiting; URGENT has the same room for itself.

    What leaves it unsent is counted in `dropped`: `replaced by a newer one`, `expired`.
    """

    def __init__(self, messages_max: int, bytes_max: int, dropped: Counter[str]) -> None:
        self._messages_max, self._bytes_max, self._dropped = messages_max, bytes_max, dropped
        self._fifo: dict[Lane, deque[Outgoing]] = {
            Lane.URGENT: deque(),
            Lane.NORMAL: deque(),
            Lane.BULK: deque(),
        }
        self._latest: OrderedDict[str, Outgoing] = OrderedDict()
        self._count, self._urgent_bytes, self._other_bytes = 0, 0, 0

    def __len__(self) -> int:
        return self._count

    @property
    def bytes_waiting(self) -> int:
        """Weight of all that waits."""
        return self._urgent_bytes + self._other_bytes

    @property
    def has_urgent(self) -> bool:
        return bool(self._fifo[Lane.URGENT])

    def put(self, message: Outgoing, lane: Lane, key: str = "") -> bool:
        """False when the lane is full. `key` names the slot in LATEST."""
        if lane is Lane.LATEST:
            return self._put_latest(message, key)
        waiting = self._fifo[lane]
        if not self._has_room(message, lane):
            return False
        waiting.append(message)
        self._weigh(message, lane, 1)
        return True

    def pop(
        self,
        now_s: float,
        *,
        qos1: bool = True,
        urgent_qos1: bool = True,
        urgent_only: bool = False,
    ) -> Outgoing | None:
        """The next that may go. `qos1`, `urgent_qos1`: whether such a message may go now."""
        for lane in (Lane.URGENT,) if urgent_only else Lane:
            if lane is Lane.LATEST:
                message = self._pop_latest(now_s, qos1)
            else:
                message = self._pop_fifo(lane, now_s, urgent_qos1 if lane is Lane.URGENT else qos1)
            if message is not None:
                return message
        return None

    def _put_latest(self, message: Outgoing, key: str) -> bool:
        old = self._latest.get(key)
        if old is None and not self._has_room(message, Lane.LATEST):
            return False
        if old is not None:
            self._weigh(old, Lane.LATEST, -1)
            self._dropped["replaced by a newer one"] += 1
        self._latest[key] = message
        self._weigh(message, Lane.LATEST, 1)
        return True

    def _has_room(self, message: Outgoing, lane: Lane) -> bool:
        urgent = len(self._fifo[Lane.URGENT])
        if lane is Lane.URGENT:
            held, held_bytes = urgent, self._urgent_bytes
        else:
            held, held_bytes = self._count - urgent, self._other_bytes
        return held < self._messages_max and held_bytes + message.size_bytes <= self._bytes_max

    def _weigh(self, message: Outgoing, lane: Lane, sign: int) -> None:
        self._count += sign
        if lane is Lane.URGENT:
            self._urgent_bytes += sign * message.size_bytes
        else:
            self._other_bytes += sign * message.size_bytes

    def _pop_fifo(self, lane: Lane, now_s: float, qos1: bool) -> Outgoing | None:
        waiting = self._fifo[lane]
        while waiting and (qos1 or waiting[0].qos == 0):
            message = waiting.popleft()
            self._weigh(message, lane, -1)
            if self._is_fresh(message, now_s):
                return message
        return None

    def _pop_latest(self, now_s: float, qos1: bool) -> Outgoing | None:
        while self._latest:
            key, message = self._latest.popitem(last=False)
            if message.qos and not qos1:
                self._latest[key] = message
                self._latest.move_to_end(key, last=False)
                return None
            self._weigh(message, Lane.LATEST, -1)
            if self._is_fresh(message, now_s):
                return message
        return None

    def _is_fresh(self, message: Outgoing, now_s: float) -> bool:
        if message.expires_s is None or message.expires_s > now_s:
            return True
        self._dropped["expired"] += 1
        return False
