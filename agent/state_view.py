"""The terminal as its crew sees it: one `State` line, never longer than a reader takes.

Open orders first, newest first; closed ones while there is room. Pure.
"""

import json
from typing import Any, Final

from agent.core import codes
from agent.core.fix import Fix
from agent.core.orders import Card
from agent.core.terminal import State
from protocol import device
from protocol.codebook_model import Codebook
from protocol.dispatch import ConfirmState, Revision
from protocol.fields import named
from protocol.order import OPEN, AnswerMeans
from protocol.words import Status

ORDERS_BYTES_MAX: Final = 9_000  # a line has 16,384
MESSAGES_SHOWN_MAX: Final = 5
CLOSED_SHOWN_MAX: Final = 8


def view(
    state: State,
    *,
    terminal: str,
    is_up: bool,
    welcomed: bool,
    waiting_entries: int,
    fix: dict[str, Any] | None,
    refused: dict[str, int],
    store: dict[str, int],
    book: Codebook | None = None,
) -> device.State:
    return device.State(
        terminal=terminal,
        unit=state.crew.unit,
        logon=state.crew.logon,
        status=Status(state.crew.status).word,
        link="up" if is_up else "down",
        welcomed=welcomed,
        waiting_entries=waiting_entries,
        fix=fix,
        orders=tuple(_fitting(state, book)),
        messages=tuple(
            named(note.message) | {"state": note.state}
            for note in tuple(state.desk.notes.values())[-MESSAGES_SHOWN_MAX:]
        ),
        refused=refused,
        store=store,
    )


def fix_view(fix: Fix, age_ms: int, trust: str) -> dict[str, Any]:
    return {
        "time_ms": fix.epoch_ms,
        "time_trust": trust,
        "lat": fix.lat_deg,
        "lon": fix.lon_deg,
        "sog_mps": fix.sog_mps,
        "cog_deg": fix.cog_deg,
        "fix": fix.kind.value,
        "satellites": fix.satellites,
        "hdop": fix.hdop,
        "flags": list(fix.flags),
        "age_ms": age_ms,
    }


def card_view(card: Card, book: Codebook | None = None) -> dict[str, Any]:
    """The order's own names, what the codebook calls its codes, and what became of it here."""
    confirm = None if card.confirm is None else ConfirmState(card.confirm).name.lower()
    return {
        **named(card.order), **codes.names(book, card.order),
        "state": card.state.value, "confirm": confirm, "by": card.by,
        "shown_revision": card.shown, "read_revision": card.read, "answered": card.answered,
        "shown_at_ms": card.shown_ms, "chime": card.state in OPEN and card.chimed != card.shown,
        "means": None if card.means is None else AnswerMeans(card.means).name.lower(),
        "must_read": card.order.revision_class == Revision.SAFETY and card.read != card.shown,
    }  # fmt: skip


def _fitting(state: State, book: Codebook | None) -> list[dict[str, Any]]:
    shown = [card for card in state.desk.cards.values() if card.shown is not None]
    shown.sort(key=lambda card: (card.state not in OPEN, -card.order.issued_ms))
    views: list[dict[str, Any]] = []
    size, closed = 0, 0
    for card in shown:
        one = card_view(card, book)
        closed += card.state not in OPEN
        size += len(json.dumps(one, ensure_ascii=False).encode())
        if size > ORDERS_BYTES_MAX or closed > CLOSED_SHOWN_MAX:
            break
        views.append(one)
    return views
