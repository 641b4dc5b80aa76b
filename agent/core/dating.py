"""Days for times of day: most sentences carry a time only, and GPS weeks roll over.

Called by `epoch` only.
"""

from datetime import date
from typing import Final

from agent.core.fix import DAY_MS

ROLLOVER_DAYS: Final = 7 * 1024  # the GPS week number has ten bits

NOT_BEFORE_MAX: Final = date(2150, 1, 1)

_HALF_DAY_MS: Final = DAY_MS // 2
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_DAY_MAX: Final = NOT_BEFORE_MAX.toordinal() - _EPOCH_ORDINAL  # a stream cannot count beyond it


class Calendar:
    """Dates an epoch by its own day, else by the last dated one, carried over midnight.

    A day before `not_before` is moved forward by whole 1,024 weeks to the first that is not.
    """

    def __init__(self, not_before: date | None) -> None:
        """Raises ValueError where `not_before` lies after NOT_BEFORE_MAX."""
        if not_before is not None and not_before > NOT_BEFORE_MAX:
            raise ValueError(f"{not_before} is after {NOT_BEFORE_MAX}")
        self._floor = None if not_before is None else not_before.toordinal() - _EPOCH_ORDINAL
        self._dated: tuple[int, int] | None = None

    def note(self, day: int, time_of_day_ms: int) -> None:
        """Later epochs without a day of their own follow this one."""
        self._dated = (day, time_of_day_ms)

    def date(
        self, time_ms: int | None, day: int | None, trusted: bool
    ) -> tuple[int | None, int | None]:
        """Return the epoch as the receiver dated it and as repaired, UTC ms since 1970."""
        if time_ms is None:
            return None, None
        if day is None and self._dated is not None:
            day, trusted = self._carried(*self._dated, time_ms), True
        if day is None or day > _DAY_MAX:
            return None, None
        if trusted:
            self.note(day, time_ms)
        return day * DAY_MS + time_ms, self._repaired(day) * DAY_MS + time_ms

    @staticmethod
    def _carried(day: int, dated_ms: int, time_ms: int) -> int:
        if dated_ms - time_ms > _HALF_DAY_MS:
            return day + 1
        return day - 1 if time_ms - dated_ms > _HALF_DAY_MS else day

    def _repaired(self, day: int) -> int:
        if self._floor is None or day >= self._floor:
            return day
        return day + ROLLOVER_DAYS * -(-(self._floor - day) // ROLLOVER_DAYS)
