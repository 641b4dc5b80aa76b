"""Who sends: the rule at once, the rule unless stopped, or a person. Per priority."""

from __future__ import annotations

from typing import Final

from matcher.core.board import Board, Incident

AUTO, AUTO_VETO, RECOMMEND, BY_PRIORITY = "auto", "auto_veto", "recommend", "by_priority"
VETO_S_DEFAULT: Final = 10
UNTOUCHED_MS: Final = 30_000  # a recommendation nobody touched is told once more, louder


def mode_of(board: Board, priority: int) -> tuple[str, int]:
    """(mode, veto_s) at a priority: a supervisor's word, else the settings'; no SOS waits.

    Settings that say `by_priority` leave it to the codebook.
    """
    if priority == 0:
        return AUTO, VETO_S_DEFAULT
    found = board.modes.get(priority)
    if found is not None:
        return found
    if board.mode == BY_PRIORITY:
        known = board.book.codes.priority(priority)
        return known.mode, known.veto_s
    return board.mode, VETO_S_DEFAULT


def sends_now(board: Board, incident: Incident, now_ms: int) -> bool:
    """Whether the rule may send to this incident at this moment."""
    if incident.stopped:
        return False
    mode, _ = mode_of(board, incident.priority)
    if mode == AUTO_VETO:
        return incident.due_ms is not None and incident.due_ms <= now_ms
    return mode == AUTO


def due_ms(board: Board, incident: Incident, now_ms: int) -> int | None:
    """When the rule will send what it proposes now; None: never by itself."""
    mode, veto_s = mode_of(board, incident.priority)
    return now_ms + veto_s * 1000 if mode == AUTO_VETO and not incident.stopped else None
