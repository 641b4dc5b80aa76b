"""Device events on their way to the agent: each is repeated until the agent says `kept`.

Invariants: an event is known by (device, boot, event) and waits once, however often its device
says it; nothing is dropped for want of room, it is not taken, and the device says it again. What a
device may have waiting, and say anew per second, is bounded for itself alone; SOS has its own
room and goes first. Nothing is on disk: the device holds what is not kept. Called by `bridge`.
"""

from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from firmware_bridge.core.pace import Pace
from firmware_bridge.core.session import NEVER_MS
from protocol import device
from protocol.device import LINE_BYTES_MAX, Event
from protocol.repeats import DEVICE_EVENT

WAITING_MAX: Final = 64  # per device
SOS_WAITING_MAX: Final = 8
NEW_PER_S: Final = 5.0
NEW_BURST: Final = 64.0
UNDER_WAY_MAX: Final = 16  # per device, SOS not counted: the agent reads 200 lines a second
_GROWTH_BYTES: Final = 32  # of an age that is told anew

Key = tuple[str, int, int]


class Offer(Enum):
    """What became of an event that a device said."""

    TAKEN = auto()
    WAITING = auto()  # taken before
    LATER = auto()  # no room; the device must say it again
    TOO_LARGE = auto()  # no line to the agent can carry it


@dataclass(slots=True)
class _Waiting:
    event: Event
    taken_ms: int
    due_ms: int
    sendings: int = 0

    def line(self, now_ms: int) -> bytes:
        """The event; an age counts on until it is told."""
        age_ms = self.event.detail.get("ms_ago")
        event = self.event
        if event.device_kind == "board" and type(age_ms) is int:
            aged: device.Detail = {"ms_ago": age_ms + now_ms - self.taken_ms}
            event = _with_detail(event, aged)
        return device.encode(event).rstrip(b"\n")


@dataclass(frozen=True, slots=True)
class _Room:
    waiting_max: int
    pace: Pace


class Relay:
    """What waits for `kept`; bounded per device."""

    def __init__(self) -> None:
        self._waiting: dict[Key, _Waiting] = {}
        self._rooms: dict[tuple[str, bool], _Room] = {}
        self._is_connected = False

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, event: Event, now_ms: int) -> Offer:
        """A device says `event`, for the first time or again."""
        key = (event.device, event.boot, event.event)
        if key in self._waiting:
            return Offer.WAITING
        if len(device.encode(event)) + _GROWTH_BYTES > LINE_BYTES_MAX:
            return Offer.TOO_LARGE
        room = self._room(event)
        if self._count(event) >= room.waiting_max or not room.pace.has(now_ms):
            return Offer.LATER
        self._waiting[key] = _Waiting(event, now_ms, now_ms)
        return Offer.TAKEN

    def settle(self, device_name: str, boot: int, event: int) -> Event | None:
        """The agent has kept or refused it; None where it does not wait (any more)."""
        waiting = self._waiting.pop((device_name, boot, event), None)
        return None if waiting is None else waiting.event

    def connected(self, now_ms: int) -> None:
        """The agent is there: it has seen none of this from us on this connection."""
        self._is_connected = True
        for waiting in self._waiting.values():
            waiting.sendings, waiting.due_ms = 0, now_ms

    def disconnected(self) -> None:
        """Nothing is sent until `connected`."""
        self._is_connected = False

    def due(self, now_ms: int) -> list[bytes]:
        """The lines to send now, SOS first; each counts as sent."""
        lines = []
        for waiting in self._next():
            if waiting.due_ms <= now_ms:
                lines.append(waiting.line(now_ms))
                waiting.due_ms = now_ms + DEVICE_EVENT.delay_ms(waiting.sendings, 0)
                waiting.sendings += 1
        return lines

    def wake_ms(self) -> int:
        """When something is due."""
        return min((waiting.due_ms for waiting in self._next()), default=NEVER_MS)

    def _next(self) -> list[_Waiting]:
        """All SOS, then the oldest of each device: one that gets no answer stops no other."""
        sos, others, counts = [], [], Counter[str]()
        for waiting in self._waiting.values() if self._is_connected else ():
            if waiting.event.name == "sos":
                sos.append(waiting)
            elif counts[waiting.event.device] < UNDER_WAY_MAX:
                counts[waiting.event.device] += 1
                others.append(waiting)
        return sos + others

    def _room(self, event: Event) -> _Room:
        is_sos = event.name == "sos"
        place = (event.device, is_sos)
        if place not in self._rooms:  # devices are those of the settings: few
            most = SOS_WAITING_MAX if is_sos else WAITING_MAX
            self._rooms[place] = _Room(most, Pace(NEW_PER_S, float(min(most, NEW_BURST))))
        return self._rooms[place]

    def _count(self, event: Event) -> int:
        is_sos = event.name == "sos"
        return sum(
            key[0] == event.device and (waiting.event.name == "sos") == is_sos
            for key, waiting in self._waiting.items()
        )


def _with_detail(event: Event, changes: device.Detail) -> Event:
    """The event with some details told anew."""
    return event.model_copy(update={"detail": {**event.detail, **changes}})
