"""What a person sees of the demo: units, incidents with who comes, alerts, refusals.

Rules instead of boxes, so that the picture stands in any font.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rich import box
from rich.columns import Columns
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from demo.desk import Picture
from protocol.managers import Alert, IncidentState, IncidentUnit

_FRESH_STYLE = {"live": "green", "stale": "yellow", "lost": "red", "radio_only": "red"}
_STATE_STYLE = {
    "pending": "bold red",
    "assigned": "yellow",
    "en_route": "cyan",
    "on_scene": "bold green",
    "cleared": "dim",
    "cancelled": "dim",
}
_STATUS_STYLE = {**_STATE_STYLE, "dispatched": "yellow", "emergency": "bold red"}
INCIDENTS_SHOWN = 12
ALERTS_SHOWN = 3
UNITS_COLUMNS = 26
PICTURE_COLUMNS = 92
_WEB_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def screen(picture: Picture, refused: Mapping[str, int], elapsed_s: float, now_ms: int) -> Group:
    """The whole screen; in a narrow terminal the units stand below the incidents."""
    both = Columns([_incidents(picture, now_ms), _units(picture, now_ms)], padding=(1, 3))
    return Group(_head(picture, refused, elapsed_s), Text(), both, Text(), *_alerts(picture))


def _head(picture: Picture, refused: Mapping[str, int], elapsed_s: float) -> Text:
    counts = picture.statistics
    p50_s = counts.response_s.p50 if counts else None
    return Text.assemble(
        ("Outrider demo ", "bold"), f"{elapsed_s:5.1f} s   mode auto   ",
        f"incidents {len(picture.incidents)}   attended {len(picture.attended)}   ",
        f"response p50 {'-' if p50_s is None else f'{p50_s:.0f} s'}   ",
        ("refused 0", "green") if not refused else (f"refused {dict(refused)}", "bold red"),
    )  # fmt: skip


def _table(*columns: str) -> Table:
    """Numbers of `right:` columns stand on the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for name in columns:
        word = name.removeprefix("right:")
        table.add_column(word, justify="left" if word == name else "right", no_wrap=True)
    return table


def _units(picture: Picture, now_ms: int) -> Table:
    table = _table("unit", "kind", "status", "right:age", "right:km/h", "incident")
    for unit_id in sorted(picture.units):
        p = picture.units[unit_id].properties
        incident = picture.incidents.get(p.incident or "")
        table.add_row(
            p.unit,
            p.kind.value,
            Text(p.status, style=_STATUS_STYLE.get(p.status, "")),
            Text(_age(p.position_time, now_ms), style=_FRESH_STYLE[p.freshness.value]),
            "-" if p.sog_mps is None else f"{p.sog_mps * 3.6:.0f}",
            incident.number if incident else "",
        )
    return table


def _incidents(picture: Picture, now_ms: int) -> Table:
    table = _table("incident", "pri", "kind", "state", "right:on scene", "units")
    table.columns[-1].min_width = UNITS_COLUMNS  # or all beside it would jump
    recent = sorted(picture.incidents.values(), key=lambda i: i.times.reported)
    for incident in recent[-INCIDENTS_SHOWN:]:
        units = ", ".join(_on_it(one) for one in incident.units)
        table.add_row(
            incident.number,
            str(incident.priority),
            incident.kind,
            Text(incident.state, style=_STATE_STYLE[incident.state]),
            _took(incident, now_ms),
            units or incident.waiting_reason or "",
        )
    return table


def _on_it(one: IncidentUnit) -> str:
    return f"{one.unit} {one.state.value}"


def _took(incident: IncidentState, now_ms: int) -> str:
    """Report to on scene; in brackets while nobody is there yet."""
    if incident.times.on_scene is not None:
        arrived_ms = _ms(incident.times.on_scene)
        return f"{(arrived_ms - _ms(incident.times.reported)) / 1000:.0f} s"
    if incident.times.cleared or incident.times.cancelled:
        return "-"
    return f"({_age(incident.times.reported, now_ms)})"


def _alerts(picture: Picture) -> list[Text]:
    """The newest, open ones first in the eye."""
    newest = sorted(picture.alerts.values(), key=lambda a: a.raised)[-ALERTS_SHOWN:]
    return [Text("Alerts", style="bold"), *(_alert(one) for one in newest)] if newest else []


def _alert(one: Alert) -> Text:
    style = "bold red" if one.acknowledged_by is None else "dim"
    seen = "" if one.acknowledged_by is None else "  (acknowledged)"
    return Text(
        f"{one.text}\n  {one.text_zh}{seen}", style=style, no_wrap=True, overflow="ellipsis"
    )


def _ms(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() * 1000


def _age(time: str | None, now_ms: int) -> str:
    return "-" if time is None else f"{max(0.0, (now_ms - _ms(time)) / 1000):.1f} s"


def to_svg(shown: Group, path: str) -> None:
    """The same screen as a picture, for the README; it loads nothing from elsewhere."""
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=PICTURE_COLUMNS, file=nowhere)
        console.print(shown)
    svg = _WEB_FONTS.sub("", console.export_svg(title="./run demo"))
    Path(path).write_text(svg.replace("Fira Code, monospace", "monospace"), encoding="utf-8")
