"""Units that are not open to all: restricted to a group, or covert. Nothing outside names them.

No rule sends them and no text to others does so much as count them; a person of their group sends
them by hand. A covert unit leaves no retained state.
"""

from __future__ import annotations

from typing import Final

from matcher.core.board import Board, Incident, Order, Unit

OPEN, RESTRICTED, COVERT = "open", "restricted", "covert"
GROUP_ROLE: Final = "group-"  # a person's role that opens a group


def is_open(unit: Unit) -> bool:
    return unit.visibility == OPEN


def may_see(unit: Unit, roles: tuple[str, ...]) -> bool:
    """Whether a person of these roles knows of the unit."""
    return is_open(unit) or f"{GROUP_ROLE}{unit.group}" in roles


def open_orders(board: Board, incident: Incident) -> list[Order]:
    """Its orders that may be named to all."""
    return [o for o in board.orders_of(incident) if is_open(board.units[o.unit])]


def groups_of(board: Board, incident: Incident) -> tuple[str, ...]:
    """Groups that have a unit on it."""
    units = (board.units[order.unit] for order in board.orders_of(incident))
    return tuple(sorted({unit.group for unit in units if not is_open(unit)}))


def is_hidden(board: Board, incident: Incident) -> bool:
    """Whether only hidden units are, or were, on it: then it is named nowhere else."""
    return bool(incident.orders) and not open_orders(board, incident)


def hidden_units(board: Board) -> frozenset[str]:
    return frozenset(unit.unit for unit in board.units.values() if not is_open(unit))
