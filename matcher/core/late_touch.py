"""A crew's touch that comes after the desk's entry by voice: history, and both sides are told."""

from __future__ import annotations

from matcher.core.board import Order
from matcher.core.draft import Draft
from protocol.order import STEP_OF_ANSWER, AnswerMeans, OrderState, OrderStep

NEXT_OF = {
    OrderStep.DEPART: OrderState.EN_ROUTE,
    OrderStep.ARRIVE: OrderState.ON_SCENE,
    OrderStep.CLEAR: OrderState.CLEARED,
    OrderStep.DECLINE: OrderState.DECLINED,
}


def tell_late_touch(draft: Draft, order: Order, step: OrderStep) -> None:
    """The desk had entered more by voice: the touch is history, and both sides are told."""
    state = OrderState(order.state)
    if order.means.get(state) != AnswerMeans.BY_DESK or NEXT_OF.get(step) == state:
        return
    draft.alert(
        "late_touch", f"{order.order}-{step}",
        f"{order.unit}: {step} came after {state} by the desk; it is history",
        unit=order.unit, incident=order.incident, order=order.order,
    )  # fmt: skip
    said = next((a for a, s in STEP_OF_ANSWER.items() if NEXT_OF.get(s) == state), None)
    if said is not None:
        draft.send_answered(order, "desk", said, counts=True)
