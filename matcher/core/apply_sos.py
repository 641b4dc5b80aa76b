"""What the events of an SOS do to the board."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from matcher.core import events_sos as ev
from matcher.core.board import Board
from matcher.core.board_sos import SOURCES_MAX, Sos, SosTest


def _raised(board: Board, e: ev.SosRaised) -> None:
    board.sos[e.incident] = Sos(e.incident, e.at_ms, e.silent)
    _called(board, e)


def _joined(board: Board, e: ev.SosJoined) -> None:
    sos = board.sos[e.incident]
    sos.silent = sos.silent or e.silent
    sos.false_alarm_by = None  # whoever calls again means it
    _called(board, e)
    board.incidents[e.incident].revision += 1


def _called(board: Board, e: ev.SosRaised | ev.SosJoined) -> None:
    sos = board.sos[e.incident]
    sos.sources = [*sos.sources, e.source][-SOURCES_MAX:]
    if e.device not in sos.devices:
        sos.devices.append(e.device)
    if e.unit is not None and e.unit not in sos.units:
        sos.units.append(e.unit)


def _acknowledged(board: Board, e: ev.SosAcknowledged) -> None:
    board.sos[e.incident].acknowledged_by = e.by
    board.incidents[e.incident].revision += 1


def _escalated(board: Board, e: ev.SosEscalated) -> None:
    board.sos[e.incident].told.append(e.step)


def _said(board: Board, e: ev.SosSaid) -> None:
    board.terminals[e.enrolment].status_order = e.order
    if e.is_false_alarm:
        board.sos[e.incident].false_alarm_by = e.unit
        board.incidents[e.incident].revision += 1


def _test_permitted(board: Board, e: ev.SosTestPermitted) -> None:
    board.sos_tests[e.device] = SosTest(e.at_ms, e.until_ms, e.by)


def _tested(board: Board, e: ev.SosTested) -> None:
    permit = board.sos_tests[e.device]
    permit.sources = [*permit.sources, e.source][-SOURCES_MAX:]


def _vacated(board: Board, e: ev.OrderVacated) -> None:
    order = board.orders[e.order]
    order.attached = True
    board.incidents[order.incident].revision += 1


APPLY: Final[dict[type[Any], Callable[[Board, Any], None]]] = {
    ev.SosRaised: _raised,
    ev.SosJoined: _joined,
    ev.SosAcknowledged: _acknowledged,
    ev.SosEscalated: _escalated,
    ev.SosSaid: _said,
    ev.SosTestPermitted: _test_permitted,
    ev.SosTested: _tested,
    ev.OrderVacated: _vacated,
}
