"""A period's figures as tables of at most 80 columns, English or Chinese. Called by the command."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final

from protocol.figures import GroupFigures, PeriodReport, Spread

Row = tuple[str, ...]
_HEAD_COLUMNS: Final = 12
_DISTRICT_CUT: Final = 11
_EXCLUDED_SHOWN: Final = 20
_UNITS_SHOWN: Final = 20

EN: Final = {
    "title": "Statistics of {fleet}, incidents reported {since} to {until}",
    "fleet": "all", "priority": "priority", "district": "district", "hour": "hour",
    "incidents": "reported", "open": "open", "attended": "attended", "unattended": "unattended",
    "excluded": "excluded", "5": "in 5min", "10": "in 10min",
    "process": "process", "turnout": "turnout", "travel": "travel", "total": "total",
    "times": "seconds", "n": "n", "arrivals": "arrivals", "touch": "by touch",
    "automatic": "automatic", "by_desk": "by desk",
    "left_out": "Excluded from the shares", "waited": "waited {s} s", "more": "… and {n} more",
    "crews": "Alerts to crews: {alerts} in {shifts} shifts, {mean} per unit and shift"
    " (aim at most {aim}), most {most}, over the aim in {over} shifts",
    "desk": "Alarms at the desk: {alarms} in {hours} hours with an alarm, {mean} per dispatcher"
    " and hour (aim at most {aim}), worst hour {most}, over the aim in {over} hours,"
    " nobody acknowledged in {unseen} hours",
    "unit": "unit", "shifts": "shifts", "alerts": "alerts", "most": "most", "over": "over aim",
    "late": "Unattended incidents count as late in the shares.",
    "nothing": "no incident in this period",
}  # fmt: skip
ZH: Final = {
    "title": "统计:{fleet},报警时间 {since} 至 {until}",
    "fleet": "全部", "priority": "优先级", "district": "辖区", "hour": "时段",
    "incidents": "接报", "open": "待到场", "attended": "已到场", "unattended": "未到场",
    "excluded": "不计入", "5": "5分内", "10": "10分内",
    "process": "处警", "turnout": "出动", "travel": "行驶", "total": "响应总时间",
    "times": "秒", "n": "数", "arrivals": "到场方式", "touch": "民警点击",
    "automatic": "自动判定", "by_desk": "指挥台录入",
    "left_out": "不计入比例的警情", "waited": "历时 {s} 秒", "more": "……另有 {n} 起",
    "crews": "警组提示:{shifts} 个班次共 {alerts} 次,每警组每班 {mean} 次(目标不超过 {aim} 次),"
    "最多 {most} 次,{over} 个班次超过目标",
    "desk": "指挥台告警:{hours} 个有告警小时共 {alarms} 次,每调度员每小时 {mean} 次"
    "(目标不超过 {aim} 次),最高 {most} 次,{over} 小时超过目标,{unseen} 小时无人确认",
    "unit": "警组", "shifts": "班次", "alerts": "提示", "most": "最多", "over": "超目标",
    "late": "未到场的警情按超时计入比例。",
    "nothing": "此时段没有警情",
}  # fmt: skip
TEXTS: Final[Mapping[str, Mapping[str, str]]] = {"en": EN, "zh": ZH}


def text(report: PeriodReport, by: str, language: str) -> str:
    """`by`: priority, district or hour."""
    say = TEXTS[language]
    title = say["title"].format(
        fleet=report.fleet_name, since=_minute(report.since), until=_minute(report.until)
    )
    parts = [title, ""]
    if not report.fleet.incidents:
        parts.append(say["nothing"])
    else:
        groups = {"priority": report.by_priority, "district": report.by_district,
                  "hour": report.by_hour}[by]  # fmt: skip
        named = {**groups, say["fleet"]: report.fleet}
        parts += [*_shares(named, say, by), say["late"], "", *_times(named, say, by), ""]
        parts += [*_arrivals(report.fleet, say), *_excluded(report, say)]
    return "\n".join([*parts, "", *_load(report, say)]) + "\n"


def _shares(groups: Mapping[str, GroupFigures], say: Mapping[str, str], by: str) -> list[str]:
    columns = ("incidents", "open", "attended", "unattended", "excluded", "5", "10")
    rows: list[Row] = [(say[by], *(say[one] for one in columns))]
    for name, one in groups.items():
        rows.append(
            (
                name, str(one.incidents), str(one.open), str(one.attended), str(one.unattended),
                str(sum(one.excluded.values())), _percent(one.within_5min),
                _percent(one.within_10min),
            )
        )  # fmt: skip
    return _table(rows, (8, 8, 9, 11, 9, 8, 9))


def _times(groups: Mapping[str, GroupFigures], say: Mapping[str, str], by: str) -> list[str]:
    """n, p50 and p90 of each part of the way, in seconds."""
    parts = ("process", "turnout", "travel", "total")
    head = _pad(say["times"], _HEAD_COLUMNS) + "".join(_pad(say[one], -17) for one in parts)
    rows: list[Row] = [(say[by], *((say["n"], "p50", "p90") * len(parts)))]
    for name, one in groups.items():
        spreads = (one.process, one.turnout, one.travel, one.total)
        rows.append((name, *(cell for spread in spreads for cell in _cells(spread))))
    return [head, *_table(rows, (5, 6, 6) * len(parts))]


def _arrivals(fleet: GroupFigures, say: Mapping[str, str]) -> list[str]:
    means = fleet.arrivals
    rows: list[Row] = [
        (say["arrivals"], say["n"], "p50", "p90"),
        (say["touch"], *_cells(means.touch)),
        (say["automatic"], *_cells(means.automatic)),
        (say["by_desk"], *_cells(means.by_desk)),
    ]
    return _table(rows, (5, 6, 6))


def _excluded(report: PeriodReport, say: Mapping[str, str]) -> list[str]:
    if not report.fleet.excluded:
        return []
    counts = ", ".join(f"{reason} {n}" for reason, n in report.fleet.excluded.items())
    lines = ["", f"{say['left_out']}: {counts}"]
    shown = report.excluded_incidents[:_EXCLUDED_SHOWN]
    for one in shown:
        waited = say["waited"].format(s=round(one.waited_s))
        lines.append(f"  {one.number}  {one.incident}  {one.priority}  {one.reason}  {waited}")
    left = sum(report.fleet.excluded.values()) - len(shown)
    return lines + ([f"  {say['more'].format(n=left)}"] if left else [])


def _load(report: PeriodReport, say: Mapping[str, str]) -> list[str]:
    crews, desk = report.crew_alerts, report.desk_alarms
    crew_text = say["crews"].format(
        alerts=crews.alerts, shifts=crews.shifts, mean=_or_dash(crews.per_shift), aim=crews.aim,
        most=crews.most, over=crews.over_aim,
    )  # fmt: skip
    desk_text = say["desk"].format(
        alarms=desk.alarms, hours=desk.hours, mean=_or_dash(desk.per_dispatcher), aim=desk.aim,
        most=f"{desk.most:g}", over=desk.over_aim, unseen=desk.unacknowledged,
    )  # fmt: skip
    rows: list[Row] = [(say["unit"], *(say[one] for one in ("shifts", "alerts", "most", "over")))]
    worst = sorted(report.units, key=lambda u: (-u.most, -u.alerts, u.unit))
    for one in worst[:_UNITS_SHOWN]:
        if one.alerts:
            row = (one.unit, str(one.shifts), str(one.alerts), str(one.most), str(one.over_aim))
            rows.append(row)
    table = _table(rows, (8, 8, 8, 9)) if len(rows) > 1 else []
    return [*_wrapped(crew_text), *table, *_wrapped(desk_text)]


# --- form ----------------------------------------------------------------------------------------


def _table(rows: list[Row], widths: tuple[int, ...]) -> list[str]:
    return [
        _pad(row[0], _HEAD_COLUMNS)
        + "".join(_pad(cell, -w) for cell, w in zip(row[1:], widths, strict=True))
        for row in rows
    ]


def columns_of(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def _pad(text: str, width: int) -> str:
    """To `width` columns, the text at the left; to the right of -`width` where it is negative."""
    while columns_of(text) > min(abs(width), _DISTRICT_CUT):
        text = text[:-1]
    blanks = " " * (abs(width) - columns_of(text))
    return text + blanks if width > 0 else blanks + text


def _wrapped(text: str) -> list[str]:
    """Lines of at most 80 columns, cut at blanks, or anywhere within Chinese."""
    lines, line, word = [], "", ""
    for one in text + " ":
        word += one
        if one == " " or columns_of(one) == 2:
            if columns_of((line + word).rstrip()) > 80:
                lines.append(line.rstrip())
                line = "  "
            line, word = line + word, ""
    return [*lines, line.rstrip()]


def _cells(spread: Spread) -> Row:
    return str(spread.n), _number(spread.p50_s), _number(spread.p90_s)


def _number(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f}" if seconds < 100 else f"{seconds:.0f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.1f}%"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _minute(time: str) -> str:
    return time[:16] + "Z"
