"""The hub between the devices' sessions and the agent: pure, told what came and what time it is.

A device's event goes to the relay; the agent's `kept` or `refused` goes back to the session whose
event it was; commands go to the session they name, results to the agent. What the bridge itself
notices (present, absent, image_state) becomes an event of the device `bridge`.
Called by `app`'s tasks.
"""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from firmware_bridge.core.relay import Offer, Relay
from firmware_bridge.core.session import Notice, Output, Session
from protocol import device
from protocol.device import CommandResult, Event, Kept, Refusal
from protocol.refusal import Refused

OWN_NAME: Final = "bridge"
RESULTS_MAX: Final = 64
NOTICES_MAX: Final = 64
_TOO_LARGE: Final = "the event does not fit a line of 16 KiB"


class Bridge:
    """All devices and the agent. `boot` tells this run of the bridge from every other."""

    def __init__(self, boot: int, sessions: Sequence[Session]) -> None:
        self.relay, self.counts = Relay(), Counter[str]()
        self._boot, self._number = boot, 0
        self._sessions = {session.name: session for session in sessions}
        self._results: deque[CommandResult] = deque(maxlen=RESULTS_MAX)
        self._notices: deque[Notice] = deque(maxlen=NOTICES_MAX)
        self._is_connected = self._is_announced = False

    @property
    def is_connected(self) -> bool:
        """Whether the agent is there."""
        return self._is_connected

    @property
    def has_results(self) -> bool:
        """Whether a command's result waits to be told."""
        return bool(self._results)

    def collect(self, session: Session, now_ms: int) -> list[Event]:
        """Takes what a session has to say; returns the events that are new."""
        new = []
        for output in session.outputs():
            event = self._collect_one(session, output, now_ms)
            if event is not None:
                new.append(event)
        return new + self._number_notices(now_ms)

    def agent_opened(self, now_ms: int) -> None:
        self._is_connected, self._is_announced = True, False
        self.relay.connected(now_ms)

    def agent_lost(self) -> None:
        """A result that nobody waits for any more is dropped; events are not."""
        self._is_connected = False
        self._results.clear()
        self.relay.disconnected()

    def agent_line(self, line: bytes, now_ms: int) -> str | None:
        """One line of the agent; returns the name of the device that has something to write."""
        try:
            message = device.decode(line, device.TO_CLIENT)
        except Refused as refused:
            self.counts[f"agent_line_{refused.reason}"] += 1
            return None
        match message:
            case Kept():
                return self._settled(message.device, message.boot, message.event, None, now_ms)
            case Refusal(device=str(name), boot=int(boot), event=int(event)):
                self.counts["event_refused"] += 1
                return self._settled(name, boot, event, message, now_ms)
            case device.Command() if message.device in self._sessions:
                self._sessions[message.device].command(message, now_ms)
                return message.device
            case _:
                self.counts[f"agent_{message.type}_not_for_us"] += 1
                return None

    def to_agent(self, now_ms: int) -> list[bytes]:
        """Lines without newline, to be sent now."""
        if not self._is_connected:
            return []
        self._number_notices(now_ms)
        results = [device.encode(result).rstrip(b"\n") for result in self._results]
        self._results.clear()
        return self._announcement() + self.relay.due(now_ms) + results

    def _announcement(self) -> list[bytes]:
        """Once a connection: to which devices commands can be sent through here."""
        if self._is_announced:
            return []
        self._is_announced = True
        return [device.encode(device.Serves(devices=tuple(self._sessions))).rstrip(b"\n")]

    def wake_ms(self) -> int:
        """When `to_agent` has something, if nothing comes before."""
        return self.relay.wake_ms()

    def _collect_one(self, session: Session, output: Output, now_ms: int) -> Event | None:
        match output:
            case Notice():
                self._notices.append(output)
            case CommandResult():
                self._results.append(output)
            case Event():
                return self._offer(session, output, now_ms)
        return None

    def _offer(self, session: Session, event: Event, now_ms: int) -> Event | None:
        match self.relay.offer(event, now_ms):
            case Offer.TAKEN:
                session.taken(event)
                return event
            case Offer.WAITING:
                session.taken(event)
            case Offer.LATER:
                session.counts["event_put_off"] += 1
            case Offer.TOO_LARGE:
                session.counts["event_too_large"] += 1
                refusal = Refusal(
                    device=event.device, boot=event.boot, event=event.event,
                    reason=_TOO_LARGE, remedy="shorten its details",
                )  # fmt: skip
                session.settled(event, refusal, now_ms)
        return None

    def _number_notices(self, now_ms: int) -> list[Event]:
        """Numbers what waits, as far as the relay has room; beyond that the oldest are dropped."""
        new = []
        while self._notices:
            notice = self._notices[0]
            event = Event(
                device=OWN_NAME, device_kind=notice.device_kind, boot=self._boot,
                event=self._number + 1, name=notice.name, detail=notice.detail,
            )  # fmt: skip
            if self.relay.offer(event, now_ms) is Offer.LATER:
                break
            self._number += 1
            self._notices.popleft()
            new.append(event)
        return new

    def _settled(
        self, name: str, boot: int, event: int, refusal: Refusal | None, now_ms: int
    ) -> str | None:
        settled = self.relay.settle(name, boot, event)
        session = self._sessions.get(name)
        if settled is None or session is None:
            return None
        session.settled(settled, refusal, now_ms)
        return name
