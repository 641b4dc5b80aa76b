"""What an alert's events do to the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from matcher.core import events as ev
from matcher.core.board import Alert, Board


def _raised(board: Board, e: ev.AlertRaised) -> None:
    incident = board.incidents.get(e.incident or "")
    board.alerts[e.alert] = Alert(
        e.alert, e.kind, e.unit, e.incident, e.order, e.text, e.at_ms,
        exercise=incident is not None and incident.exercise,
    )  # fmt: skip


def _acknowledged(board: Board, e: ev.AlertAcknowledged) -> None:
    board.alerts[e.alert].acknowledged_by = e.by


APPLY: Final[dict[type[Any], Callable[[Board, Any], None]]] = {
    ev.AlertRaised: _raised,
    ev.AlertAcknowledged: _acknowledged,
}
