"""One officer alone is never sent to a plan of two without being told to wait, and for whom."""

from __future__ import annotations

from matcher.core import events as ev
from matcher.core.board import Incident, Order
from matcher.core.draft import Draft
from matcher.core.visibility import knows


def tell_to_wait(draft: Draft, incident: Incident) -> list[Order]:
    """Journal what each lone officer is told now; returns the orders for whom that is new."""
    changed = []
    for order in draft.board.open_orders_of(incident):
        told = (order.wait_for, order.wait_s)
        wanted = _wait_of(draft, incident, order)
        if wanted is not None and wanted != told:
            draft.emit(ev.OrderWaits(draft.now_ms, order.order, *wanted))
            changed.append(order)
    return changed


def _wait_of(draft: Draft, incident: Incident, order: Order) -> tuple[str | None, int] | None:
    """(unit, seconds after) that this order's crew should wait for; None: it need not wait."""
    units = draft.board.units
    if units[order.unit].officers_now != 1 or incident.plan_officers < 2:
        return None
    own_ms = order.eta_ms or 0
    others = [
        (max(0, (o.eta_ms or own_ms) - own_ms), o.unit)
        for o in draft.board.open_orders_of(incident)
        if o.order != order.order
        and units[o.unit].officers_now > 0
        and knows(draft.board, order.unit, o.unit)
    ]
    if not others:
        return None, 0
    later_ms, unit = min(others)
    return unit, -(-later_ms // 1000)
