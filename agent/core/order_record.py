"""A card as it lies in the store: one CBOR array; only this terminal reads it."""

from typing import Final

from agent.core.orders import Card
from protocol import cbor, dispatch
from protocol.dispatch import Numbered, Order
from protocol.order import OrderState
from protocol.refusal import Reason, Refused

_BYTES_MAX: Final = 16384
_FIELDS: Final = 11
_FIELDS_BEFORE: Final = 8  # in stores of releases without the last three


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
            card.shown_ms,
            card.chimed,
            card.means,
        ]
    )


def decode_card(data: bytes) -> Card:
    """Raises Refused."""
    said = cbor.decode(data, _BYTES_MAX)
    is_old = isinstance(said, list) and len(said) == _FIELDS_BEFORE
    fields = cbor.array(said, _FIELDS_BEFORE if is_old else _FIELDS, "stored order")
    order, state, shown, confirm, by, kept, read, answered, *newer = fields
    shown_ms, chimed, means = newer or (None, shown, None)
    body = dispatch.decode(order).body
    if not isinstance(body, Order):
        raise Refused(Reason.MALFORMED, f"stored order: holds a {type(body).__name__}")
    kept_message = None if kept is None else dispatch.decode(kept)
    return Card(
        body, OrderState(state), shown, confirm, by, kept_message, read, answered, shown_ms,
        chimed, means,
    )  # fmt: skip
