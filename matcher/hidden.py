"""Which units were not open to all at any time, from the journal alone. Called by command.py.

Whoever reads of a decision later reads no more than at the time: a unit that was hidden once stays
unnamed to those outside its groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from matcher.core import events as ev
from matcher.core.visibility import OPEN
from matcher.journal.journal import Row

_TELLS: Final = tuple(name.__name__.encode() for name in (ev.FleetConfigured, ev.VisibilitySet))


def hidden_in(rows: Iterable[Row], group: str = "") -> frozenset[str]:
    """Units that a person of `group` ("": of none) may not read of."""
    found: set[str] = set()
    for row in rows:
        if any(name in row.events for name in _TELLS):  # decoding all would take a minute
            for event in row.decision().events:
                found.update(_named(event, group))
    return frozenset(found)


def _named(event: ev.Event, group: str) -> list[str]:
    match event:
        case ev.FleetConfigured():
            said = [(spec.unit, spec.visibility, spec.group) for spec in event.units]
        case ev.VisibilitySet():
            said = [(event.unit, event.visibility, event.group)]
        case _:
            return []
    return [unit for unit, visibility, of in said if visibility != OPEN and of != group]
