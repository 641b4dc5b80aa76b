"""The fix: what a receiver said about one navigation epoch, before anybody judges it.

Absence is None, never 0: a receiver that gives no speed is not standing still. Made by
`epoch.EpochAssembler`, judged by `integrity.check`, read by everything that reports positions.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

DAY_MS: Final = 86_400_000


class FixKind(Enum):
    """Dimension of the solution; NONE carries no position."""

    NONE = "none"
    FIX_2D = "2d"
    FIX_3D = "3d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One navigation epoch. Position and motion are None whenever `kind` is NONE."""

    epoch_ms: int | None  # UTC ms since 1970 of the epoch; None: no date known
    time_of_day_ms: int | None  # UTC ms since midnight; None: the receiver gave no time
    lat_deg: float | None  # WGS 84, north positive
    lon_deg: float | None  # WGS 84, east positive
    alt_m: float | None  # above mean sea level
    sog_mps: float | None
    cog_deg: float | None  # true, 0 <= x < 360
    kind: FixKind
    satellites: int | None  # used in the solution
    hdop: float | None
    flags: tuple[str, ...] = ()  # sorted
    raw_epoch_ms: int | None = None  # as the receiver dated it; set where a rollover was repaired
    snr_dbhz: tuple[float, ...] | None = None  # of the satellites tracked; None: not said anew
