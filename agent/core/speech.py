"""An order as it is spoken: hazards first, then kind, place, distance and way; pure.

At most 12 s by an estimate that errs on the long side (measured with espeak-ng at its set rate,
tests/agent/test_speech.py). What does not fit is left out from the end.
Called by the screen.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

LONGEST_S: Final = 12.0
PLACE_CHARACTERS_MAX: Final = 40
PLACE_CHARACTERS_MIN: Final = 4
HAZARDS_MAX: Final = 3
_PAUSE_S: Final = 0.45  # between sentences
_HAN_S: Final = 0.27  # a syllable
_LATIN_S: Final = 0.10  # a letter
_DIGIT_S: Final = 0.40

Language = Literal["zh", "en"]
NameOf = Callable[[str, str], str]  # table and code of the codebook to a name

_TOWARDS: Final[Mapping[str, tuple[str, ...]]] = {
    "zh": ("北", "东北", "东", "东南", "南", "西南", "西", "西北"),
    "en": (
        "north", "north east", "east", "south east", "south", "south west", "west", "north west"
    ),
}  # fmt: skip
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "zh": {
        "hazard": "注意危险", "cancelled": "警情取消", "superseded": "警情已改派",
        "stand_down": "撤回", "alert": "附近警情", "backup": "增援", "post": "到岗",
        "checkpoint": "设卡", "assign": "", "priority": "紧急", "wait": "等候{unit}，不要单独进入",
        "far_m": "{n}米", "far_km": "{n}公里", "towards": "{way}方向",
    },
    "en": {
        "hazard": "Caution", "cancelled": "Order cancelled", "superseded": "Order reassigned",
        "stand_down": "Stand down", "alert": "Near you", "backup": "Back up", "post": "To post",
        "checkpoint": "Checkpoint", "assign": "", "priority": "Emergency",
        "wait": "Wait for {unit}, do not go in alone",
        "far_m": "{n} metres", "far_km": "{n} kilometres", "towards": "{way}",
    },
}  # fmt: skip


def seconds(text: str) -> float:
    """How long `text` takes to say, at most."""
    spoken = 0.0
    for character in text:
        if character.isdigit():
            spoken += _DIGIT_S
        elif character in "，。,.":
            spoken += _PAUSE_S
        elif ord(character) >= 0x2E80:
            spoken += _HAN_S
        else:
            spoken += _LATIN_S
    return spoken


def text_of(card: Mapping[str, Any], name_of: NameOf, language: Language) -> str:
    """What is said of a card as `screen.view` makes it."""
    words, stop = _WORDS[language], "。" if language == "zh" else ". "
    kind = name_of("kinds", card["incident_kind"])
    if card["alarm"] == "cancelled":
        return _fitting([words[card["state"]], kind], _place(card, language), "", stop)
    wait = card["plan"]["wait_for"]
    parts = [
        _hazards(card, name_of, language),
        words["wait"].format(unit=wait) if wait else "",
        words[card["kind"]],
        words["priority"] if card["priority"] <= 1 else "",
        kind,
    ]
    return _fitting(
        [part for part in parts if part], _place(card, language), _way(card, language), stop
    )


def _hazards(card: Mapping[str, Any], name_of: NameOf, language: Language) -> str:
    names = [name_of("hazards", code) for code in card["hazards"][:HAZARDS_MAX]]
    between = "，" if language == "zh" else ", "
    return between.join([_WORDS[language]["hazard"], *names]) if names else ""


def _place(card: Mapping[str, Any], language: Language) -> str:
    """The English voice cannot read Chinese: it would spell each character."""
    text = str(card["place"]["text"])[:PLACE_CHARACTERS_MAX]
    is_han = any(ord(character) >= 0x2E80 for character in text)
    return "Place on the screen" if is_han and language == "en" else text


def _way(card: Mapping[str, Any], language: Language) -> str:
    distance_m, bearing_deg = card["distance_m"], card["bearing_deg"]
    if distance_m is None or bearing_deg is None:
        return ""
    words = _WORDS[language]
    if distance_m < 1000:
        far = words["far_m"].format(n=max(50, round(distance_m / 50) * 50))
    else:
        far = words["far_km"].format(n=f"{distance_m / 1000:.1f}".removesuffix(".0"))
    way = _TOWARDS[language][round(bearing_deg / 45) % 8]
    between = "，" if language == "zh" else ", "
    return far + between + words["towards"].format(way=way)


def _fitting(parts: list[str], place: str, way: str, stop: str) -> str:
    """All of it; else without the way; else with a shorter place; else what fits of the rest."""
    text = _joined([*parts, place, way], stop)
    while seconds(text) > LONGEST_S and place:
        # a stump of a name helps nobody
        shorter = place[:-1] if len(place) > PLACE_CHARACTERS_MIN else ""
        way, place = "", place if way else shorter
        text = _joined([*parts, place], stop)
    while seconds(text) > LONGEST_S and len(parts) > 1:
        parts = parts[:-1]
        text = _joined(parts, stop)
    while seconds(text) > LONGEST_S:
        text = text[:-1]
    return text.strip()


def _joined(parts: list[str], stop: str) -> str:
    return stop.join(part for part in parts if part) + stop
