"""An SOS that nobody acknowledges: after 10 s every desk hears it, after 20 s whoever is near."""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core.assign import rank
from matcher.core.board import Board, Incident
from matcher.core.board_sos import DESKS, NEIGHBOURS, Sos
from matcher.core.commands import Estimates
from matcher.core.draft import Draft
from matcher.core.neighbours import tell_neighbours
from matcher.core.sos_call import open_ones

DESKS_MS: Final = 10_000
NEIGHBOURS_MS: Final = 20_000
HEAR_WITHIN_MS: Final = 180_000


def deadlines_ms(board: Board) -> list[int]:
    return [due_ms for sos in open_ones(board) if (due_ms := _due_ms(board, sos)) is not None]


def due(board: Board, now_ms: int) -> list[Sos]:
    """Those that nobody has acknowledged in time."""
    found = ((sos, _due_ms(board, sos)) for sos in open_ones(board))
    return [sos for sos, due_ms in found if due_ms is not None and due_ms <= now_ms]


def _due_ms(board: Board, sos: Sos) -> int | None:
    if sos.acknowledged_by is not None:
        return None
    if DESKS not in sos.told:
        return sos.raised_ms + DESKS_MS
    if NEIGHBOURS not in sos.told and not board.incidents[sos.incident].stopped:
        return sos.raised_ms + NEIGHBOURS_MS
    return None


def on_tick(draft: Draft, estimates: dict[str, Estimates]) -> None:
    for sos in due(draft.board, draft.now_ms):
        incident = draft.board.incidents[sos.incident]
        if DESKS not in sos.told:
            draft.emit(ev.SosEscalated(draft.now_ms, sos.incident, DESKS))
            draft.alert(
                "sos_unacknowledged", sos.incident,
                f"{incident.number}: nobody has acknowledged this SOS", incident=sos.incident,
            )  # fmt: skip
        else:
            draft.emit(ev.SosEscalated(draft.now_ms, sos.incident, NEIGHBOURS))
            _let_near_hear(draft, incident, estimates.get(sos.incident))


def _let_near_hear(draft: Draft, incident: Incident, estimates: Estimates | None) -> None:
    """Whoever could be there within three minutes hears it and may take it by one touch."""
    near = rank(draft.board, incident, estimates).candidates
    tell_neighbours(draft, incident, [c for c in near if c.eta_ms <= HEAR_WITHIN_MS])
