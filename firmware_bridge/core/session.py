"""What every device's session offers to the hub and to its port's task: bytes in, bytes out.

Sans I/O: a session is told what came and what time it is, and is asked what to write. It holds
nothing that the device could not say again. Implemented by `board_session`, `recorder_session`;
called by `bridge` (events, answers, commands) and `port_task` (bytes, time).
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from protocol.device import Command, CommandResult, Detail, Event, Refusal

NEVER_MS: Final = 1 << 62

DeviceKind = Literal["board", "recorder"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What the bridge itself says of a device; the hub gives it a number and sends it as event."""

    name: Literal["present", "absent", "image_state"]
    device: str
    device_kind: DeviceKind
    detail: Detail = field(default_factory=dict)


Output = Event | CommandResult | Notice


class Session(Protocol):
    """One device on one port. Times are milliseconds of a clock that never goes back."""

    name: str
    counts: Counter[str]  # what was refused, by reason

    def opened(self, now_ms: int) -> None:
        """The port is open."""
        ...

    def lost(self, reason: str, now_ms: int) -> None:
        """The port is gone, or cannot be opened."""
        ...

    def received(self, chunk: bytes, now_ms: int) -> None:
        """Bytes came, whatever they are."""
        ...

    def to_write(self, now_ms: int) -> bytes:
        """What must be written now; also lets deadlines pass. Empty where there is nothing."""
        ...

    def wake_ms(self) -> int:
        """When `to_write` wants to be asked again, if nothing comes before."""
        ...

    def outputs(self) -> list[Output]:
        """What it has to say since it was asked last."""
        ...

    def taken(self, event: Event) -> None:
        """The event is on its way to the agent."""
        ...

    def settled(self, event: Event, refusal: Refusal | None, now_ms: int) -> None:
        """The agent has kept the event, or refused it for good."""
        ...

    def command(self, command: Command, now_ms: int) -> None:
        """The agent wants something done; the result is an output."""
        ...
