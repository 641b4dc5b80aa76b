"""The plan of an incident: the codebook's for its kind and priority, or what a person named.

Called by the requests that open or correct an incident. What the fleet can never fill is said in
the reply at once; the incident is opened all the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from matcher.core import events as ev
from matcher.core.board import Board, Incident
from matcher.core.draft import Draft
from protocol import request as rq


@dataclass(frozen=True, slots=True)
class Wanted:
    """A plan as events hold it; a capability stands as often as units with it are wanted."""

    units: int
    officers: int
    capabilities: tuple[str, ...]
    alert: bool
    staging_m: int | None


def plan_of_book(board: Board, kind: str, priority: int) -> Wanted:
    plan = board.book.codes.plan_for(kind, priority)
    capabilities = Counter(dict(plan.capabilities)).elements()
    return Wanted(plan.units, plan.officers, tuple(capabilities), plan.alert, plan.staging_m)


def plan_of(board: Board, kind: str, priority: int, named: rq.PlanOf | None) -> Wanted:
    """The codebook's, and in its place what a person named.

    Who names units alone means them: then an officer each is enough.
    """
    book = plan_of_book(board, kind, priority)
    if named is None:
        return book
    officers = book.officers if named.units is None else named.units
    return Wanted(
        book.units if named.units is None else named.units,
        officers if named.officers is None else named.officers,
        book.capabilities if named.capabilities is None else named.capabilities,
        book.alert if named.alert is None else named.alert,
        book.staging_m if named.staging_m is None else named.staging_m,
    )


def priority_of(board: Board, kind: str, named: int | None) -> int:
    """As a person said, else what the kind has; 0 is for an SOS by its button only."""
    if named is not None:
        return named
    known = board.book.codes.kind(kind)
    assert known is not None  # unknown codes were refused before
    return max(1, known.priority)


def follow(draft: Draft, incident: Incident, by: str) -> None:
    """Kind or priority are known better: the codebook's plan for it, never less than it has.

    What a person named stays as it is.
    """
    if not incident.by_book:
        return
    wanted = plan_of_book(draft.board, incident.kind, incident.priority)
    more = Counter(wanted.capabilities) | Counter(incident.capabilities)
    raised = Wanted(
        max(wanted.units, incident.plan_units),
        max(wanted.officers, incident.plan_officers),
        tuple(sorted(more.elements())),
        wanted.alert or incident.alert,
        wanted.staging_m,
    )
    now = Wanted(
        incident.plan_units, incident.plan_officers, tuple(sorted(incident.capabilities)),
        incident.alert, incident.staging_m,
    )  # fmt: skip
    if raised != now:
        draft.emit(
            ev.PlanRaised(
                draft.now_ms, incident.incident, raised.units, raised.officers,
                raised.capabilities, raised.alert, raised.staging_m, by,
            )
        )  # fmt: skip


def never_filled(board: Board, incident: Incident) -> str | None:
    """What the plan wants and the whole fleet has not, whoever is on duty; None: it could be."""
    able = [u for u in board.units.values() if u.visibility == "open" and u.kind != "drone"]
    if incident.plan_units > len(able):
        return (
            f"the plan wants {incident.plan_units} units, the fleet has {len(able)} with officers"
        )
    has = Counter(code for unit in able for code in set(unit.capabilities))
    for code, count in sorted(Counter(incident.capabilities).items()):
        if has[code] < count:
            return f"the plan wants {count} units with {code}, the fleet has {has[code]}"
    return None
