"""The fleet's figures from the journal's events, in one pass and bounded memory; integers only.

`Figures.take(event)` for each event in order; `look(now_ms)` before reading `cells` and `load`.
What is counted how: docs/statistics.md. Called by statistics_live.py (the last day, for the topic)
and by statistics_command.py (a period, from the journal).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from matcher.core import events as ev
from matcher.core.board import INCIDENT_CLOSED
from matcher.core.figures_case import EXERCISE, LATE_MS, SOON_MS, Case, Leg, Outcome, Verdict
from matcher.core.figures_load import HOUR_MS, Load
from matcher.core.figures_spread import Spread
from matcher.core.visibility import OPEN
from protocol.order import AnswerMeans, OrderKind, OrderStep
from protocol.words import UnitKind

EXCLUDED_LISTED_MAX: Final = 1_000  # beyond it excluded incidents are only counted
CLOSED_KEPT: Final = 2_000  # closed incidents that may be opened again and go on
NO_DISTRICT: Final = "-"
FLEET: Final = ("fleet", "")
_MINUTE_MS: Final = 60_000
_PLACES: Final = (OrderKind.ASSIGN, OrderKind.BACKUP)

Group: TypeAlias = tuple[str, str]  # (axis, key): fleet, priority, district, hour


class Cell:
    """Figures of one group. `changes` rises with every change, for whoever keeps a rendering."""

    __slots__ = (
        "arrivals", "changes", "counts", "excluded", "incidents", "process", "soon", "total",
        "travel", "turnout", "within_late",
    )  # fmt: skip

    def __init__(self) -> None:
        self.changes = self.incidents = self.soon = self.within_late = 0
        self.counts = dict.fromkeys(Verdict, 0)
        self.excluded: dict[str, int] = {}
        self.process, self.turnout, self.travel, self.total = (Spread() for _ in range(4))
        self.arrivals = {means: Spread() for means in AnswerMeans}

    @property
    def judged(self) -> int:
        """Incidents that count for the shares: attended, and unattended as late."""
        return self.counts[Verdict.ATTENDED] + self.counts[Verdict.UNATTENDED]

    def change(self, before: Outcome | None, after: Outcome | None) -> None:
        """Count an incident as `after` in place of `before`; None: not at all."""
        self.changes += 1
        if before is not None:
            self._tell(before, -1)
        if after is not None:
            self._tell(after, 1)
        old, new = before or _NOTHING, after or _NOTHING
        _swap(self.process, old.process_ms, new.process_ms)
        _swap(self.turnout, old.turnout_ms, new.turnout_ms)
        _swap(self.travel, old.travel_ms, new.travel_ms)
        _swap(self.total, old.total_ms, new.total_ms)

    def _tell(self, one: Outcome, times: int) -> None:
        self.incidents += times
        self.counts[one.verdict] += times
        if one.reason is not None:
            self.excluded[one.reason] = self.excluded.get(one.reason, 0) + times
        if one.means is not None and one.total_ms is not None:
            self.arrivals[AnswerMeans(one.means)].add(one.total_ms, times)
            self.soon += times * (one.total_ms <= SOON_MS)
            self.within_late += times * (one.total_ms <= LATE_MS)


_NOTHING: Final = Outcome("", "", 0, "", 0, Verdict.OPEN, None, 0)


def _swap(spread: Spread, old_ms: int | None, new_ms: int | None) -> None:
    if old_ms != new_ms:
        spread.add(new_ms)
        spread.add(old_ms, -1)


class Figures:
    """Incidents reported in [since, until), by group; with `keep` old ones can be forgotten."""

    def __init__(
        self,
        *,
        since_ms: int = 0,
        until_ms: int | None = None,
        district_of: Callable[[int, int], str] = lambda _lat, _lon: NO_DISTRICT,
        utc_offset_min: int = 0,
        keep: bool = False,
    ) -> None:
        self.since_ms, self.until_ms = since_ms, until_ms
        self.cells: dict[Group, Cell] = {}
        self.load = Load(since_ms, until_ms, by_hour=keep)
        self._district_of, self._offset_ms = district_of, utc_offset_min * _MINUTE_MS
        self._keep = keep
        self._open: dict[str, Case] = {}
        self._closed: dict[str, Case] = {}  # the newest CLOSED_KEPT, oldest first
        self._counted: dict[str, Outcome] = {}  # of both, as they are in the cells now
        self._case_of: dict[str, Case] = {}  # by order, of both
        self._unit_of: dict[str, str] = {}  # by order, of both
        self._done: dict[int, list[Outcome]] = {}  # by hour of the report, where `keep`
        self._listed: list[Outcome] = []  # excluded ones, where not `keep`
        self._kinds: dict[str, str] = {}
        self._officers: dict[str, int] = {}
        self._is_open: dict[str, bool] = {}  # by unit
        self._hidden: dict[str, Case] = {}  # incidents that hidden units alone are on

    def take(self, event: ev.Event) -> None:
        """One event; what is not known here is not counted, nor units that are not open to all."""
        self._take_load(event)
        match event:
            case ev.IncidentOpened():
                self._opened(event)
            case ev.OrderIssued() if event.kind in _PLACES or event.kind == OrderKind.ALERT:
                self._issued(event)
            case ev.OrderStepped():
                self._stepped(event)
            case ev.IncidentMoved():
                self._moved(event)
            case ev.FleetConfigured():
                self._kinds.update((u.unit, u.kind) for u in event.units)
                self._officers.update((u.unit, u.officers) for u in event.units)
                for spec in event.units:  # a change is an event of its own
                    self._is_open.setdefault(spec.unit, spec.visibility == OPEN)
            case ev.VisibilitySet():
                self._is_open[event.unit] = event.visibility == OPEN
                if self._is_hidden(event.unit):
                    self.load.forget_unit(event.unit)
            case ev.LoggedOn() if event.crew:
                self._officers[event.unit] = len(event.crew)
            case _:
                return

    def _take_load(self, event: ev.Event) -> None:
        unit = getattr(event, "unit", None)
        if isinstance(event, ev.LoggedOn) and self._is_hidden(unit):
            self.load.take(ev.LoggedOff(event.at_ms, event.enrolment, event.order, event.logon))
        elif isinstance(event, ev.AlertRaised) and (
            self._is_hidden(unit) or event.incident in self._hidden
        ):
            return
        else:
            self.load.take(event)

    def _is_hidden(self, unit: str | None) -> bool:
        return not self._is_open.get(unit or "", True)

    def excluded(self) -> list[Outcome]:
        """Excluded incidents, the first ones, by the time of their report."""
        found = (o for o in self._counted.values() if o.verdict is Verdict.EXCLUDED)
        listed = sorted([*self._listed, *found], key=lambda o: (o.reported_ms, o.incident))
        return listed[:EXCLUDED_LISTED_MAX]

    def look(self, now_ms: int) -> None:
        """Bring what only time changes up to date: who waits too long is late."""
        for case in self._open.values():
            waits = self._counted[case.incident].verdict is Verdict.OPEN
            if waits and now_ms - case.reported_ms > LATE_MS:
                self._count(case, now_ms)

    def forget_before(self, since_ms: int) -> None:
        """Take away incidents reported before the hour of `since_ms`, with their alarms, shifts."""
        self.since_ms = since_ms = since_ms // HOUR_MS * HOUR_MS
        self.load.forget_before(since_ms)
        for hour in [known for known in self._done if known < since_ms // HOUR_MS]:
            for outcome in self._done.pop(hour):
                self._fold(outcome, None)
        for cases in (self._open, self._closed):
            for case in [c for c in cases.values() if c.reported_ms < since_ms]:
                self._fold(self._dropped(cases.pop(case.incident)), None)
        for case in [c for c in self._hidden.values() if c.reported_ms < since_ms]:
            del self._hidden[case.incident]

    # --- events ----------------------------------------------------------------------------------

    def _opened(self, e: ev.IncidentOpened) -> None:
        if e.at_ms < self.since_ms or (self.until_ms is not None and e.at_ms >= self.until_ms):
            return
        district = self._district_of(e.place.lat_e7, e.place.lon_e7)
        kind = EXERCISE if e.exercise else e.kind
        case = Case(e.incident, e.number, e.priority, district, e.at_ms, kind)
        self._open[e.incident] = case
        self._count(case, e.at_ms)

    def _issued(self, e: ev.OrderIssued) -> None:
        if self._is_hidden(e.unit):
            self._hide(e.incident)
            return
        if e.incident in self._hidden:
            self._open[e.incident] = self._hidden.pop(e.incident)
        case = self._open.get(e.incident)
        if case is None:
            return
        if e.kind == OrderKind.ALERT:  # a broadcast asks many; nobody in particular is sent yet
            case.legs[e.order] = Leg(e.at_ms)
        else:
            case.issued(e.order, e.at_ms)
        self._case_of[e.order], self._unit_of[e.order] = case, e.unit
        self._count(case, e.at_ms)

    def _hide(self, incident: str) -> None:
        """A hidden unit's order is none here, and an incident that it alone is on neither."""
        case = self._open.get(incident)
        if case is not None and not case.legs:
            self._fold(self._dropped(self._open.pop(incident)), None)
            self._hidden[incident] = case

    def _stepped(self, e: ev.OrderStepped) -> None:
        case = self._case_of.get(e.order)
        if case is None:
            return
        if e.step == OrderStep.DEPART:
            case.departed(e.order, e.at_ms)
        elif e.step == OrderStep.ARRIVE and self._has_officers(self._unit_of[e.order]):
            case.arrived(e.order, e.at_ms, e.means)
            self._count(case, e.at_ms)

    def _has_officers(self, unit: str) -> bool:
        """A drone or a bare locator attends nobody."""
        return self._kinds.get(unit) != UnitKind.DRONE and self._officers.get(unit, 1) > 0

    def _moved(self, e: ev.IncidentMoved) -> None:
        if e.state in INCIDENT_CLOSED:
            self._hidden.pop(e.incident, None)
            case = self._open.pop(e.incident, None)
            if case is not None:
                case.closed(e.at_ms, e.disposition)
                self._count(case, e.at_ms)
                self._closed[e.incident] = case
                self._let_go()
        elif e.incident in self._closed:  # opened again: as if it had never been closed
            case = self._open[e.incident] = self._closed.pop(e.incident)
            case.closed_ms = case.reason = None
            self._count(case, e.at_ms)

    def _let_go(self) -> None:
        """Beyond CLOSED_KEPT the oldest closed ones are what they are."""
        while len(self._closed) > CLOSED_KEPT:
            outcome = self._dropped(self._closed.pop(next(iter(self._closed))))
            if self._keep:
                self._done.setdefault(outcome.reported_ms // HOUR_MS, []).append(outcome)
            elif outcome.verdict is Verdict.EXCLUDED and len(self._listed) < EXCLUDED_LISTED_MAX:
                self._listed.append(outcome)

    # --- cells -----------------------------------------------------------------------------------

    def _count(self, case: Case, now_ms: int) -> None:
        """Put the case into its cells as it stands now, in place of what stood there."""
        after, before = case.outcome(now_ms), self._counted.get(case.incident)
        if after != before:
            self._counted[case.incident] = after
            self._fold(before, after)

    def _dropped(self, case: Case) -> Outcome:
        """Follow it no more; what it stands for in the cells."""
        for order in case.legs:
            del self._case_of[order], self._unit_of[order]
        return self._counted.pop(case.incident)

    def _fold(self, before: Outcome | None, after: Outcome | None) -> None:
        one = after or before
        assert one is not None
        for group in self._groups(one):
            cell = self.cells.get(group)
            if cell is None:
                cell = self.cells[group] = Cell()
            cell.change(before, after)
            if not cell.incidents and group != FLEET:
                del self.cells[group]

    def _groups(self, one: Outcome) -> tuple[Group, ...]:
        hour = (one.reported_ms + self._offset_ms) // HOUR_MS % 24
        return (
            FLEET, ("priority", str(one.priority)), ("district", one.district),
            ("hour", f"{hour:02d}"),
        )  # fmt: skip
