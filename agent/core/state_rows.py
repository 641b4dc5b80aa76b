"""The terminal's state as rows of its store, and only the rows that a decision changed; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from agent.core import crew as crew_codec
from agent.core import notes
from agent.core.crew import Crew
from agent.core.order_record import decode_card, encode_card
from agent.core.orders import Desk
from agent.core.terminal import State
from protocol import cbor
from protocol.window import Window

CREW, WINDOW, NOTES = "crew", "window", "notes"
_BITS_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Rows:
    """What must be written; None forgets a row."""

    meta: Mapping[str, object]
    cards: Mapping[str, bytes | None]
    cancels: Mapping[str, int | None]

    def __bool__(self) -> bool:
        return bool(self.meta or self.cards or self.cancels)


def rows_between(before: State, after: State) -> Rows:
    meta: dict[str, object] = {}
    if after.crew != before.crew:
        meta[CREW] = crew_codec.encode(after.crew)
    if after.window != before.window:
        meta[WINDOW] = encode_window(after.window)
    if after.desk.notes != before.desk.notes:
        meta[NOTES] = notes.encode(after.desk.notes)
    old, new = before.desk, after.desk
    cards: dict[str, bytes | None] = {
        name: encode_card(card) for name, card in new.cards.items() if old.cards.get(name) != card
    }
    cards |= {name: None for name in old.cards if name not in new.cards}
    cancels: dict[str, int | None] = {
        name: until for name, until in new.cancels.items() if old.cancels.get(name) != until
    }
    cancels |= {name: None for name in old.cancels if name not in new.cancels}
    return Rows(meta, cards, cancels)


def state_of(
    meta: Mapping[str, object], cards: Iterable[bytes], cancels: Mapping[str, int]
) -> State:
    """The state that was kept; raises Refused where the store holds something else."""
    crew, window, said = meta.get(CREW), meta.get(WINDOW), meta.get(NOTES)
    found = sorted((decode_card(data) for data in cards), key=lambda card: card.order.issued_ms)
    return State(
        crew_codec.decode(crew) if isinstance(crew, bytes) else Crew(),
        Desk(
            MappingProxyType({card.order.order: card for card in found}),
            MappingProxyType(dict(cancels)),
            notes.decode(said) if isinstance(said, bytes) else notes.no_notes(),
        ),
        decode_window(window) if isinstance(window, bytes) else Window(),
    )


def encode_window(window: Window) -> bytes:
    return cbor.encode([window.term, window.floor, window.bits.to_bytes(_BITS_BYTES, "big")])


def decode_window(data: bytes) -> Window:
    """Raises Refused."""
    term, floor, bits = cbor.array(cbor.decode(data), 3, "stored window")
    return Window(int(term), int(floor), int.from_bytes(bits, "big"))
