"""Whether the vehicle is being driven, so that its screen shows less; pure.

Above 8 km/h it is; it ends after 3 s of standing. The board's speed counts while it is fresh, else
the fix's. Without any speed nothing changes for five minutes: a tunnel is no halt. A passenger may
unlock the screen where the crew is two; that ends with the drive. Called by the screen.
"""

from typing import Final

from protocol import device

ON_MPS: Final = 8 / 3.6
STANDING_MPS: Final = 0.8  # a receiver at rest says 0 to 0.5
STANDING_MS: Final = 3000
BOARD_FRESH_MS: Final = 5000
UNKNOWN_MS: Final = 300_000
UNLOCK_MS: Final = 600_000
CREW_MIN: Final = 2  # a passenger to look at it


class Driving:
    """Fed with speeds; `is_on` at any time."""

    def __init__(self) -> None:
        self._is_on = False
        self._heard_ms = 0
        self._standing_ms: int | None = None
        self._board_ms = -BOARD_FRESH_MS - 1
        self._unlocked: tuple[int, int | None] | None = None  # until, by which log-on

    def board(self, speed_mps: float, uptime_ms: int) -> None:
        """The board's own speed."""
        self._board_ms = uptime_ms
        self._feed(speed_mps, uptime_ms)

    def fix(self, speed_mps: float | None, uptime_ms: int) -> None:
        """A fix's speed; None where the receiver gave none."""
        if speed_mps is not None and uptime_ms - self._board_ms > BOARD_FRESH_MS:
            self._feed(speed_mps, uptime_ms)

    def is_on(self, uptime_ms: int) -> bool:
        if self._is_on and uptime_ms - self._heard_ms > UNKNOWN_MS:
            self._end()
        return self._is_on

    def unlock(self, officers: int, logon: int | None, uptime_ms: int) -> bool:
        """A passenger's touch; False where there is none aboard or nothing to unlock."""
        if officers < CREW_MIN or not self.is_on(uptime_ms):
            return False
        self._unlocked = (uptime_ms + UNLOCK_MS, logon)
        return True

    def is_locked(self, logon: int | None, uptime_ms: int) -> bool:
        """Whether the screen must show the little that a driver may see."""
        if not self.is_on(uptime_ms):
            return False
        if self._unlocked is None:
            return True
        until_ms, by = self._unlocked
        return uptime_ms >= until_ms or by != logon

    def _feed(self, speed_mps: float, uptime_ms: int) -> None:
        self._heard_ms = uptime_ms
        if speed_mps > ON_MPS:
            self._is_on, self._standing_ms = True, None
        elif speed_mps > STANDING_MPS:
            self._standing_ms = None
        elif self._standing_ms is None:
            self._standing_ms = uptime_ms
        elif uptime_ms - self._standing_ms >= STANDING_MS:
            self._end()

    def _end(self) -> None:
        self._is_on, self._unlocked = False, None


def board_speed_mps(event: device.Event) -> float | None:
    """The speed in a board's event `input`, `{"input": "speed", "kmh": 12}`."""
    kmh = event.detail.get("kmh")
    is_speed = event.name == "input" and event.detail.get("input") == "speed"
    return kmh / 3.6 if is_speed and isinstance(kmh, int) and 0 <= kmh <= 400 else None
