"""What a recording belongs to: the officer, the incidents, how wrong the recorder's clock is; pure.

A file is closed long after its recording began, and maybe after a restart: so what held at its
beginning is kept in a row of the store, with the event that says so. A clock's offset is the
greatest that was heard since the recording began, in events and in answers to commands: whatever
delays one makes the clock seem slower, never faster. Called by `agent/recorders.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from agent.core import orders
from agent.core.now import Now
from agent.core.terminal import State
from protocol import cbor, device
from protocol.fields import U32, flag, many, maybe, pair, plain, record, text, uint

ROW: Final = "recordings"  # in the store
DEVICES_MAX: Final = 16
INCIDENTS_MAX: Final = 8
DETAILS_MAX: Final = 16
TEXT_MAX: Final = 256
OWN: Final = ("officer", "incident", "clock_offset_ms")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorder's newest recording, in the recorder's boot `boot`."""

    boot: int
    newest: int  # event of that boot
    is_on: bool
    officer: str | None
    incidents: tuple[str, ...]


_decode = many(
    pair(
        text(31), record(Recorded, uint(U32), uint(U32), flag, maybe(text(16)), many(text(31), 8))
    ),
    DEVICES_MAX,
)


def encode(recordings: Mapping[str, Recorded]) -> bytes:
    return cbor.encode(plain(tuple(recordings.items())))


def decode(data: bytes) -> dict[str, Recorded]:
    """Raises Refused."""
    return dict(_decode(cbor.decode(data), "recordings"))


class Recordings:
    """Every recorder's; bounded."""

    def __init__(self, kept: Mapping[str, Recorded]) -> None:
        self._of = dict(kept)
        self._offsets: dict[str, tuple[int, int]] = {}  # boot, ms

    def seen(self, state: State) -> None:
        """Each recording that runs is of the incident in hand, too."""
        incident = _incident(state)
        for name, one in self._of.items():
            if one.is_on and incident is not None and incident not in one.incidents:
                self._of[name] = replace(one, incidents=(*one.incidents, incident)[-INCIDENTS_MAX:])

    def answered(self, name: str, device_time_ms: object, now: Now) -> None:
        """A recorder's clock, told with the answer to a command."""
        if type(device_time_ms) is int and now.trusted and name in self._offsets:
            boot, offset_ms = self._offsets[name]
            self._offsets[name] = boot, max(offset_ms, device_time_ms - now.utc_ms)

    def heard(
        self, event: device.Event, state: State, officers: Mapping[str, str | None], now: Now
    ) -> device.Event:
        """The event as it is kept: a file's names what it belongs to."""
        if event.device_kind != "recorder":
            return event
        one, incident = self._of.get(event.device), _incident(state)
        is_newest = one is None or (event.boot, event.event) > (one.boot, one.newest)
        if is_newest and event.name == "recording_on":
            self._offsets.pop(event.device, None)
        self._measure(event, now)
        if one is None or is_newest:
            is_new = one is None or one.boot != event.boot or event.name == "recording_on"
            if one is None or is_new:
                here = () if incident is None else (incident,)
                one = Recorded(event.boot, 0, False, officers.get(event.device), here)
            is_on = event.name == "recording_on" or (one.is_on and event.name != "recording_off")
            one = replace(one, newest=event.event, is_on=is_on)
            self._keep(event.device, one)
        return self._named(event, one) if event.name == "file_closed" else event

    def _keep(self, name: str, one: Recorded) -> None:
        self._of.pop(name, None)
        self._of[name] = one
        while len(self._of) > DEVICES_MAX:
            del self._of[next(iter(self._of))]

    def row(self) -> dict[str, object]:
        """For the store, with the event."""
        return {ROW: encode(self._of)}

    def _measure(self, event: device.Event, now: Now) -> None:
        boot, offset_ms = self._offsets.get(event.device, (event.boot, None))
        if event.device_time_ms is None or not now.trusted:
            return
        found_ms = event.device_time_ms - now.utc_ms
        if boot != event.boot or offset_ms is None or found_ms > offset_ms:
            self._offsets.pop(event.device, None)
            self._offsets[event.device] = event.boot, found_ms
        while len(self._offsets) > DEVICES_MAX:
            del self._offsets[next(iter(self._offsets))]

    def _named(self, event: device.Event, one: Recorded) -> device.Event:
        boot, offset_ms = self._offsets.get(event.device, (event.boot, None))
        incidents = ",".join(one.incidents)
        own: device.Detail = {
            "officer": one.officer,
            "incident": incidents[:TEXT_MAX] or None,
            "clock_offset_ms": offset_ms if boot == event.boot else None,
        }
        said = [(key, value) for key, value in event.detail.items() if key not in OWN]
        detail = dict(said[: DETAILS_MAX - len(OWN)]) | own
        return event.model_copy(update={"detail": detail})


def _incident(state: State) -> str | None:
    order = orders.in_hand(state.desk)
    return None if order is None else state.desk.cards[order].order.incident
