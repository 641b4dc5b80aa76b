"""What the shipped codebook is held against: from which priority a status may be sent."""

from __future__ import annotations

from protocol.words import Status

# Least urgent priority for which a unit of this status may be sent; None: never.
DISPATCHABLE_TO_PRIORITY: dict[Status, int | None] = {
    Status.OFF_DUTY: None,
    Status.AVAILABLE: 4,
    Status.DISPATCHED: None,
    Status.EN_ROUTE: None,
    Status.STAGING: None,
    Status.ON_SCENE: None,
    Status.TRANSPORTING: None,
    Status.AT_FACILITY: 2,
    Status.BUSY: 2,
    Status.OUT_OF_SERVICE: None,
    Status.EMERGENCY: None,
}
