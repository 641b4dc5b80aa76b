"""A kind of the codebook for people, in Chinese or English, and as an object. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from protocol.codebook_model import Codebook, IncidentKind, Language, Plan, name_of

_LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "group": ("类别", "group"),
    "priority": ("等级", "priority"),
    "times": ("时限", "times"),
    "plan": ("预案", "plan"),
    "capabilities": ("能力", "capabilities"),
    "hazards": ("危险", "hazards"),
    "refer": ("联动", "told too"),
    "welfare": ("安全确认", "welfare check"),
    "mark": ("标记", "marks"),
}


def kind_text(
    book: Codebook, code: str, kind: IncidentKind, priority: int, language: Language
) -> str:
    """Some lines: names, priority, plan for it, what is told to whom."""
    zh = language == "zh"
    wide = book.priority(priority)
    mark = ", ".join(_marks(kind, zh=zh))
    rows = {
        "group": name_of(book, "groups", kind.group, language),
        "priority": f"{priority} {wide.name(language)}",
        "times": _times(wide.delivery_s, wide.answer_s, zh=zh),
        "plan": _plan(book.plan_for(code, priority), zh=zh) if kind.dispatched else "",
        "capabilities": _capabilities(book, book.plan_for(code, priority), language),
        "hazards": _names(book, "hazards", kind.hazards, language),
        "refer": _names(book, "services", kind.refer, language),
        "welfare": f"{book.welfare_s(code, kind.hazards)} s",
        "mark": mark,
    }
    head = f"{code}  {kind.zh}  {kind.en}"
    lines = [f"  {_LABELS[key][0 if zh else 1]}: {text}" for key, text in rows.items() if text]
    return "\n".join([head, *lines])


def _times(delivery_s: int, answer_s: int, *, zh: bool) -> str:
    if zh:
        return f"送达 {delivery_s} 秒,应答 {answer_s} 秒"
    return f"delivered in {delivery_s} s, answered in {answer_s} s"


def _plan(plan: Plan, *, zh: bool) -> str:
    parts = [f"{plan.units} 个警组" if zh else f"{plan.units} units"]
    parts.append(f"{plan.officers} 名民警" if zh else f"{plan.officers} officers")
    if plan.alert:
        parts.append("同播附近警组" if zh else "neighbours alerted")
    if plan.staging_m is not None:
        parts.append(f"{plan.staging_m} 米外集结" if zh else f"staging {plan.staging_m} m off")
    return (",", ", ")[not zh].join(parts)


def _marks(kind: IncidentKind, *, zh: bool) -> list[str]:
    marks = [
        (kind.retired, "已停用", "retired"),
        (not kind.dispatched, "不派警,移交", "not dispatched, referred"),
        (kind.weapon, "涉械", "weapon"),
        (kind.join_by_rule, "可按规则并案", "joined by rule"),
    ]
    return [chinese if zh else english for holds, chinese, english in marks if holds]


def _capabilities(book: Codebook, plan: Plan, language: Language) -> str:
    wanted = [f"{name_of(book, 'capabilities', c, language)} {n}" for c, n in plan.capabilities]
    return ("、" if language == "zh" else ", ").join(wanted)


def _names(book: Codebook, table: str, codes: tuple[str, ...], language: Language) -> str:
    names = [name_of(book, table, code, language) for code in codes]
    return ("、" if language == "zh" else ", ").join(names)


def kind_object(book: Codebook, code: str, kind: IncidentKind, priority: int) -> dict[str, Any]:
    """The same as an object: codes and names."""
    plan = book.plan_for(code, priority)
    return {
        "kind": code,
        "zh": kind.zh,
        "en": kind.en,
        "group": kind.group,
        "priority": priority,
        "answer_s": book.priority(priority).answer_s,
        "dispatched": kind.dispatched,
        "plan": plan.model_dump(mode="json") | {"capabilities": dict(plan.capabilities)},
        "hazards": list(kind.hazards),
        "refer": list(kind.refer),
        "weapon": kind.weapon,
        "welfare_s": book.welfare_s(code, kind.hazards),
        "join_by_rule": kind.join_by_rule,
        "retired": kind.retired,
        "gat": kind.gat,
        "apco": kind.apco,
    }
