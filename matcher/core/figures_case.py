"""One incident on its way through the figures: from its report to attended, unattended, excluded.

What is counted, and why, is in docs/statistics.md. Called by figures.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

SOON_MS: Final = 5 * 60_000
LATE_MS: Final = 10 * 60_000

# Reasons (codes of the codebook) with which an incident that nobody reached is left out of the
# shares. The list is closed: any other cancellation without an arrival counts as late.
EXCLUDED: Final = frozenset({"caller_cancelled", "duplicate", "joined", "referred"})
# No real call: left out even where somebody arrived; `exercise` is also a kind of incident.
EXERCISE: Final = "exercise"
UNREAL: Final = frozenset({EXERCISE, "test"})


class Verdict(StrEnum):
    ATTENDED = "attended"
    UNATTENDED = "unattended"  # counted as late
    EXCLUDED = "excluded"
    OPEN = "open"  # nobody there yet, and not late yet


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an incident adds to the figures; times in ms, None where unknown."""

    incident: str
    number: str
    priority: int
    district: str
    reported_ms: int
    verdict: Verdict
    reason: str | None  # why it is excluded
    waited_ms: int  # of an excluded one that is closed: report to the end; else 0
    process_ms: int | None = None
    turnout_ms: int | None = None
    travel_ms: int | None = None
    total_ms: int | None = None
    means: int | None = None  # order.AnswerMeans of the arrival


@dataclass(slots=True)
class Leg:
    """One order's way to the scene."""

    issued_ms: int
    departed_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    order: str
    at_ms: int
    means: int


@dataclass(slots=True)
class Case:
    """An incident that is still followed."""

    incident: str
    number: str
    priority: int
    district: str
    reported_ms: int
    kind: str
    first_issued_ms: int | None = None
    legs: dict[str, Leg] = field(default_factory=dict)
    arrival: Arrival | None = None
    closed_ms: int | None = None
    reason: str | None = None

    def issued(self, order: str, at_ms: int) -> None:
        self.legs[order] = Leg(at_ms)
        if self.first_issued_ms is None:
            self.first_issued_ms = at_ms

    def departed(self, order: str, at_ms: int) -> None:
        self.legs[order].departed_ms = at_ms

    def arrived(self, order: str, at_ms: int, means: int) -> None:
        """The first by its own time counts, also where its entry came later than another's."""
        if self.arrival is None or at_ms < self.arrival.at_ms:
            self.arrival = Arrival(order, at_ms, means)

    def closed(self, at_ms: int, reason: str | None) -> None:
        self.closed_ms, self.reason = at_ms, reason

    def outcome(self, now_ms: int) -> Outcome:
        """As far as is known at `now_ms`."""
        verdict, reason = self._verdict(now_ms)
        waited_ms = (_between(self.reported_ms, self.closed_ms) or 0) if reason else 0
        common = (
            self.incident, self.number, self.priority, self.district, self.reported_ms, verdict,
            reason, waited_ms,
        )  # fmt: skip
        if verdict is Verdict.EXCLUDED:
            return Outcome(*common)
        process_ms = _between(self.reported_ms, self.first_issued_ms)
        if self.arrival is None:
            return Outcome(*common, process_ms)
        leg, at_ms = self.legs[self.arrival.order], self.arrival.at_ms
        return Outcome(
            *common, process_ms, _between(leg.issued_ms, leg.departed_ms),
            None if leg.departed_ms is None else _between(leg.departed_ms, at_ms),
            _between(self.reported_ms, at_ms), self.arrival.means,
        )  # fmt: skip

    def _verdict(self, now_ms: int) -> tuple[Verdict, str | None]:
        for reason in (self.kind, self.reason):
            if reason in UNREAL or (reason in EXCLUDED and self.arrival is None):
                return Verdict.EXCLUDED, reason
        if self.arrival is not None:
            return Verdict.ATTENDED, None
        if self.closed_ms is not None or now_ms - self.reported_ms > LATE_MS:
            return Verdict.UNATTENDED, None
        return Verdict.OPEN, None


def _between(start_ms: int, end_ms: int | None) -> int | None:
    """Never below zero: the two ends may be by two clocks."""
    return None if end_ms is None else max(0, end_ms - start_ms)
