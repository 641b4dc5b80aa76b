"""The story of an incident, a unit or a person from the journal alone: lines in journal's order.

Follows who is bound to what (orders, terminals, crews, alerts) through all transactions, and tells
those events that concern the subject. Pure but for the rows that it is given. Called by
audit_command.py; the words are in audit_lines.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from matcher.audit_lines import At, Line, line_of
from matcher.audit_trail import Trail
from matcher.core import events as ev
from matcher.journal.journal import Row

NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose story; all None: everybody's. Times by the line's own; `until_ms` is not included."""

    incident: str | None = None
    unit: str | None = None
    person: str | None = None
    since_ms: int = 0
    until_ms: int | None = None


def story(rows: Iterable[Row], subject: Subject) -> Iterator[Line]:
    """One pass; what each line needs was said before it."""
    trail = Trail()
    for row in rows:
        decision = row.decision()
        for event in decision.events:
            trail.follow(event)
            line = line_of(event, At(decision.command, row.seq, trail))
            if _is_in(line, subject) and _concerns(line, subject, trail):
                yield line
            if isinstance(event, ev.LoggedOff):
                trail.leave(event.enrolment)


def _is_in(line: Line, subject: Subject) -> bool:
    until_ms = subject.until_ms
    return line.at_ms >= subject.since_ms and (until_ms is None or line.at_ms < until_ms)


def _concerns(line: Line, subject: Subject, trail: Trail) -> bool:
    if subject.incident is not None:
        return line.incident == subject.incident
    if subject.unit is not None:
        return line.unit == subject.unit or subject.unit in line.weighed
    if subject.person is not None:
        aboard = trail.crew_of.get(line.unit or "", NOBODY)
        return subject.person == line.by or subject.person in aboard
    return True
