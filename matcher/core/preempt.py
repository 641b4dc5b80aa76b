"""Preemption is proposed, never done by rule: who could leave a lesser incident for this one.

Never from priority 1 and never for equal priority; a unit that is on scene is not asked.
"""

from __future__ import annotations

from typing import Final

from matcher.core.assign import why_not_but_its_order
from matcher.core.board import Incident
from matcher.core.commands import Estimates
from matcher.core.draft import Draft
from protocol.order import OrderState

_MAY_LEAVE: Final = frozenset(
    {OrderState.ISSUED, OrderState.DELIVERED, OrderState.CONFIRMED, OrderState.EN_ROUTE}
)


def propose(draft: Draft, incident: Incident, estimates: Estimates | None) -> None:
    """Once per unit and incident: an alert with who, from what, and how soon it could be there."""
    board = draft.board
    found = []
    for candidate in estimates.candidates if estimates is not None else ():
        unit = board.units.get(candidate.unit)
        order = board.orders.get((unit.order if unit else None) or "")
        if unit is None or order is None or order.state not in _MAY_LEAVE:
            continue
        is_lesser = order.priority > max(1, incident.priority)
        if is_lesser and why_not_but_its_order(board, incident, candidate) is None:
            found.append((candidate.eta_ms, candidate.unit, order))
    if not found:
        return
    eta_ms, unit_id, order = min(found, key=lambda one: one[:2])
    lesser = board.incidents[order.incident]
    draft.alert(
        "preempt_proposed", f"{incident.incident}-{unit_id}",
        f"{incident.number} (priority {incident.priority}): {unit_id} could be there in"
        f" {eta_ms // 1000} s; it is {order.state} to {lesser.number} (priority {order.priority});"
        f" reassign {incident.incident} {unit_id} --reason more_urgent",
        unit=unit_id, incident=incident.incident, order=order.order,
    )  # fmt: skip
