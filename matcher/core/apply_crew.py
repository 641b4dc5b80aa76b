"""What the events of crews by themselves do to the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from matcher.core import events_crew as ev
from matcher.core.board import Board
from matcher.core.board_sos import Watch


def _touched(board: Board, e: ev.UnitTouched) -> None:
    board.units[e.unit].touched_ms = e.at_ms
    board.watches.pop(e.unit, None)


def _welfare_asked(board: Board, e: ev.WelfareAsked) -> None:
    board.made["welfare"] = board.made.get("welfare", 0) + 1
    board.watches[e.unit] = Watch(e.order, e.at_ms)


def _welfare_unanswered(board: Board, e: ev.WelfareUnanswered) -> None:
    board.watches[e.unit].told = True


def _self_initiated(board: Board, e: ev.SelfInitiated) -> None:
    board.incidents[e.incident].own_of = e.unit


def _in_exercise(board: Board, e: ev.UnitInExercise) -> None:
    board.units[e.unit].exercise = e.on


APPLY: Final[dict[type[Any], Callable[[Board, Any], None]]] = {
    ev.UnitTouched: _touched,
    ev.WelfareAsked: _welfare_asked,
    ev.WelfareUnanswered: _welfare_unanswered,
    ev.SelfInitiated: _self_initiated,
    ev.UnitInExercise: _in_exercise,
}
