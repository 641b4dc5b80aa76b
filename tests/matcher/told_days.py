"""Days of a fleet as a script: what happened, the journal of it, and the figures by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matcher.core import events as ev
from matcher.core.figures import Figures
from matcher.statistics import Rendering
from protocol.dispatch import Place
from protocol.figures import GroupFigures, PeriodFigures

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS
LATER_MS = START_MS + 3 * DAY_MS
OFFSET_MIN = 480
UNITS = ("a", "b", "drone", "bare")
MANNED = ("a", "b")
EXCLUDED = ("caller_cancelled", "duplicate", "joined", "referred")
UNREAL = ("exercise", "test")
FLEET = ev.FleetConfigured(
    START_MS,
    "auto",
    (
        ev.UnitSpec("a", "car", 2, ()), ev.UnitSpec("b", "foot", 1, ()),
        ev.UnitSpec("drone", "drone", 0, ()), ev.UnitSpec("bare", "car", 0, ()),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """One order of the script; delays in ms after the report, or after the order."""

    unit: str
    after: int
    depart: int | None
    arrive: int | None  # after departing, or after the order
    means: int

    def at(self, reported: int) -> tuple[int, int | None, int | None]:
        issued = reported + self.after
        departed = None if self.depart is None else issued + self.depart
        start = issued if departed is None else departed
        return issued, departed, None if self.arrive is None else start + self.arrive


@dataclass(frozen=True)
class Told:
    """One incident of the script."""

    at: int
    priority: int
    district: str
    sent: tuple[Sent, ...]
    end: tuple[int, str, str | None] | None  # after, state, reason
    kind: str = "theft"
    reopened: bool = False  # closed once before by mistake, and opened again

    def arrival(self) -> tuple[int, Sent] | None:
        """The first unit with officers there."""
        there = [
            (at, n, one)
            for n, one in enumerate(self.sent)
            if one.unit in MANNED and (at := one.at(self.at)[2]) is not None
        ]
        return (min(there)[0], min(there)[2]) if there else None


def events_of(incidents: list[Told]) -> list[ev.Event]:
    """The script as a journal has it, in the order of time."""
    found: list[tuple[int, int, ev.Event]] = []
    for i, told in enumerate(incidents):
        for at_ms, event in _events(f"i-{i}", told):
            found.append((at_ms, len(found), event))
    return [FLEET, *(event for _, _, event in sorted(found, key=lambda one: one[:2]))]


def _events(incident: str, told: Told) -> Iterator[tuple[int, ev.Event]]:
    place = Place(int(told.district or "0"), 0, "wgs84", "desk", None, "")
    yield (
        told.at,
        ev.IncidentOpened(
            told.at, incident, incident, told.kind, told.priority, place, 1, 1, (), "", "desk", "p"
        ),
    )
    last = told.at
    for n, one in enumerate(told.sent):
        order, (issued, departed, arrived) = f"{incident}-{n}", one.at(told.at)
        yield (
            issued,
            ev.OrderIssued(
                issued, order, incident, one.unit, "assign", 1, 1, issued, 10, "rule:auto", None
            ),
        )
        last = max(last, issued, departed or 0, arrived or 0)
        if departed is not None:
            yield departed, stepped(departed, order, "depart", one.means)
        if arrived is not None:
            yield arrived, stepped(arrived, order, "arrive", one.means)
    if told.reopened:
        yield last + 1, ev.IncidentMoved(last + 1, incident, "cancelled", "p", "joined")
        yield last + 2, ev.IncidentMoved(last + 2, incident, "pending", "p", None)
    if told.end is not None:
        after, state, reason = told.end
        yield last + 3 + after, ev.IncidentMoved(last + 3 + after, incident, state, "p", reason)


def stepped(at_ms: int, order: str, step: str, means: int) -> ev.OrderStepped:
    return ev.OrderStepped(at_ms, order, step, "unit:a", means, False, None, None)


def by_hand(incidents: list[Told], now_ms: int) -> dict[str, object]:
    """What a person with the script and a pencil would say."""
    counts = dict.fromkeys(("open", "attended", "unattended"), 0)
    excluded: dict[str, int] = {}
    process, turnout, travel, total = [], [], [], []
    by_means: dict[int, list[int]] = {1: [], 2: [], 3: []}
    for told in incidents:
        there = told.arrival()
        reason = told.end[2] if told.end else None
        if told.kind == "exercise":
            reason = "exercise"
        if reason is not None and (reason in UNREAL or (reason in EXCLUDED and there is None)):
            excluded[reason] = excluded.get(reason, 0) + 1
            continue
        if told.sent:
            process.append(min(one.after for one in told.sent))
        if there is not None:
            counts["attended"] += 1
            at, one = there
            issued, departed, _ = one.at(told.at)
            total.append(at - told.at)
            by_means[one.means].append(at - told.at)
            if departed is not None:
                turnout.append(departed - issued)
                travel.append(at - departed)
        elif told.end is not None or now_ms - told.at > 600_000:
            counts["unattended"] += 1
        else:
            counts["open"] += 1
    judged = counts["attended"] + counts["unattended"]
    return {
        "incidents": len(incidents), **counts, "excluded": excluded,
        "within_5min": share([t for t in total if t <= 300_000], judged),
        "within_10min": share([t for t in total if t <= 600_000], judged),
        "process": spread(process), "turnout": spread(turnout), "travel": spread(travel),
        "total": spread(total),
        "arrivals": {
            "touch": spread(by_means[1]), "automatic": spread(by_means[2]),
            "by_desk": spread(by_means[3]),
        },
    }  # fmt: skip


def share(part: list[int], whole: int) -> float | None:
    return round(len(part) / whole, 4) if whole else None


def spread(values: list[int]) -> dict[str, object]:
    floored = sorted(value // 100 * 100 for value in values)

    def percentile(percent: int) -> float | None:
        """Nearest rank, the textbook's way."""
        for value in floored:
            if 100 * sum(other <= value for other in floored) >= percent * len(floored):
                return value / 1000
        return None

    return {"n": len(values), "p50_s": percentile(50), "p90_s": percentile(90)}


def said(figures: GroupFigures) -> dict[str, object]:
    return figures.model_dump()


def counted(figures: Figures, events: list[ev.Event], now_ms: int) -> PeriodFigures:
    for event in events:
        figures.take(event)
    return Rendering(figures, OFFSET_MIN).period(figures.since_ms, now_ms, now_ms)


def new(**more: object) -> Figures:
    return Figures(
        district_of=lambda lat, _: str(lat),
        utc_offset_min=OFFSET_MIN,
        **more,  # type: ignore[arg-type]
    )
