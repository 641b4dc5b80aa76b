"""The board as text: what a dispatcher works from when screens are gone."""

from __future__ import annotations

from html import escape

from matcher.core.board import Board
from matcher.core.modes import mode_of
from matcher.core.visibility import hidden_units, is_for_group, shown_alerts, waiting_reason
from protocol.instant import iso
from protocol.words import Status


def board_text(board: Board, now_ms: int, group: str = "") -> str:
    """Open incidents with their units, then all units; of what is not open to all that of `group`,
    the rest counted."""
    known = [i for i in board.open_incidents() if is_for_group(board, i, group)]
    hidden = hidden_units(board, group)
    lines = [f"Outrider board  {iso(now_ms)}  term {board.term}  mode {_modes(board)}", ""]
    lines.append(f"{'number':8} {'pri':3} {'kind':14} {'state':9} {'units':30} place")
    for i in known:
        orders = [o for o in board.open_orders_of(i) if o.unit not in hidden]
        waits = waiting_reason(board, i, group) or "-"
        units = " ".join(f"{o.unit}:{o.state}" for o in orders) or waits
        place = f"{i.place.lat_e7 / 1e7:.5f},{i.place.lon_e7 / 1e7:.5f} {i.place.text}"
        lines.append(f"{i.number:8} {i.priority:3} {i.kind:14} {i.state:9} {units:30} {place}")
    lines += ["", f"{'unit':8} {'kind':10} {'status':14} {'order':10} {'crew':14} terminals"]
    for unit_id in sorted(board.units.keys() - hidden):
        u = board.units[unit_id]
        names = " ".join(board.terminals[e].device for e in sorted(u.terminals))
        names = names or ("by radio" if u.radio_crew else "not logged on")
        held = " (hold)" if u.hold else ""
        status = Status(u.status).word + held
        crew = ",".join(u.crew) or "-"
        lines.append(f"{u.unit:8} {u.kind:10} {status:14} {u.order or '-':10} {crew:14} {names}")
    unseen = len(board.open_ids) - len(known)
    if hidden or unseen:
        lines.append(f"not open to all, not shown: {len(hidden)} units, {unseen} incidents")
    lines += ["", *(f"ALERT {a.kind}: {a.text}" for a in shown_alerts(board, group))]
    return "\n".join(lines).rstrip() + "\n"


def _modes(board: Board) -> str:
    """One word where all priorities have the same."""
    modes = {priority: mode_of(board, priority)[0] for priority in (1, 2, 3, 4)}
    if len(set(modes.values())) == 1:
        return modes[1]
    return " ".join(f"{priority}:{mode}" for priority, mode in modes.items())


def board_html(board: Board, now_ms: int, group: str = "") -> str:
    """Printable page of the same text; hostile text stays text."""
    return (
        "<!doctype html><meta charset=utf-8><title>Outrider board</title>"
        "<style>pre{font:12px monospace}@page{size:landscape}</style>"
        f"<pre>{escape(board_text(board, now_ms, group))}</pre>\n"
    )
