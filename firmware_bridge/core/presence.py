"""Whether a device is there, told once per change and not for a moment's absence.

Invariant: `absent` is told after a whole grace without a sign, so a port that flaps tells at most
one pair per grace. Used by both sessions.
"""

from typing import Final

from firmware_bridge.core.session import NEVER_MS, DeviceKind, Notice
from protocol.device import Detail

GRACE_MS: Final = 3000


class Presence:
    """Unknown at first: a device that never answers is absent after the first grace."""

    def __init__(self, device: str, device_kind: DeviceKind, now_ms: int) -> None:
        self._device, self._device_kind = device, device_kind
        self._seen_ms = now_ms
        self.is_present: bool | None = None

    def seen(self, now_ms: int) -> list[Notice]:
        """A sign of life; `present` where it was not known to be there."""
        self._seen_ms = now_ms
        if self.is_present:
            return []
        self.is_present = True
        detail: Detail = {"device": self._device}
        return [Notice("present", self._device, self._device_kind, detail)]

    def missing(self, reason: str, now_ms: int) -> list[Notice]:
        """No sign of life by now; `absent` once the grace is over."""
        if self.is_present is False or now_ms - self._seen_ms < GRACE_MS:
            return []
        self.is_present = False
        detail: Detail = {"device": self._device, "reason": reason[:200]}
        return [Notice("absent", self._device, self._device_kind, detail)]

    def wake_ms(self) -> int:
        """When `missing` would tell."""
        return NEVER_MS if self.is_present is False else self._seen_ms + GRACE_MS
