"""Commands under way to a recorder: repeated until its result, given up with a result of our own.

The recorder does a command once per id, so repeating is safe. Used by `recorder_session`.
"""

from dataclasses import dataclass
from typing import Final

from firmware_bridge.core.session import NEVER_MS
from protocol import device
from protocol.device import Command, CommandResult

WAITING_MAX: Final = 16
REPEAT_MS: Final = 1000
SENDINGS_MAX: Final = 4


@dataclass(slots=True)
class _Waiting:
    command: Command
    due_ms: int
    sendings: int = 0


class CommandDesk:
    """The commands of one recorder by their id."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: dict[int, _Waiting] = {}

    def take(self, command: Command, now_ms: int) -> CommandResult | None:
        """Sends it from now on; a result at once where too many wait."""
        if command.id not in self._waiting and len(self._waiting) >= WAITING_MAX:
            return self._failed(command, f"{WAITING_MAX} commands wait already")
        self._waiting.setdefault(command.id, _Waiting(command, now_ms))
        return None

    def answered(self, result: CommandResult) -> bool:
        """False where nobody asked, or it was answered before."""
        return self._waiting.pop(result.id, None) is not None

    def due(self, now_ms: int) -> tuple[list[bytes], list[CommandResult]]:
        """Lines to send now, and results of what is given up."""
        lines, given_up = [], []
        for waiting in list(self._waiting.values()):
            if waiting.due_ms > now_ms:
                continue
            if waiting.sendings >= SENDINGS_MAX:
                del self._waiting[waiting.command.id]
                given_up.append(self._failed(waiting.command, "no answer"))
                continue
            waiting.sendings += 1
            waiting.due_ms = now_ms + REPEAT_MS
            lines.append(device.encode(waiting.command))
        return lines, given_up

    def wake_ms(self) -> int:
        """When something is due."""
        return min((waiting.due_ms for waiting in self._waiting.values()), default=NEVER_MS)

    def _failed(self, command: Command, reason: str) -> CommandResult:
        return CommandResult(device=self._name, id=command.id, ok=False, detail={"reason": reason})
