"""A card as it lies in the store: one CBOR array; only this terminal reads it."""

from typing import Final

from agent.core.orders import Card
from protocol import cbor, dispatch
from protocol.dispatch import Numbered, Order
from protocol.order import OrderState
from protocol.refusal import Reason, Refused

_BYTES_MAX: Final = 16384


def encode_card(card: Card) -> bytes:
    return cbor.encode(
        [
            dispatch.encode(Numbered(0, 1, card.order)),
            card.state.value,
            card.shown,
            card.confirm,
            card.by,
            None if card.kept is None else dispatch.encode(card.kept),
            card.read,
            card.answered,
        ]
    )


def decode_card(data: bytes) -> Card:
    """Raises Refused."""
    order, state, shown, confirm, by, kept, read, answered = cbor.array(
        cbor.decode(data, _BYTES_MAX), 8, "stored order"
    )
    body = dispatch.decode(order).body
    if not isinstance(body, Order):
        raise Refused(Reason.MALFORMED, f"stored order: holds a {type(body).__name__}")
    kept_message = None if kept is None else dispatch.decode(kept)
    return Card(body, OrderState(state), shown, confirm, by, kept_message, read, answered)
