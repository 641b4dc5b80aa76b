"""The fleet's figures as managers read them (protocol/figures.py). Called by the topic's side,
statistics_live.py, and by the command, statistics_command.py.
"""

from __future__ import annotations

from matcher.core.figures import FLEET, Cell, Figures, Group
from matcher.core.figures_case import Verdict
from matcher.core.figures_load import CREW_AIM, DESK_AIM
from matcher.core.figures_spread import Spread
from protocol import figures as f
from protocol.instant import iso
from protocol.order import AnswerMeans


class Rendering:
    """Groups that have not changed since the last look are not counted out again."""

    def __init__(self, figures: Figures, utc_offset_min: int) -> None:
        self._figures, self._utc_offset_min = figures, utc_offset_min
        self._made: dict[Group, tuple[Cell, int, f.GroupFigures]] = {}

    def period(self, since_ms: int, until_ms: int, now_ms: int) -> f.PeriodFigures:
        """As far as is known at `now_ms`: what came after the period still counts for it."""
        figures = self._figures
        figures.look(now_ms)
        return f.PeriodFigures(
            since=iso(since_ms),
            until=iso(until_ms),
            utc_offset_min=self._utc_offset_min,
            fleet=self._group(FLEET),
            by_priority=self._axis("priority"),
            by_district=self._axis("district"),
            by_hour=self._axis("hour"),
            crew_alerts=_crews(figures),
            desk_alarms=_desk(figures),
        )

    def _axis(self, axis: str) -> dict[str, f.GroupFigures]:
        keys = sorted((key for kind, key in self._figures.cells if kind == axis), key=_in_order)
        return {key: self._group((axis, key)) for key in keys}

    def _group(self, group: Group) -> f.GroupFigures:
        cell = self._figures.cells.get(group) or Cell()
        kept = self._made.get(group)
        if kept is None or kept[0] is not cell or kept[1] != cell.changes:
            kept = self._made[group] = (cell, cell.changes, _group_figures(cell))
        return kept[2]


def _in_order(key: str) -> tuple[bool, int, str]:
    """Numbers as numbers, then names."""
    is_number = key.isdecimal()
    return not is_number, int(key) if is_number else 0, key


def _group_figures(cell: Cell) -> f.GroupFigures:
    return f.GroupFigures(
        incidents=cell.incidents,
        open=cell.counts[Verdict.OPEN],
        attended=cell.counts[Verdict.ATTENDED],
        unattended=cell.counts[Verdict.UNATTENDED],
        excluded={reason: count for reason, count in sorted(cell.excluded.items()) if count},
        within_5min=_share(cell.soon, cell.judged),
        within_10min=_share(cell.within_late, cell.judged),
        process=_spread(cell.process),
        turnout=_spread(cell.turnout),
        travel=_spread(cell.travel),
        total=_spread(cell.total),
        arrivals=f.ArrivalMeans(
            touch=_spread(cell.arrivals[AnswerMeans.TOUCH]),
            automatic=_spread(cell.arrivals[AnswerMeans.AUTOMATIC]),
            by_desk=_spread(cell.arrivals[AnswerMeans.BY_DESK]),
        ),
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _spread(spread: Spread) -> f.Spread:
    return f.Spread(
        n=spread.n,
        p50_s=_seconds(spread.percentile_ms(50)),
        p90_s=_seconds(spread.percentile_ms(90)),
    )


def _seconds(duration_ms: int | None) -> float | None:
    return None if duration_ms is None else duration_ms / 1000


def _crews(figures: Figures) -> f.CrewAlerts:
    loads = figures.load.crews().values()
    shifts, alerts = sum(one.shifts for one in loads), sum(one.alerts for one in loads)
    return f.CrewAlerts(
        aim=CREW_AIM,
        shifts=shifts,
        alerts=alerts,
        per_shift=round(alerts / shifts, 2) if shifts else None,
        most=max((one.most for one in loads), default=0),
        over_aim=sum(one.over_aim for one in loads),
    )


def _desk(figures: Figures) -> f.DeskAlarms:
    load = figures.load.desk()
    return f.DeskAlarms(
        aim=DESK_AIM,
        hours=load.hours,
        alarms=load.alarms,
        per_dispatcher=round(load.alarms / load.person_hours, 2) if load.hours else None,
        most=load.most_tenths / 10,
        over_aim=load.over_aim,
        unacknowledged=load.unacknowledged,
    )


def report(
    figures: Figures, fleet: str, utc_offset_min: int, since_ms: int, until_ms: int, now_ms: int
) -> f.PeriodReport:
    """The period with what only the command shows: units, and what was left out one by one."""
    period = Rendering(figures, utc_offset_min).period(since_ms, until_ms, now_ms)
    return f.PeriodReport(
        **dict(period),
        fleet_name=fleet,
        units=tuple(
            f.UnitAlerts(
                unit=unit, shifts=one.shifts, alerts=one.alerts, most=one.most,
                over_aim=one.over_aim,
            )
            for unit, one in figures.load.crews().items()
        ),
        excluded_incidents=tuple(
            f.ExcludedIncident(
                incident=one.incident, number=one.number, priority=one.priority,
                reason=one.reason, waited_s=one.waited_ms / 1000,
            )
            for one in figures.excluded()
            if one.reason is not None
        ),
    )  # fmt: skip
