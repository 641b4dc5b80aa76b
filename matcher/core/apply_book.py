"""What the events of the codebook do to the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from matcher.core import events_book as ev
from matcher.core.board import Board
from matcher.core.book import book_of


def _taken(board: Board, e: ev.CodebookTaken) -> None:
    board.book = book_of(e.text)


def _referred(board: Board, e: ev.CallReferred) -> None:
    incident = board.incidents[e.incident]
    incident.referred_to = e.services
    incident.revision += 1


def _plan_raised(board: Board, e: ev.PlanRaised) -> None:
    incident = board.incidents[e.incident]
    incident.plan_units, incident.plan_officers = e.units, e.officers
    incident.capabilities, incident.alert = e.capabilities, e.alert
    incident.staging_m = e.staging_m
    incident.revision += 1


APPLY: Final[dict[type[Any], Callable[[Board, Any], None]]] = {
    ev.CodebookTaken: _taken,
    ev.CallReferred: _referred,
    ev.PlanRaised: _plan_raised,
}
