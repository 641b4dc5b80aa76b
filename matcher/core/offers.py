"""Offers: filling an incident's plan, withdrawing, and what an answer does."""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core import modes, preempt
from matcher.core.alone import tell_to_wait
from matcher.core.assign import (
    SLOTS_MAX,
    Ranking,
    fitting,
    missing_capabilities,
    missing_officers,
    open_slot,
    rank,
)
from matcher.core.board import INCIDENT_CLOSED, Incident, IncidentState, Order
from matcher.core.commands import Estimates
from matcher.core.draft import Draft
from matcher.core.exercise import why_not as why_not_both
from matcher.core.leaving import leave
from matcher.core.neighbours import let_neighbours_hear, take
from matcher.core.sos_desk import helpers_gone
from matcher.core.updates import revise
from protocol.dispatch import ConfirmState, Revision
from protocol.order import HELD, OFFERED, AnswerMeans, OrderKind, OrderState, OrderStep

RULE_NEAREST: Final = "nearest-live"
RULE_PERSON: Final = "chosen-by-person"
RULE_NOBODY: Final = "nobody"
RULE_AUTO: Final = "rule:auto"
RULE_VETO: Final = "rule:auto-veto"
_RANK_SHOWN: Final = 3


def fill(draft: Draft, incident: Incident, estimates: Estimates | None) -> None:
    """Offer every open place of the plan to the best unit, or journal why it waits."""
    if incident.state in INCIDENT_CLOSED:
        return
    made: list[str] = []
    rule = RULE_VETO if incident.due_ms is not None else RULE_AUTO
    sends = modes.sends_now(draft.board, incident, draft.now_ms)
    ranking = rank(draft.board, incident, estimates)
    while (slot := open_slot(draft.board, incident)) is not None:
        if not sends:
            _recommend(draft, incident, ranking)
            if not ranking.candidates:
                preempt.propose(draft, incident, estimates)
            break
        best = fitting(draft.board, incident, ranking)
        if best is None:
            _wait(draft, incident, ranking)
            preempt.propose(draft, incident, estimates)
            break
        made.append(decide_order(draft, incident, best.unit, slot, ranking, RULE_NEAREST, rule))
        ranking = rank(draft.board, incident, estimates)
    else:
        if _is_short(draft, incident):
            _wait(draft, incident, ranking)
        elif incident.waits is not None:
            draft.emit(ev.IncidentWaits(draft.now_ms, incident.incident, None))
    told = tell_to_wait(draft, incident)
    for order in made:  # after all are known: each is told who else goes
        draft.send_order(draft.board.orders[order])
    for changed in told:
        if changed.order not in made:
            revise(draft, changed, Revision.SAFETY)
    if made or sends:
        let_neighbours_hear(draft, incident, ranking)


def decide_order(
    draft: Draft,
    incident: Incident,
    unit: str,
    slot: int,
    ranking: Ranking,
    rule: str,
    issuer: str,
    reason: str | None = None,
    *,
    by_radio: bool = False,
) -> str:
    """The decision and the order, not yet sent."""
    board, now_ms = draft.board, draft.now_ms
    order_id = draft.new_id("order")
    eta_ms = next((c.eta_ms for c in ranking.candidates if c.unit == unit), None)
    leave(draft, board.units[unit], f"{incident.number} ({incident.incident})")
    kind = OrderKind.ASSIGN if slot == 1 else OrderKind.BACKUP
    draft.emit(
        ev.Decided(
            now_ms, incident.incident, order_id, rule, ranking.candidates, ranking.left_out, reason
        )
    )
    draft.emit(
        ev.OrderIssued(
            now_ms, order_id, incident.incident, unit, kind.value, slot, board.units[unit].logon,
            now_ms + board.book.offer_life_ms(incident.priority),
            board.book.answer_s(incident.priority), issuer, eta_ms, by_radio,
        )
    )  # fmt: skip
    return order_id


def _is_short(draft: Draft, incident: Incident) -> bool:
    return bool(
        missing_officers(draft.board, incident) or missing_capabilities(draft.board, incident)
    )


def _wait(draft: Draft, incident: Incident, ranking: Ranking) -> None:
    wanted = missing_capabilities(draft.board, incident)
    if open_slot(draft.board, incident) is None:
        reason = f"all {SLOTS_MAX} places are taken"
    elif ranking.candidates and wanted:
        reason = f"no unit with {', '.join(wanted)}"
    else:
        reason = "no unit can be sent" if ranking.left_out else "no unit has a position"
    if incident.waits == reason:
        return
    draft.emit(ev.Decided(draft.now_ms, incident.incident, None, RULE_NOBODY, (), ranking.left_out))
    draft.emit(ev.IncidentWaits(draft.now_ms, incident.incident, reason))
    draft.alert(
        "short_of_plan", incident.incident, f"{incident.number}: {reason}",
        incident=incident.incident, again=True,
    )  # fmt: skip


def _recommend(draft: Draft, incident: Incident, ranking: Ranking) -> None:
    """Name the best three; in mode auto_veto also the instant at which the rule sends."""
    if incident.waits is not None:
        return
    best = ranking.candidates[:_RANK_SHOWN]
    due_ms = modes.due_ms(draft.board, incident, draft.now_ms) if best else None
    named = ", ".join(f"{c.unit} {c.eta_ms // 1000} s" for c in best) or "no unit"
    draft.emit(
        ev.Decided(
            draft.now_ms, incident.incident, None, RULE_NEAREST,
            ranking.candidates, ranking.left_out,
        )
    )  # fmt: skip
    waits = "waits for a dispatcher" if due_ms is None else "the rule sends unless it is stopped"
    draft.emit(ev.IncidentWaits(draft.now_ms, incident.incident, waits, best, due_ms))
    draft.alert(
        "recommendation", incident.incident, f"{incident.number}: {named}",
        incident=incident.incident, again=True,
    )  # fmt: skip


