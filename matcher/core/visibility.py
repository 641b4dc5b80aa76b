"""Units that are not open to all: restricted to a group, or covert. Nothing outside names them.

No rule sends them and no topic open to others does so much as count them; a person of their group
sends them by hand. A covert unit leaves no retained state. One exception, since a life is at
stake: an SOS of such a unit is told to all, without its name (decision 0027). Called by the rules
that write texts, by requests, and by all that shows the board.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from matcher.core.board import INCIDENT_CLOSED, Alert, Board, Incident, Order, Unit
from protocol.groups import groups_of_roles

OPEN, RESTRICTED, COVERT = "open", "restricted", "covert"
TOLD_TO_ALL: Final = frozenset(
    {
        "sos", "sos_again", "sos_unacknowledged", "sos_false_alarm", "sos_crew_says", "sos_open",
        "restored_journal",
    }
)  # fmt: skip
LISTS_UNITS: Final = frozenset({"recommendation", "recommendation_untouched"})
SOMEBODY: Final = "officer 民警"
_INCIDENT: Final = re.compile(r"(?<![\w-])i-\d+-\d+(?![\w-])")  # as Draft.new_id makes them


@dataclass(frozen=True, slots=True)
class Audience:
    """Who reads it: a group, or all (""); and whether it may stay at the broker."""

    group: str = ""
    retained: bool = True


ALL: Final = Audience()


def is_open(unit: Unit) -> bool:
    return unit.visibility == OPEN


def may_see(unit: Unit, roles: tuple[str, ...]) -> bool:
    """Whether a person of these roles knows of the unit."""
    return is_open(unit) or unit.group in groups_of_roles(roles)


def is_for(unit: Unit, group: str) -> bool:
    """Whether an audience's texts may name the unit; `group` "": all."""
    return is_open(unit) or unit.group == group


def knows(board: Board, crew: str, other: str) -> bool:
    """Whether a crew may read another unit's name: open ones, and those of its own group."""
    own = board.units[crew]
    return is_for(board.units[other], "" if is_open(own) else own.group)


def hidden_units(board: Board, group: str = "") -> frozenset[str]:
    """Units that an audience does not know of."""
    return frozenset(unit.unit for unit in board.units.values() if not is_for(unit, group))


# --- incidents -----------------------------------------------------------------------------------


def is_hidden(board: Board, incident: Incident) -> bool:
    """Whether hidden units are alone on it, or ended it alone; an SOS never is.

    What a hidden unit gave back is everybody's again, unless it had begun it itself.
    """
    if incident.incident in board.sos:
        return False
    orders = board.orders_of(incident)
    on_it = [order for order in orders if order.is_open]
    if not on_it and incident.state not in INCIDENT_CLOSED:
        own = board.units.get(incident.own_of or "")
        return own is not None and not is_open(own)
    on_it = on_it or orders
    return bool(on_it) and not any(is_open(board.units[order.unit]) for order in on_it)


def groups_of(board: Board, incident: Incident) -> tuple[str, ...]:
    """Groups that have, or had, a unit on it."""
    return tuple(sorted({unit.group for unit in _hidden_on(board, incident)}))


def audiences_of(board: Board, incident: Incident) -> tuple[Audience, ...]:
    """All, unless it is hidden; and each group that has a unit on it, which reads of that too."""
    hidden = _hidden_on(board, incident)
    groups = [
        Audience(group, not any(u.group == group and u.visibility == COVERT for u in hidden))
        for group in sorted({unit.group for unit in hidden})
    ]
    return tuple(groups) if is_hidden(board, incident) else (ALL, *groups)


def _hidden_on(board: Board, incident: Incident) -> list[Unit]:
    names = {order.unit for order in board.orders_of(incident)}
    sos = board.sos.get(incident.incident)
    if sos is not None:
        names |= set(sos.units)
    return [board.units[name] for name in sorted(names) if not is_open(board.units[name])]


def is_for_group(board: Board, incident: Incident, group: str) -> bool:
    return any(one.group in ("", group) for one in audiences_of(board, incident))


