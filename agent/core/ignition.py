"""Whether the ignition is on, as a board's events say; pure.

Unknown until a board has spoken, and again once it is gone. A device repeats an event until it is
kept, so an older one never overrides a newer. Fed by the device socket, asked with each fix.
"""

from protocol.device import Event


class Ignition:
    """One vehicle's; the board that spoke last is believed."""

    def __init__(self) -> None:
        self.is_on: bool | None = None
        self._device: str | None = None
        self._newest = (-1, 0)  # boot, event

    def heard(self, event: Event) -> None:
        """Any device's event; only a board's `ignition` and its vanishing count."""
        if event.device_kind != "board":
            return
        if event.name == "absent" and event.device == self._device:
            self.is_on = None
        elif event.name == "ignition":
            self._switched(event)

    def _switched(self, event: Event) -> None:
        number, is_on = (event.boot, event.event), event.detail.get("on")
        if event.device == self._device and number < self._newest:
            return
        if isinstance(is_on, bool):
            self._device, self._newest, self.is_on = event.device, number, is_on