def accept(draft: Draft, order: Order, by: str, means: AnswerMeans, at_ms: int) -> None:
    """An accept, in time or late: first committed wins the place, a cancel beats both."""
    state, incident = OrderState(order.state), draft.board.incidents[order.incident]
    if why_not_both(draft.board.units[order.unit], incident) is not None:
        draft.send_confirm(order, ConfirmState.CANCELLED)
        return
    if order.kind == OrderKind.ALERT:
        take(draft, order, by, means, at_ms)
        settle(draft, incident)
        return
    if state in OFFERED:
        _give_place(draft, order, by, means, at_ms)
    elif state is OrderState.EXPIRED:
        _late(draft, order, by, means, at_ms)
    elif state in (OrderState.CANCELLED, OrderState.SUPERSEDED, OrderState.DECLINED):
        draft.send_confirm(order, ConfirmState.CANCELLED)


def _holder(draft: Draft, order: Order) -> Order | None:
    incident = draft.board.incidents[order.incident]
    for other in draft.board.orders_of(incident):
        if other.order != order.order and other.slot == order.slot and other.holds_place:
            return other
    return None


def _late(draft: Draft, order: Order, by: str, means: AnswerMeans, at_ms: int) -> None:
    incident = draft.board.incidents[order.incident]
    unit, holder = draft.board.units[order.unit], _holder(draft, order)
    if incident.state in INCIDENT_CLOSED:
        draft.send_confirm(order, ConfirmState.CANCELLED)
    elif holder is not None or unit.order is not None:
        draft.send_confirm(order, ConfirmState.TOO_LATE, holder.unit if holder else None)
    else:
        _give_place(draft, order, by, means, at_ms)


def _give_place(draft: Draft, order: Order, by: str, means: AnswerMeans, at_ms: int) -> None:
    draft.step(order, OrderStep.ACCEPT, by, means, at_ms=at_ms)
    holder = _holder(draft, order)
    if holder is None:
        draft.step(order, OrderStep.CONFIRM, "rule:confirm", AnswerMeans.AUTOMATIC)
        draft.send_confirm(order, ConfirmState.HELD)
        if draft.board.book.silence_releases(order.priority):
            _withdraw_others(draft, order)
    elif not draft.board.book.silence_releases(order.priority):
        draft.step(order, OrderStep.CONFIRM, "rule:attach", AnswerMeans.AUTOMATIC, attached=True)
        draft.send_confirm(order, ConfirmState.ATTACHED, holder.unit)
    else:
        draft.step(
            order, OrderStep.SUPERSEDE, "rule:confirm", AnswerMeans.AUTOMATIC, reason="place_taken"
        )
        draft.send_confirm(order, ConfirmState.TOO_LATE, holder.unit)
    settle(draft, draft.board.incidents[order.incident])


def _withdraw_others(draft: Draft, winner: Order) -> None:
    """At priority 3-4 the other offers for the place are withdrawn in the same transaction."""
    incident = draft.board.incidents[winner.incident]
    for other in draft.board.open_orders_of(incident):
        is_for_it = other.slot == winner.slot and not other.holds_place and not other.attached
        if other.order != winner.order and is_for_it:
            close(draft, other, OrderStep.SUPERSEDE, "place_taken", "rule:confirm", winner.order)


def close(
    draft: Draft,
    order: Order,
    step: OrderStep,
    reason: str,
    by: str,
    superseded_by: str | None = None,
    means: AnswerMeans = AnswerMeans.AUTOMATIC,
) -> None:
    """Cancel, supersede or expire an open order and tell the terminal."""
    draft.step(order, step, by, means, reason=reason)
    draft.send_cancel(order, reason, by, superseded_by)


def close_all(
    draft: Draft,
    incident: Incident,
    reason: str,
    by: str,
    means: AnswerMeans = AnswerMeans.AUTOMATIC,
) -> None:
    """Cancel whatever is open for an incident, alerts to neighbours too."""
    for order in draft.board.orders_of(incident):
        if order.is_open:
            close(draft, order, OrderStep.CANCEL, reason, by, means=means)


def settle(draft: Draft, incident: Incident) -> None:
    """Bring the incident's state in line with its orders."""
    if incident.state in INCIDENT_CLOSED:
        return
    orders = draft.board.orders_of(incident)
    states = {o.state for o in orders if o.state in HELD}
    if OrderState.ON_SCENE in states:
        state = IncidentState.ON_SCENE
    elif OrderState.EN_ROUTE in states:
        state = IncidentState.EN_ROUTE
    elif OrderState.CONFIRMED in states:
        state = IncidentState.ASSIGNED
    elif any(o.state == OrderState.CLEARED for o in orders):
        if incident.incident in draft.board.sos:
            helpers_gone(draft, incident)
        else:
            _clear_incident(draft, incident)
        return
    else:
        state = IncidentState.PENDING
    if state != incident.state:
        draft.emit(ev.IncidentMoved(draft.now_ms, incident.incident, state.value, "rule", None))


def _clear_incident(draft: Draft, incident: Incident) -> None:
    """The last unit on it cleared: offers that are still open are withdrawn."""
    close_all(draft, incident, "incident_cleared", "rule:cleared")
    last = max(
        (o for o in draft.board.orders_of(incident) if o.state == OrderState.CLEARED),
        key=lambda o: (o.times_ms[OrderState.CLEARED], o.order),
    )
    draft.emit(
        ev.IncidentMoved(
            draft.now_ms, incident.incident, IncidentState.CLEARED.value, last.unit, last.reason
        )
    )
