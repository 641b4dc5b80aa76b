"""The words of `explain`, English and Chinese. Reasons stand in the journal as English text; what
is not known here is shown as it stands. Called by explain.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocol.words import Status


@dataclass(frozen=True, slots=True)
class Words:
    """Templates of one language."""

    sent: str
    sent_by: str
    told: str
    was: str
    left_out: str
    restricted: str
    restricted_one: str
    seconds: str
    unknown: str
    semicolon: str
    stop: str
    blank: str


LANGUAGES: Final = {
    "en": Words(
        sent="Sent {unit}: {eta}.", sent_by="Sent {unit} by {by}: {eta}.",
        told="Told {unit} as a neighbour: {eta}.", was="{unit} was {eta}",
        left_out="{unit} left out: {reason}", restricted="restricted units not named: {n}",
        restricted_one="a restricted unit", seconds="{s} s", unknown="travel time unknown",
        semicolon="; ", stop=".", blank=" ",
    ),
    "zh": Words(
        sent="已派 {unit}:{eta}。", sent_by="{by} 派出 {unit}:{eta}。",
        told="已通知邻近警组 {unit}:{eta}。", was="{unit} 需 {eta}",
        left_out="{unit} 未入选:{reason}", restricted="另有 {n} 个受限警组不列名",
        restricted_one="受限警组", seconds="{s} 秒", unknown="行程时间不明",
        semicolon=";", stop="。", blank="",
    ),
}  # fmt: skip

# as in docs/glossary.md
STATUS_ZH: Final = {
    Status.OFF_DUTY: "下班", Status.AVAILABLE: "待命", Status.DISPATCHED: "已派",
    Status.EN_ROUTE: "途中", Status.STAGING: "集结", Status.ON_SCENE: "到场",
    Status.TRANSPORTING: "押送", Status.AT_FACILITY: "在所", Status.BUSY: "处置中",
    Status.OUT_OF_SERVICE: "停用", Status.EMERGENCY: "紧急",
}  # fmt: skip

_AGE: Final = re.compile(r"\b(\d+) s old")
_FLAGS_ZH: Final = {
    "suspect": "可疑", "jump": "跳变", "date_jump": "日期跳变", "speed_implausible": "速度异常",
    "frozen": "停滞",
}  # fmt: skip
_ZH: Final = (
    (re.compile(r"not a unit of this fleet"), "不属于本队"),
    (re.compile(r"not logged on"), "未登录"),
    (re.compile(r"on hold"), "暂停派警"),
    (re.compile(r"has order (\S+)"), "有未完成指令 {0}"),
    (re.compile(r"declined, did not answer or was stood down"), "已拒绝、未应答或已撤回"),
    (re.compile(r"carries no officer"), "车上无民警"),
    (re.compile(r"no position yet"), "尚无定位"),
    (re.compile(r"receiver has no fix"), "接收机未定位"),
    (re.compile(r"position lost: (\d+) (s|min) old"), "定位丢失已 {0} {1}"),
    (re.compile(r"position (\d+) (s|min) old"), "定位是 {0} {1}前的"),
    (re.compile(r"position is dated in the future"), "定位时间超前"),
    (re.compile(r"position is suspect: (.+)"), "定位可疑:{0}"),
    (re.compile(r"status (\w+)"), "状态为{0}"),
)
_WORD_ZH: Final = {"s": "秒", "min": "分钟"} | {s.word: zh for s, zh in STATUS_ZH.items()}


def reason_text(reason: str, language: str) -> str:
    """A reason for the sentence: ages in minutes from two minutes on, and in the language."""
    said = _AGE.sub(lambda found: f"{_age(int(found[1]))} old", reason)
    return said if language == "en" else _chinese(said)


def _age(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _chinese(reason: str) -> str:
    for pattern, chinese in _ZH:
        found = pattern.fullmatch(reason)
        if found is not None:
            return chinese.format(*(_word(part) for part in found.groups()))
    return reason


def _word(part: str) -> str:
    flags = part.split(", ")
    if all(flag in _FLAGS_ZH for flag in flags):
        return "、".join(_FLAGS_ZH[flag] for flag in flags)
    return _WORD_ZH.get(part, part)
