"""How often people are disturbed: alerts to crews per unit and shift, alarms at the desk per hour.

Both have aims, since whoever is called too often stops listening (docs/statistics.md). No person
is named or counted by name. Called by figures.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from matcher.core import events as ev
from protocol.order import OrderKind

HOUR_MS: Final = 3_600_000
CREW_AIM: Final = 4  # alerts per unit and shift, at most
DESK_AIM: Final = 6  # alarms per dispatcher and hour, at most


@dataclass(slots=True)
class UnitLoad:
    """Of one unit: its shifts and the alerts in them."""

    shifts: int = 0
    alerts: int = 0
    most: int = 0
    over_aim: int = 0

    def add(self, alerts: int) -> None:
        """One more shift."""
        self.shifts += 1
        self.alerts += alerts
        self.most = max(self.most, alerts)
        self.over_aim += alerts > CREW_AIM

    def join(self, other: UnitLoad) -> None:
        self.shifts += other.shifts
        self.alerts += other.alerts
        self.most = max(self.most, other.most)
        self.over_aim += other.over_aim


@dataclass(slots=True)
class DeskLoad:
    """Of all hours with an alarm."""

    hours: int = 0
    alarms: int = 0
    person_hours: int = 0  # an hour in which nobody acknowledged counts one
    most_tenths: int = 0  # alarms per dispatcher in the worst hour, in tenths, rounded up
    over_aim: int = 0  # hours
    unacknowledged: int = 0  # hours with alarms of which nobody acknowledged any


@dataclass(slots=True)
class _Shift:
    since_ms: int
    enrolments: set[bytes]
    alerts: int = 0


@dataclass(slots=True)
class _Hour:
    alarms: int = 0
    people: set[str] = field(default_factory=set)


class Load:
    """Follows log-ons, alerts and alarms of a period; `take` ignores what it does not know."""

    def __init__(self, since_ms: int, until_ms: int | None, *, by_hour: bool) -> None:
        self._since_ms, self._until_ms, self._by_hour = since_ms, until_ms, by_hour
        self._unit_of: dict[bytes, str] = {}
        self._shifts: dict[str, _Shift] = {}  # those that are on
        self._done: dict[int, dict[str, UnitLoad]] = {}  # by hour of log-on, then unit
        self._hours: dict[int, _Hour] = {}

    def take(self, event: ev.Event) -> None:
        match event:
            case ev.LoggedOn():
                self._leave(event.enrolment)
                self._unit_of[event.enrolment] = event.unit
                shift = self._shifts.setdefault(event.unit, _Shift(event.at_ms, set()))
                shift.enrolments.add(event.enrolment)
            case ev.LoggedOff():
                self._leave(event.enrolment)
            case ev.IdentitiesTaken():
                for enrolment in self._unit_of.keys() - dict(event.terminals).keys():
                    self._leave(enrolment)
            case ev.OrderIssued() if event.kind == OrderKind.ALERT and event.unit in self._shifts:
                self._shifts[event.unit].alerts += 1
            case ev.AlertRaised() if self._is_in(event.at_ms):
                self._hours.setdefault(event.at_ms // HOUR_MS, _Hour()).alarms += 1
            case ev.AlertAcknowledged() if self._is_in(event.at_ms):
                self._hours.setdefault(event.at_ms // HOUR_MS, _Hour()).people.add(event.by)
            case _:
                return

    def _is_in(self, at_ms: int) -> bool:
        return at_ms >= self._since_ms and (self._until_ms is None or at_ms < self._until_ms)

    def _leave(self, enrolment: bytes) -> None:
        """A terminal logs off; the shift ends with the unit's last one."""
        unit = self._unit_of.pop(enrolment, None)
        if unit is None:
            return
        shift = self._shifts[unit]
        shift.enrolments.discard(enrolment)
        if not shift.enrolments:
            del self._shifts[unit]
            if self._is_in(shift.since_ms):
                hour = shift.since_ms // HOUR_MS if self._by_hour else 0
                self._done.setdefault(hour, {}).setdefault(unit, UnitLoad()).add(shift.alerts)

    def forget_before(self, since_ms: int) -> None:
        """Drop shifts that began, and hours that lie, before the hour of `since_ms`."""
        self._since_ms = since_ms
        for hours in (self._done, self._hours):
            for hour in [known for known in hours if known < since_ms // HOUR_MS]:
                del hours[hour]

    def forget_unit(self, unit: str) -> None:
        """It is not open to all any more: no figure tells of it."""
        self._unit_of = {e: of for e, of in self._unit_of.items() if of != unit}
        self._shifts.pop(unit, None)
        for loads in self._done.values():
            loads.pop(unit, None)

    def crews(self) -> dict[str, UnitLoad]:
        """By unit; shifts that are still on count as they are."""
        found: dict[str, UnitLoad] = {}
        for loads in self._done.values():
            for unit, load in loads.items():
                found.setdefault(unit, UnitLoad()).join(load)
        for unit, shift in self._shifts.items():
            if self._is_in(shift.since_ms):
                found.setdefault(unit, UnitLoad()).add(shift.alerts)
        return dict(sorted(found.items()))

    def desk(self) -> DeskLoad:
        """Over the hours in which there was an alarm."""
        load = DeskLoad()
        for hour in self._hours.values():
            if not hour.alarms:
                continue
            people = max(1, len(hour.people))
            load.hours += 1
            load.alarms += hour.alarms
            load.person_hours += people
            load.most_tenths = max(load.most_tenths, (10 * hour.alarms + people - 1) // people)
            load.over_aim += hour.alarms > DESK_AIM * people
            load.unacknowledged += not hour.people
        return load
