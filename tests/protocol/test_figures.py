"""Figures as JSON: shares are shares, unknown keys are refused, a period is part of statistics."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol import managers
from protocol.figures import (
    ArrivalMeans,
    CrewAlerts,
    DeskAlarms,
    GroupFigures,
    PeriodFigures,
    PeriodReport,
    Spread,
)
from protocol.instant import iso
from protocol.managers import Statistics
from protocol.refusal import Refused
from tests.protocol.samples import NOW_MS

NONE = Spread(n=0)
SOME = Spread(n=4, p50_s=21.3, p90_s=48)
GROUP = GroupFigures(
    incidents=5, open=0, attended=4, unattended=0, excluded={"joined": 1}, within_5min=1.0,
    within_10min=1.0, process=SOME, turnout=NONE, travel=NONE, total=SOME,
    arrivals=ArrivalMeans(touch=SOME, automatic=NONE, by_desk=NONE),
)  # fmt: skip
PERIOD = PeriodFigures(
    since=iso(NOW_MS - 86_400_000), until=iso(NOW_MS), utc_offset_min=480, fleet=GROUP,
    by_priority={"1": GROUP}, by_district={"东城": GROUP, "-": GROUP}, by_hour={"08": GROUP},
    crew_alerts=CrewAlerts(aim=4, shifts=2, alerts=6, per_shift=3, most=5, over_aim=1),
    desk_alarms=DeskAlarms(
        aim=6, hours=2, alarms=9, per_dispatcher=4.5, most=7, over_aim=1, unacknowledged=0
    ),
)  # fmt: skip
STATISTICS = Statistics(time=iso(NOW_MS), open_incidents=0, positions=0, day=PERIOD)


def test_both_ways() -> None:
    assert managers.decode(Statistics, managers.encode(STATISTICS)) == STATISTICS
    report = PeriodReport(**dict(PERIOD), fleet_name="zz")
    assert PeriodReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize(
    ("way", "value", "place"),
    [
        (("fleet", "within_5min"), 1.01, "day.fleet.within_5min"),
        (("fleet", "total", "n"), -1, "day.fleet.total.n"),
        (("fleet", "total", "p99_s"), 1, "day.fleet.total.p99_s"),
        (("fleet", "arrivals", "touch"), None, "day.fleet.arrivals.touch"),
        (("since",), "yesterday", "day.since"),
        (("utc_offset_min",), 841, "day.utc_offset_min"),
    ],
)
def test_fields_that_are_refused(way: tuple[str, ...], value: Any, place: str) -> None:
    found = json.loads(managers.encode(STATISTICS))
    inner = found["day"]
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = value
    with pytest.raises(Refused) as caught:
        managers.decode(Statistics, json.dumps(found).encode())
    assert caught.value.detail.startswith(place)
