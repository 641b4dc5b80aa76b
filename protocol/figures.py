"""The fleet's figures as JSON: the last day on the statistics topic, a period by command.

Made by matcher/statistics.py; docs/statistics.md says what is counted how.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from protocol.json_fields import Code, Count, Measure, Model, Name, Share, Time


class Spread(Model):
    """Durations of one kind: how many, and nearest-rank percentiles, seconds."""

    n: Count
    p50_s: Measure | None = None
    p90_s: Measure | None = None


class ArrivalMeans(Model):
    """Report to on scene by how the arrival became known, apart."""

    touch: Spread
    automatic: Spread
    by_desk: Spread


class GroupFigures(Model):
    """Incidents of one group by the time of their report; docs/statistics.md says what counts."""

    incidents: Count
    open: Count = Field(description="nobody there yet, and for at most 10 minutes")
    attended: Count
    unattended: Count = Field(description="nobody came, or not within 10 minutes: count as late")
    excluded: dict[Code, Count] = Field(
        default_factory=dict, description="left out of the shares, by reason"
    )
    within_5min: Share | None = Field(
        default=None, description="of attended and unattended: somebody on scene 5 minutes after"
    )
    within_10min: Share | None = None
    process: Spread = Field(description="report to the first order issued")
    turnout: Spread = Field(description="order to moving, of the unit that was there first")
    travel: Spread = Field(description="moving to on scene, of the same unit")
    total: Spread = Field(description="report to the first unit with officers on scene")
    arrivals: ArrivalMeans


class CrewAlerts(Model):
    """Alerts to crews, per unit and shift; aim at most 4."""

    aim: Count
    shifts: Count
    alerts: Count
    per_shift: Measure | None = None
    most: Count = Field(description="in one shift")
    over_aim: Count = Field(description="shifts")


class DeskAlarms(Model):
    """Alarms at the desk, per dispatcher and hour with an alarm; aim at most 6."""

    aim: Count
    hours: Count = Field(description="in which there was an alarm")
    alarms: Count
    per_dispatcher: Measure | None = Field(
        default=None, description="and hour; dispatchers are those who acknowledged in that hour"
    )
    most: Measure = Field(description="per dispatcher, in the worst hour")
    over_aim: Count = Field(description="hours")
    unacknowledged: Count = Field(description="hours in which nobody acknowledged")


class PeriodFigures(Model):
    """Incidents reported in [since, until)."""

    since: Time
    until: Time
    utc_offset_min: Annotated[int, Field(ge=-840, le=840)] = Field(description="of `by_hour`")
    fleet: GroupFigures
    by_priority: dict[str, GroupFigures] = Field(default_factory=dict)
    by_district: dict[str, GroupFigures] = Field(
        default_factory=dict, description="`-`: outside every district"
    )
    by_hour: dict[str, GroupFigures] = Field(
        default_factory=dict, description="local hour of the report, `00` to `23`"
    )
    crew_alerts: CrewAlerts
    desk_alarms: DeskAlarms


class UnitAlerts(Model):
    """Alerts to one unit's crews."""

    unit: Name
    shifts: Count
    alerts: Count
    most: Count
    over_aim: Count


class ExcludedIncident(Model):
    """An incident that the shares leave out."""

    incident: Name
    number: Annotated[str, Field(max_length=16)]
    priority: Annotated[int, Field(ge=0, le=4)]
    reason: Code
    waited_s: Measure = Field(description="from the report until it was closed")


class PeriodReport(PeriodFigures):
    """What `outrider matcher statistics --json` prints."""

    fleet_name: Name
    units: tuple[UnitAlerts, ...] = ()
    excluded_incidents: tuple[ExcludedIncident, ...] = Field(
        default=(), description="at most 1000; `excluded` counts all"
    )