def may_know(board: Board, incident: Incident, roles: tuple[str, ...]) -> bool:
    """One with hidden units only is none for those outside their groups."""
    mine = groups_of_roles(roles)
    return any(not one.group or one.group in mine for one in audiences_of(board, incident))


def shown_orders(board: Board, incident: Incident, group: str = "") -> list[Order]:
    """Its open orders that an audience may read of."""
    orders = board.orders_of(incident)
    return [o for o in orders if o.is_open and is_for(board.units[o.unit], group)]


def waiting_reason(board: Board, incident: Incident, group: str = "") -> str | None:
    own = board.units.get(incident.own_of or "")
    if own is not None and not is_for(own, group) and incident.waits == left_by(own.unit):
        return left_by("its unit")
    return incident.waits


def left_by(unit: str) -> str:
    """Why an incident waits that its own unit left."""
    return f"left by {unit}"


# --- units and alerts ----------------------------------------------------------------------------


def audience_of(unit: Unit) -> Audience:
    return ALL if is_open(unit) else Audience(unit.group, unit.visibility == RESTRICTED)


def audiences_of_alert(board: Board, alert: Alert) -> tuple[Audience, ...]:
    """What names a hidden unit or incident goes to its groups only. Alerts are never retained."""
    order = board.orders.get(alert.order or "")
    units = {_subject(board, alert)[1] or "", order.unit if order is not None else ""}
    groups = {board.units[one].group for one in units & hidden_units(board)}
    named = {alert.incident or "", order.incident if order is not None else ""}
    named.update(_INCIDENT.findall(alert.text))
    for one in sorted(named & board.incidents.keys()):
        if is_hidden(board, board.incidents[one]):
            groups.update(groups_of(board, board.incidents[one]))
    own = tuple(Audience(group, retained=False) for group in sorted(groups))
    is_for_all = not groups or alert.kind in TOLD_TO_ALL
    return (Audience("", retained=False), *own) if is_for_all else own


def _subject(board: Board, alert: Alert) -> tuple[str, str | None]:
    """(name, whose): its unit; else the unit or terminal that its text begins with."""
    if alert.unit is not None or alert.order is not None:
        return alert.unit or "", alert.unit
    word = alert.text.partition(" ")[0].rstrip(":")
    if word in board.units:
        return word, word
    units = (one.unit for one in board.terminals.values() if one.device == word)
    return word, next(units, None)


def shown_alerts(board: Board, group: str = "") -> list[Alert]:
    """Those that nobody has acknowledged, as an audience reads them."""
    waiting = [alert for alert in board.alerts.values() if alert.acknowledged_by is None]
    return [
        alert_for(board, alert, group)
        for alert in waiting
        if any(one.group in ("", group) for one in audiences_of_alert(board, alert))
    ]


def may_read(board: Board, alert: Alert, roles: tuple[str, ...]) -> bool:
    mine = groups_of_roles(roles)
    return any(not one.group or one.group in mine for one in audiences_of_alert(board, alert))


def alert_for(board: Board, alert: Alert, group: str = "") -> Alert:
    """As an audience reads it: without a name that is not for it."""
    word, name = _subject(board, alert)
    unit = board.units.get(name or "")
    if unit is not None and not is_for(unit, group):
        return replace(alert, unit=None, order=None, text=_without(alert.text, word))
    order = board.orders.get(alert.order or "")
    if order is not None and not is_for_group(board, board.incidents[order.incident], group):
        return replace(alert, order=None)  # of an SOS: what its unit was on before
    if alert.kind in LISTS_UNITS:
        return replace(alert, text=_listed(alert.text, hidden_units(board, group)))
    return alert


def _without(text: str, name: str) -> str:
    """Whole words only, and no part of a coordinate."""
    return re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\d)", SOMEBODY, text)


def _listed(text: str, hidden: Iterable[str]) -> str:
    """A text that ends with units, `…: 621 24 s, 618 31 s`, without those that became hidden."""
    head, colon, tail = text.rpartition(": ")
    units, names = tail.split(", "), frozenset(hidden)
    left = [one for one in units if one.split(" ")[0] not in names]
    return text if len(left) == len(units) else head + colon + (", ".join(left) or "no unit")
