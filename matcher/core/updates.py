"""A running order told anew: by class, and until the crew has said that they read it.

`safety` must be acknowledged, unread after 15 s the desk is told; `place` re-routes; `note` is
silent.
"""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core.board import Board, Incident, Order
from matcher.core.draft import Draft
from protocol.dispatch import Revision
from protocol.order import HELD

READ_WITHIN_MS: Final = 15_000


def revise_all(draft: Draft, incident: Incident, revision_class: Revision) -> None:
    """Every open order of the incident anew, those of neighbours that only hear too."""
    for order in draft.board.orders_of(incident):
        if order.is_open:
            revise(draft, order, revision_class)


def revise(draft: Draft, order: Order, revision_class: Revision) -> None:
    """The next revision of an order, to every terminal of its unit."""
    must_read = revision_class is Revision.SAFETY and order.binds
    life_ms = draft.board.book.offer_life_ms(order.priority) if order.state in HELD else 0
    draft.emit(
        ev.OrderRevised(
            draft.now_ms, order.order, order.revision + 1, int(revision_class),
            draft.now_ms + READ_WITHIN_MS if must_read else None,
            max(order.expires_ms, draft.now_ms + life_ms),
        )
    )  # fmt: skip
    draft.send_order(order)


def on_read(draft: Draft, order: Order, revision: int, by: str) -> None:
    if revision > order.read_revision:
        draft.emit(ev.OrderRead(draft.now_ms, order.order, revision, by))


def unread_until_ms(board: Board) -> list[int]:
    """When each unread safety update is due."""
    times = (board.orders[order].read_by_ms for order in board.unread_ids)
    return [due_ms for due_ms in times if due_ms is not None]


def tell_unread(draft: Draft) -> None:
    """The desk hears of each safety update that nobody has read in time."""
    for order_id in sorted(draft.board.unread_ids):
        order = draft.board.orders[order_id]
        if order.read_by_ms is not None and order.read_by_ms <= draft.now_ms:
            draft.emit(ev.ReadOverdue(draft.now_ms, order_id))
            number = draft.board.incidents[order.incident].number
            if order.is_open:
                draft.alert(
                    "safety_unread", f"{order_id}-{order.revision}",
                    f"{number}: {order.unit} has not read the safety update: call by radio",
                    unit=order.unit, incident=order.incident, order=order_id,
                )  # fmt: skip
