"""What a bench found: a figure beside its budget and beside what ran with it; a table or JSON.

A missed budget is a verdict to read, never a failure of the bench: time belongs to the machine.
"""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table

MET: Final = "met"
MISSED: Final = "missed"
NO_BUDGET: Final = "-"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `beside` are values of the same run, in words with their units.

    `budget` is the highest that is allowed, or with `at_least` the lowest; None: only told.
    """

    bench: str
    what: str
    value: float | None  # None: could not be had, and `beside` says why
    unit: str
    budget: float | None = None
    at_least: bool = False
    beside: tuple[str, ...] = ()
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    @property
    def verdict(self) -> str:
        if self.budget is None or self.value is None:
            return NO_BUDGET
        met = self.value >= self.budget if self.at_least else self.value <= self.budget
        return MET if met else MISSED


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, 99th percentile (nearest rank) and extremes of repeats."""

    count: int
    p50: float
    p99: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises ValueError for no values."""
        if not values:
            raise ValueError("nothing was measured")
        ordered = sorted(values)
        p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
        return cls(len(ordered), statistics.median(ordered), p99, ordered[0], ordered[-1])

    def words(self, unit: str) -> str:
        return (
            f"p50 {number(self.p50)}, p99 {number(self.p99)}, "
            f"{number(self.low)}..{number(self.high)} {unit}, n={self.count}"
        )


def number(value: float) -> str:
    """Three significant digits, and no fewer of a large number."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def to_json(figures: Sequence[Figure], machine: dict[str, str]) -> str:
    found = [asdict(figure) | {"verdict": figure.verdict} for figure in figures]
    return json.dumps({"machine": machine, "figures": found}, ensure_ascii=False, indent=1)


def print_table(figures: Sequence[Figure], title: str) -> None:
    """One bench's table on standard output."""
    table = Table(title=title, title_justify="left", show_lines=True)
    for name in ("figure", "measured", "budget", "verdict", "beside, same run", "load"):
        table.add_column(name, overflow="fold")
    for one in figures:
        table.add_row(
            one.what, _measured(one), budget_words(one), one.verdict, "\n".join(one.beside),
            f"{one.load:.1f}",
        )  # fmt: skip
    width = None if os.isatty(1) else 150
    Console(width=width).print(table)


def _measured(one: Figure) -> str:
    return "not measured" if one.value is None else f"{number(one.value)} {one.unit}".strip()


def budget_words(one: Figure) -> str:
    if one.budget is None:
        return NO_BUDGET
    sign = "≥" if one.at_least else "≤"
    return f"{sign} {number(one.budget)} {one.unit}".strip()
