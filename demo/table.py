"""What a person sees of the demo: units, incidents, orders, ages, alerts and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.desk import Picture

_FRESH_STYLE = {"live": "green", "stale": "yellow", "lost": "red", "radio_only": "red"}
_STATE_STYLE = {
    "pending": "bold red",
    "assigned": "yellow",
    "en_route": "cyan",
    "on_scene": "bold green",
    "cleared": "dim",
    "cancelled": "dim",
}
INCIDENTS_SHOWN = 12


def screen(picture: Picture, refused: Mapping[str, int], elapsed_s: float, now_ms: int) -> Group:
    """The whole screen."""
    counts = picture.statistics
    p50 = counts.response_s.p50 if counts else None
    head = Text.assemble(
        ("Outrider demo ", "bold"), f" {elapsed_s:5.1f} s   mode auto   ",
        f"incidents {len(picture.incidents)}   attended {len(picture.attended)}   ",
        f"response p50 {'-' if p50 is None else f'{p50:.0f} s'}   ",
        ("refused 0", "green") if not refused else (f"refused {dict(refused)}", "bold red"),
    )  # fmt: skip
    return Group(
        head,
        Columns([_units(picture, now_ms), Group(_incidents(picture, now_ms), _alerts(picture))]),
    )


def _units(picture: Picture, now_ms: int) -> Table:
    table = Table(title="Units", title_justify="left", pad_edge=False)
    for name in ("unit", "kind", "status", "age", "km/h", "order", "incident"):
        table.add_column(name, justify="right" if name in ("age", "km/h") else "left")
    for unit_id in sorted(picture.units):
        p = picture.units[unit_id].properties
        incident = picture.incidents.get(p.incident or "")
        table.add_row(
            p.unit,
            p.kind.value,
            p.status,
            Text(_age(p.position_time, now_ms), style=_FRESH_STYLE[p.freshness.value]),
            "-" if p.sog_mps is None else f"{p.sog_mps * 3.6:.0f}",
            p.order or "",
            incident.number if incident else "",
        )
    return table


def _incidents(picture: Picture, now_ms: int) -> Table:
    table = Table(title="Incidents", title_justify="left", pad_edge=False)
    for name in ("number", "pri", "kind", "state", "age", "units"):
        table.add_column(name)
    recent = sorted(picture.incidents.values(), key=lambda i: i.times.reported)
    for incident in recent[-INCIDENTS_SHOWN:]:
        units = " ".join(f"{u.unit}:{u.state.value}" for u in incident.units)
        table.add_row(
            incident.number,
            str(incident.priority),
            incident.kind,
            Text(incident.state, style=_STATE_STYLE[incident.state]),
            _age(incident.times.reported, now_ms),
            units or incident.waiting_reason or "",
        )
    return table


def _alerts(picture: Picture) -> RenderableType:
    open_ones = [a for a in picture.alerts.values() if a.acknowledged_by is None]
    text = "\n".join(f"{a.text}  {a.text_zh}"[:70] for a in open_ones[-4:]) or "none open"
    return Panel(text, title="Alerts", title_align="left")


def _age(time: str | None, now_ms: int) -> str:
    if time is None:
        return "-"
    then_ms = datetime.fromisoformat(time).timestamp() * 1000
    return f"{max(0.0, (now_ms - then_ms) / 1000):.1f} s"


def to_svg(shown: Group, path: str) -> None:
    """The same screen as a picture, for the README."""
    with open("/dev/null", "w") as nowhere:  # noqa: PTH123
        console = Console(record=True, width=150, file=nowhere)
        console.print(shown)
        console.save_svg(path, title="./run demo")
