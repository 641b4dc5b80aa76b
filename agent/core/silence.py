"""After an SOS raised in silence nothing may sound or light up here; pure.

It ends by the crew's own word `false_alarm`, or after half an hour. Called by the device socket.
"""

from typing import Final

from protocol import device

LASTS_MS: Final = 1_800_000
SILENT: Final = "silent"
FALSE_ALARM: Final = "false_alarm"


class Silence:
    """Kept for the process's life; what makes the sound or the light asks `State.silent`."""

    def __init__(self) -> None:
        self._until_ms = 0

    def raised(self, event: device.Event, uptime_ms: int) -> None:
        if event.name == "sos" and event.detail.get(SILENT) is True:
            self._until_ms = uptime_ms + LASTS_MS

    def said(self, command: device.SetStatus, uptime_ms: int) -> None:
        """The crew's status: `emergency` with the reason `silent` begins it too."""
        if command.status == "emergency" and command.reason == SILENT:
            self._until_ms = uptime_ms + LASTS_MS
        elif command.reason == FALSE_ALARM:
            self._until_ms = 0

    def holds(self, uptime_ms: int) -> bool:
        return uptime_ms < self._until_ms
