"""An order to one echelon is heard by its neighbours, and whoever is nearer takes it by one touch.

A take is decided in journal order: it gets a place of the plan that nobody holds or is asked for,
else it is `attached`: visible, with them, without a place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matcher.core import events as ev
from matcher.core.assign import Ranking, open_slot
from matcher.core.board import INCIDENT_CLOSED, Incident, Order
from matcher.core.draft import Draft
from matcher.core.events import Candidate
from protocol.dispatch import ConfirmState
from protocol.order import AnswerMeans, OrderKind, OrderState, OrderStep

HEAR_MAX: Final = 5
HEAR_WITHIN_M: Final = 3_000
ALERT_LIFE_MS: Final = 600_000
RULE_NEIGHBOURS: Final = "rule:neighbours"


def let_neighbours_hear(draft: Draft, incident: Incident, ranking: Ranking) -> None:
    """Once per unit and incident, those nearby that could be sent and were not asked."""
    if not incident.alert or incident.state in INCIDENT_CLOSED:
        return
    asked = {order.unit for order in draft.board.orders_of(incident)}
    near = [c for c in ranking.candidates if c.unit not in asked and c.distance_m <= HEAR_WITHIN_M]
    tell_neighbours(draft, incident, near[: max(0, HEAR_MAX - len(incident.alerted))])


def tell_neighbours(draft: Draft, incident: Incident, candidates: Sequence[Candidate]) -> None:
    """An alert order for each that has none for this incident yet."""
    board = draft.board
    asked = {order.unit for order in board.orders_of(incident)}
    for candidate in candidates:
        if candidate.unit in asked:
            continue
        order = draft.new_id("order")
        draft.emit(
            ev.OrderIssued(
                draft.now_ms, order, incident.incident, candidate.unit, OrderKind.ALERT.value, 0,
                board.units[candidate.unit].logon, draft.now_ms + ALERT_LIFE_MS, 0,
                RULE_NEIGHBOURS, candidate.eta_ms,
            )
        )  # fmt: skip
        draft.send_order(board.orders[order])


def take(draft: Draft, order: Order, by: str, means: AnswerMeans, at_ms: int) -> None:
    """A neighbour takes what it heard."""
    incident, unit = draft.board.incidents[order.incident], draft.board.units[order.unit]
    if incident.state in INCIDENT_CLOSED or order.state not in _TAKEABLE:
        draft.send_confirm(order, ConfirmState.CANCELLED)
        return
    if unit.order is not None:
        draft.send_confirm(order, ConfirmState.TOO_LATE, None)
        return
    slot = open_slot(draft.board, incident)
    draft.emit(ev.OrderTook(draft.now_ms, order.order, slot or 0))
    draft.step(order, OrderStep.ACCEPT, by, means, at_ms=at_ms)
    draft.step(
        order, OrderStep.CONFIRM, "rule:take" if slot else "rule:attach", AnswerMeans.AUTOMATIC,
        attached=slot is None,
    )  # fmt: skip
    draft.send_confirm(order, ConfirmState.HELD if slot else ConfirmState.ATTACHED)


_TAKEABLE: Final = frozenset({OrderState.ISSUED, OrderState.DELIVERED, OrderState.EXPIRED})
