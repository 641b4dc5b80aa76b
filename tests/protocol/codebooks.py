"""A small codebook for tests, and edits of it that must find what they replace."""

from __future__ import annotations

from typing import Final

import pytest

from protocol.codebook_fault import WrongCodebook
from protocol.codebook_model import Codebook
from protocol.codebook_reading import read

STATUSES: Final = """
off_duty = { zh = "下班", en = "Off duty" }
available = { zh = "待命", en = "Available", dispatchable_to = 4 }
dispatched = { zh = "已派", en = "Dispatched" }
en_route = { zh = "途中", en = "En route" }
staging = { zh = "集结", en = "Staging" }
on_scene = { zh = "到场", en = "On scene" }
transporting = { zh = "押送", en = "Transporting" }
at_facility = { zh = "在所", en = "At a facility", dispatchable_to = 2 }
busy = { zh = "处置中", en = "Busy", dispatchable_to = 2 }
out_of_service = { zh = "停用", en = "Out of service" }
emergency = { zh = "紧急", en = "Emergency" }
"""
PRIORITIES: Final = "".join(
    f"""
[priorities.{key}]
zh = "等级{key}"
en = "Priority {key}"
delivery_s = {delivery_s}
answer_s = {answer_s}
offer_life_s = {7200 if key < 3 else 900}
silence_releases = {"false" if key < 3 else "true"}
sound = "urgent"
mode = "{"auto" if key < 2 else "recommend"}"
"""
    for key, delivery_s, answer_s in [
        (0, 5, 10),
        (1, 5, 10),
        (2, 10, 20),
        (3, 30, 60),
        (4, 60, 120),
    ]
)
SMALL: Final = f"""
version = 3
zh = "测试代码表"
en = "A small codebook"
agency = "350600"
utc_offset_min = 480
number = "{{agency}}{{date:%Y%m%d}}{{serial:05d}}"
radio_number = "{{date:%d}}-{{serial:03d}}"
welfare = {{ check_s = 600, weapon_check_s = 300 }}
plan = {{ units = 1, officers = 2 }}
{PRIORITIES}
[sounds]
urgent = {{ zh = "警报", en = "Alarm", tones = [[1200, 200, 80]], repeat_s = 3 }}

[groups]
criminal = {{ zh = "刑事警情", en = "Crime", synthetic_desk = true }}
help = {{ zh = "求助", en = "Help" }}

[services]
ambulance = {{ zh = "急救", en = "Ambulance", phone = "120" }}
power = {{ zh = "供电", en = "Power" }}

[capabilities]
shield = {{ zh = "盾牌", en = "Shield" }}
medic = {{ zh = "急救员", en = "Medic" }}
whip = {{ zh = "鞭子", en = "Whip", retired = true }}

[hazards]
knife = {{ zh = "刀具", en = "Knife", weapon = true }}
dog = {{ zh = "恶犬", en = "Dog" }}

[kinds.robbery]
zh = "抢劫"
en = "Robbery"
group = "criminal"
priority = 1
hazards = ["knife"]
weapon = true
refer = ["ambulance"]
apco = "10-31"
plan = {{ units = 2, officers = 4, capabilities = {{ shield = 1, medic = 2 }}, alert = true }}
plans.2 = {{ units = 1, officers = 2, staging_m = 200 }}

[kinds.visit]
zh = "走访"
en = "Visit"
group = "help"
priority = 4

[kinds.power_fault]
zh = "停电"
en = "Power fault"
group = "help"
priority = 4
refer = ["power"]
dispatched = false

[reasons]
other = {{ zh = "其他原因", en = "Other", uses = ["decline", "cancel", "release", "override", "hold", "exclude", "preempt", "status"] }}
engaged = {{ zh = "正在处置", en = "Engaged", uses = ["decline"] }}
no_answer = {{ zh = "无应答", en = "No answer", uses = ["rule"] }}

[dispositions]
handled = {{ zh = "处置完毕", en = "Handled" }}
other = {{ zh = "其他结果", en = "Other" }}

[statuses]{STATUSES}
[replies]
received = {{ zh = "收到", en = "Received" }}

[alerts]
sos = {{ zh = "求助", en = "SOS" }}
"""  # noqa: E501 # a table of codes has one code a line


def edited(*edits: tuple[str, str], text: str = SMALL) -> str:
    """`text` with each first occurrence replaced; an edit that finds nothing is a wrong test."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def small(*edits: tuple[str, str]) -> Codebook:
    return read(edited(*edits))


def lines_of(text: str) -> list[str]:
    """What is said of a wrong text."""
    with pytest.raises(WrongCodebook) as caught:
        read(text)
    return [str(fault) for fault in caught.value.faults]
