"""Who goes: eligibility, ranking and ties. The policy is in this one file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from matcher.core import exercise
from matcher.core.board import Board, Incident, Order, Unit
from matcher.core.commands import Estimates
from matcher.core.events import Candidate, LeftOut
from matcher.core.leaving import may_leave
from matcher.core.visibility import is_open
from protocol.order import OFFERED, OrderState
from protocol.words import Freshness, Status

SLOTS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Ranking:
    """Eligible candidates, best first, and everybody else with the reason."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]


def rank(board: Board, incident: Incident, estimates: Estimates | None) -> Ranking:
    """Least travel time first; ties by unit id, never by dictionary order."""
    if estimates is None:
        return Ranking((), ())
    eligible, left_out = [], []
    for candidate in estimates.candidates:
        reason = why_not(board, incident, candidate)
        if reason is None:
            eligible.append(candidate)
        else:
            left_out.append(LeftOut(candidate.unit, reason))
    for unit, reason in zip(estimates.unplaced, estimates.reasons, strict=True):
        left_out.append(LeftOut(unit, reason))
    return Ranking(
        tuple(sorted(eligible, key=lambda c: (c.eta_ms, c.unit))),
        tuple(sorted(left_out, key=lambda one: one.unit)),
    )


def why_not(board: Board, incident: Incident, candidate: Candidate) -> str | None:
    """Why a unit cannot be sent to an incident by rule; None: it can."""
    unit = board.units.get(candidate.unit)
    has_order = unit is not None and unit.order is not None and unit.terminals and not unit.hold
    if unit is not None and has_order and not may_leave(board, unit, incident):
        return f"has order {unit.order}"
    return why_not_but_its_order(board, incident, candidate)


def why_not_but_its_order(board: Board, incident: Incident, candidate: Candidate) -> str | None:
    """As `why_not`, for a unit that could be taken off what it has."""
    unit = board.units.get(candidate.unit)
    if unit is None:
        return "not a unit of this fleet"
    reason = _unit_reason(board, unit, incident)
    if reason is not None:
        return reason
    if candidate.band == Freshness.RADIO_ONLY:
        return "by radio only: a person sends it"
    if candidate.band != Freshness.LIVE:
        return f"position {candidate.age_ms // 1000} s old"
    return None


def _unit_reason(board: Board, unit: Unit, incident: Incident) -> str | None:
    if not unit.terminals and not unit.radio_crew:
        return "not logged on"
    if not is_open(unit):
        return "not open to all"
    if unit.hold:
        return "on hold"
    mixed = exercise.why_not(unit, incident)
    if mixed is not None:
        return mixed
    if unit.unit in incident.passed:
        return "declined, did not answer or was stood down"
    least = board.book.codes.dispatchable_to(Status(unit.status))
    if unit.order is None and (least is None or incident.priority > least):
        return f"status {Status(unit.status).word}"
    if unit.officers_now == 0:
        return "carries no officer"
    return None


def open_slot(board: Board, incident: Incident) -> int | None:
    """The first place of the plan that nobody holds, has cleared, or is being asked for."""
    covered = {order.slot for order in _covering(board, incident)}
    for slot in range(1, incident.plan_units + 1):
        if slot not in covered:
            return slot
    if missing_officers(board, incident) or missing_capabilities(board, incident):
        return next((slot for slot in range(1, SLOTS_MAX + 1) if slot not in covered), None)
    return None


def missing_officers(board: Board, incident: Incident) -> int:
    """How many fewer go than the plan wants."""
    going = sum(board.units[o.unit].officers_now for o in _covering(board, incident))
    return max(0, incident.plan_officers - going)


def missing_capabilities(board: Board, incident: Incident) -> tuple[str, ...]:
    """What the plan wants and none that goes has; a code as often as units with it are missing."""
    wanted = Counter(incident.capabilities)
    for order in _covering(board, incident):
        wanted.subtract(set(board.units[order.unit].capabilities))
    return tuple(wanted.elements())


def fitting(board: Board, incident: Incident, ranking: Ranking) -> Candidate | None:
    """The best for the next place: nearest first, as long as the capabilities still fit in."""
    missing = missing_capabilities(board, incident)
    open_places = incident.plan_units - len({o.slot for o in _covering(board, incident)})
    if len(missing) < open_places or not missing:
        return ranking.candidates[0] if ranking.candidates else None
    able = [c for c in ranking.candidates if set(missing) & set(board.units[c.unit].capabilities)]
    if able:
        return able[0]
    useful = open_places > 0 or missing_officers(board, incident)
    return ranking.candidates[0] if ranking.candidates and useful else None


def _covering(board: Board, incident: Incident) -> list[Order]:
    """Orders that fill a place, or are asked to in time."""
    return [
        order
        for order in board.orders_of(incident)
        if order.slot
        and (
            order.holds_place
            or (order.state in OFFERED and order.overdue is None and not order.attached)
            or order.state == OrderState.CLEARED
        )
    ]
