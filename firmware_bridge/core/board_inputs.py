"""A board's numbered input events: which were kept, which to ask for, which are gone.

Invariant: `after` never passes an event that the agent has not settled, unless the board itself
has forgotten it; what it forgot before anybody took it is counted as lost. The numbers belong to a
boot of the board and begin anew with it. Used by `board_session`.
"""

from typing import Final

from firmware_bridge.core.smp_message import EVENTS_MAX, InputsReadResponse
from protocol.device import Detail, Event
from protocol.refusal import Reason, Refused

_UNSETTLED_MAX: Final = 4 * EVENTS_MAX  # a board that skips numbers holds no more of our memory


class BoardInputs:
    """One board. Numbers not above `after` are settled."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.after = 0
        self.lost = 0
        self.boot: int | None = None
        self._taken: set[int] = set()  # on the way to the agent
        self._settled: set[int] = set()  # above `after`: kept out of turn
        self._is_first = True  # what was before us, an earlier run of the bridge has seen

    def is_new_boot(self, reply: InputsReadResponse) -> bool:
        """The board was started anew since the last answer; its numbers begin again."""
        if reply.boot == self.boot:
            return False
        self._is_first = self.boot is None
        self.boot, self.after = reply.boot, 0
        self._taken.clear()
        self._settled.clear()
        return True

    def events(self, reply: InputsReadResponse, asked_after: int) -> list[Event]:
        """The reply's events, SOS before all; raises Refused where the numbers cannot be."""
        numbers = [number for number, *_ in reply.events]
        if numbers != sorted(set(numbers)) or (numbers and numbers[0] <= asked_after):
            raise Refused(Reason.MALFORMED, f"events numbered {numbers!r:.60} above {asked_after}")
        if numbers:
            self._forget_before(numbers[0])
        self._is_first = False
        made = [
            self._event(reply.boot, *event)
            for event in reply.events
            if event[0] > self.after and event[0] not in self._settled
        ]
        return sorted(made, key=lambda event: event.name != "sos")

    def taken(self, event: Event) -> None:
        """It is on its way: the board may forget it now."""
        if event.boot == self.boot and len(self._taken) < _UNSETTLED_MAX:
            self._taken.add(event.event)

    def settled(self, event: Event) -> None:
        """The agent has kept or refused it."""
        if event.boot != self.boot:
            return
        self._taken.discard(event.event)
        if event.event > self.after and len(self._settled) < _UNSETTLED_MAX:
            self._settled.add(event.event)
        self._advance()

    def _forget_before(self, oldest: int) -> None:
        """The board no longer holds what is below `oldest`."""
        gone = range(self.after + 1, oldest)
        known = sum(number in gone for number in self._taken | self._settled)
        if not self._is_first:
            self.lost += max(0, len(gone) - known)
        self.after = max(self.after, oldest - 1)
        self._settled = {number for number in self._settled if number > self.after}
        self._advance()

    def _advance(self) -> None:
        while self.after + 1 in self._settled:
            self.after += 1
            self._settled.discard(self.after)

    def _event(self, boot: int, number: int, name: str, level: int | bool, age_ms: int) -> Event:
        is_on = bool(level)
        detail: Detail
        match name:
            case "ignition":
                kind, detail = "ignition", {"on": is_on}
            case "sos" if is_on:  # letting the button go calls nobody
                kind, detail = "sos", {"source": "button"}
            case _:
                kind, detail = "input", {"input": name, "on": is_on}
        return Event.model_validate(
            {
                "device": self._name,
                "device_kind": "board",
                "boot": boot,
                "event": number,
                "name": kind,
                "device_time_ms": None,  # the board has no clock, only ages
                "detail": {**detail, "ms_ago": age_ms},
            }
        )
