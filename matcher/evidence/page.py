"""An export as one page to read and print: its own check, the way, the timeline.

Self-contained: no script, no font, no picture from elsewhere. Chinese and English side by side.
"""

from __future__ import annotations

from html import escape
from math import cos, radians
from typing import Final

from matcher.evidence.story import LatLon, Story
from protocol.evidence_verdict import Verdict
from protocol.instant import iso

_WIDTH, _HEIGHT, _EDGE = 720, 400, 16
_COLOURS: Final = ("#1f5fa8", "#b4491f", "#2f7d46", "#7a4fa0", "#8a6d1d", "#4d4d4d")
_WORDS: Final = {
    "reported": "报警", "decided": "决策", "issued": "派单", "step": "任务状态", "overdue": "超时",
    "incident": "警情状态", "alert": "告警", "answer": "回复", "delivered": "送达",
    "status": "状态", "device": "设备事件", "alarm": "终端告警", "logon": "登录", "logoff": "退出",
}  # fmt: skip
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,'Noto Sans CJK SC',sans-serif;max-width:60em;margin:2em auto;"
    "padding:0 1em;color:#1a1a1a}h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.6em}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #bbb;padding:.25em .5em;"
    "text-align:left;vertical-align:top}.ok{background:#e3f2e6;padding:.6em}"
    ".bad{background:#f8dcd8;padding:.6em}svg{border:1px solid #bbb;max-width:100%}"
    "td:first-child{white-space:nowrap;font-variant-numeric:tabular-nums}"
)


def page(story: Story, verdict: Verdict) -> bytes:
    """`verdict`: of the sealed file that was made of the same records."""
    about = story.about
    title = f"Outrider 证据 · Evidence {about.order or ''}".strip()
    facts = [
        ("机队 Fleet", about.fleet), ("任务 Order", about.order or "—"),
        ("警情 Incident", about.incident or "—"), ("警组 Units", " ".join(about.units) or "—"),
        ("起 From", iso(about.from_ms)), ("止 To", iso(about.to_ms)),
        ("制作 Made", f"{iso(about.made_ms)} · {about.by}"), ("事由 Reason", about.reason),
        ("审计号 Audit no.", f"{about.audit} · {about.audit_chain.hex()[:16]}"),
    ]  # fmt: skip
    rows = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in facts)
    moments = "".join(
        f"<tr><td>{iso(m.time_ms)}</td><td>{_WORDS.get(m.what, '')} {escape(m.what)}</td>"
        f"<td>{escape(m.source)} {m.number}</td><td>{escape(m.text)}</td></tr>"
        for m in story.moments
    )
    return (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{_verdict(verdict)}"
        f"<table>{rows}</table><h2>轨迹 · Track</h2>{_map(story)}"
        "<h2>经过 · Timeline</h2><table><tr><th>时间 UTC</th><th>事项 What</th>"
        f"<th>来源 Source</th><th>内容 Text</th></tr>{moments}</table>"
        "<p>本页仅供阅读，证据以签封文件为准。· This page is for reading; the proof is the sealed"
        " file, checked by <code>outrider evidence verify</code>.</p></html>\n"
    ).encode()


def _verdict(verdict: Verdict) -> str:
    counts = verdict.counts
    numbers = (
        f"条目 entries {counts.entries}：完整 whole {counts.whole}，"
        f"依规删除 erased {counts.erased}，"
        f"范围外 outside {counts.outside}，终端精简 thinned {counts.bare}，"
        f"未到中心 missing {counts.missing}"
    )
    if verdict.fault is None:
        return f'<p class="ok"><b>核验通过 · Verified whole</b><br>{numbers}</p>'
    fault = escape(f"{verdict.fault.part}: {verdict.fault.reason}")
    return f'<p class="bad"><b>核验未通过 · ALTERED</b><br>{fault}<br>{numbers}</p>'


def _map(story: Story) -> str:
    """Ways and moments on a plain ground, north up."""
    places = [point.at for leg in story.legs for point in leg.points]
    places += [moment.at for moment in story.moments if moment.at is not None]
    if not places:
        return "<p>无轨迹 · No track</p>"
    south, west = min(lat for lat, _ in places), min(lon for _, lon in places)
    north, east = max(lat for lat, _ in places), max(lon for _, lon in places)
    narrow = cos(radians((south + north) / 2))
    span = max((east - west) * narrow / _WIDTH, (north - south) / _HEIGHT, 1e-9)

    def xy(at: LatLon) -> str:
        return f"{_EDGE + (at[1] - west) * narrow / span:.1f},{_EDGE + (north - at[0]) / span:.1f}"

    lines, names = [], []
    for i, leg in enumerate(leg for leg in story.legs if leg.points):
        colour = _COLOURS[i % len(_COLOURS)]
        dash = ' stroke-dasharray="2 4"' if leg.is_extract else ""
        points = " ".join(xy(point.at) for point in leg.points)
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        names.append(f'<span style="color:{colour}">■ {escape(leg.device)}</span>')
    for moment in story.moments:
        if moment.at is not None:
            x, _, y = xy(moment.at).partition(",")
            title = escape(f"{iso(moment.time_ms)} {moment.what} {moment.text}")
            lines.append(f'<circle cx="{x}" cy="{y}" r="4"><title>{title}</title></circle>')
    size = f"0 0 {_WIDTH + 2 * _EDGE} {_HEIGHT + 2 * _EDGE}"
    label = "轨迹 Track"
    svg = f'<svg viewBox="{size}" role="img" aria-label="{label}">{"".join(lines)}</svg>'
    return f"{svg}<p>{' '.join(names)}</p>"
