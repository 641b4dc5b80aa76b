"""Notes of a place as a crew reads them: who says so, since when, and that nobody has checked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from matcher.core.board import Board, Premise
from matcher.core.places import is_within
from protocol.dispatch import Place

NEAR_M: Final = 30


def notes_at(board: Board, place: Place, now_ms: int) -> list[Premise]:
    """Notes of a place that have not expired, oldest first."""
    return [
        premise
        for premise in board.premises.values()
        if premise.expires_ms > now_ms and is_within(premise.place, place, NEAR_M)
    ]


def as_lines(premises: list[Premise]) -> str:
    """For the crew: what, who says so, since when; never as a fact."""
    return "\n".join(
        f"未核实 unverified ({premise.source}, {_day(premise.at_ms)}): {premise.text}"
        for premise in premises
    )


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).date().isoformat()
