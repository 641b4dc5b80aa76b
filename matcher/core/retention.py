"""How long the journal keeps what terminals logged: pure rules over age and kind.

A track stays whole, then one fix a minute of it as the centre's own extract, then its digest only;
health figures go after their time. Answers, statuses, deliveries, device events, log-ons and alarms
are decisions' inputs and stay with the journal. Age counts from receipt, which no terminal's clock
can move. Called by matcher/retention_task.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocol.entry import EntryKind
from protocol.track import TrackPoint

DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000


class Fate(Enum):
    """What becomes of an entry's content; its digest always stays."""

    KEEP = "keep"
    THIN = "track_minute"  # one fix a minute stays, in a table of its own
    ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits in days, from the settings."""

    track_full_days: int
    track_minute_days: int
    health_days: int
    witness_days: int
    quarantine_days: int
    quarantine_max: int


@dataclass(frozen=True, slots=True)
class Hold:
    """What an order under evidence hold concerns; nothing of it goes."""

    enrolments: frozenset[bytes]
    from_ms: int
    to_ms: int

    def holds(self, enrolment: bytes, at_ms: int) -> bool:
        return enrolment in self.enrolments and self.from_ms <= at_ms <= self.to_ms


def is_held(holds: Iterable[Hold], enrolment: bytes, at_ms: int) -> bool:
    return any(hold.holds(enrolment, at_ms) for hold in holds)


def before_ms(now_ms: int, days: int) -> int:
    """What was received earlier than this is older than `days`."""
    return now_ms - days * DAY_MS


def due_ms(rules: Rules, kind: int, now_ms: int) -> int | None:
    """Entries of `kind` received before this lose their content; None: never by age."""
    match kind:
        case EntryKind.TRACK:
            return before_ms(now_ms, rules.track_full_days)
        case EntryKind.HEALTH:
            return before_ms(now_ms, rules.health_days)
        case _:
            return None


def fate(rules: Rules, kind: int | None, received_ms: int, now_ms: int) -> Fate:
    """Of one entry that is not held."""
    limit_ms = None if kind is None else due_ms(rules, kind, now_ms)
    if limit_ms is None or received_ms >= limit_ms:
        return Fate.KEEP
    is_recent = received_ms >= before_ms(now_ms, rules.track_minute_days)
    return Fate.THIN if kind == EntryKind.TRACK and is_recent else Fate.ERASE


def one_a_minute(
    points: Iterable[TrackPoint], taken: Collection[int] = ()
) -> dict[int, TrackPoint]:
    """The first fix with a place of each minute (since 1970) that is not yet `taken`."""
    found: dict[int, TrackPoint] = {}
    for point in points:
        minute = point.time_ms // MINUTE_MS
        if point.fix_kind and minute not in taken:
            found.setdefault(minute, point)
    return found
