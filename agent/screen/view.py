"""What the page shows: the committed state, seen from where the vehicle is now; pure.

Codes only, no words: the page has the words in both languages. Distance, arrow and travel time are
reckoned here from the newest fix. In driving mode the main order is all that is left, with at most
three buttons. Called by `screen` for each change.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Final, Literal

from protocol import datum, device, geodesy

Kind = Literal["car", "motorcycle", "foot"]
Card = Mapping[str, Any]

# As the centre reckons without a road graph: detour over the straight line, metres a second.
_WAY: Final[Mapping[str, tuple[float, float]]] = {
    "car": (1.3, 12.0), "motorcycle": (1.25, 13.0), "foot": (1.2, 1.6),
}  # fmt: skip
_HEADING_MPS: Final = 1.5  # slower, a course says nothing
_CANCELLED: Final = frozenset({"cancelled", "superseded"})
OFFERED: Final = frozenset({"issued", "delivered"})
_HELD: Final = ("on_scene", "en_route", "confirmed")
_OPEN: Final = OFFERED | {"accepted"} | set(_HELD)
_BUTTONS: Final[Mapping[str, tuple[str, ...]]] = {
    "issued": ("accept", "decline"),
    "delivered": ("accept", "decline"),
    "accepted": ("decline",),
    "confirmed": ("en-route", "on-scene", "decline"),
    "en_route": ("on-scene", "clear", "decline"),
    "on_scene": ("clear",),
    "expired": ("accept",),
}
CANCEL_SHOWN_MS: Final = 2 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the page shows beside the state, in ms where a time."""

    now_ms: int
    kind: Kind
    officers: int
    is_locked: bool  # driving mode
    is_driving: bool
    is_full: bool  # the disk
    link_down_ms: int | None  # since when
    queued: tuple[tuple[str, int], ...]  # touches that are not at the centre yet, with their times
    dismissed: Set[str] = frozenset()  # cancelled orders that the crew has put away
    pairing_code: str | None = None


def view(state: device.State, near: Surroundings) -> dict[str, Any]:
    """One page, JSON-ready."""
    cards = [_seen(card, state.fix, near) for card in state.orders]
    main = main_card(cards, near)
    others = [card for card in cards if card is not main]
    page: dict[str, Any] = {
        "now_ms": near.now_ms,
        "unit": state.unit,
        "logon": state.logon,
        "officers": near.officers,
        "status": state.status,
        "is_up": state.link == "up" and state.welcomed,
        "link_down_ms": near.link_down_ms,
        "waiting": state.waiting_entries,
        "queued": [list(one) for one in near.queued],
        "is_full": near.is_full,
        "silent": state.silent,
        "driving": near.is_locked,
        "moving": near.is_driving,
        "can_unlock": near.is_locked and near.officers >= 2 and near.kind == "car",
        "touch": not (near.is_locked and near.kind == "motorcycle"),
        "fix_age_ms": None if state.fix is None else state.fix["age_ms"],
        "has_place": state.fix is not None and state.fix.get("lat") is not None,
        "main": main,
        "waiting_orders": sum(card["state"] in _OPEN for card in others),
        "others": others,
        "messages": [dict(one) for one in state.messages],
        "pairing_code": near.pairing_code,
    }
    return _for_driver(page) if near.is_locked else page


def main_card(cards: list[dict[str, Any]], near: Surroundings) -> dict[str, Any] | None:
    """What the crew must see first: a cancel, a hazard that is new, an offer, what is in hand."""
    ranked = sorted(
        (rank, card["priority"], -card["issued_ms"], at)
        for at, card in enumerate(cards)
        if (rank := _rank(card, near)) is not None
    )
    return cards[ranked[0][-1]] if ranked else None


def _rank(card: Card, near: Surroundings) -> int | None:
    if card["alarm"] == "cancelled":
        is_new = card["order"] not in near.dismissed
        return 0 if is_new and near.now_ms - card["issued_ms"] < CANCEL_SHOWN_MS else None
    if card["alarm"] == "stand_down":
        return 1 if card["state"] in OFFERED else 5
    if card["state"] not in _OPEN:
        return None
    if card["must_read"]:
        return 2
    if card["state"] in OFFERED:
        return 3 if card["kind"] != "alert" else 6
    return 4


def _seen(card: Card, fix: Mapping[str, Any] | None, near: Surroundings) -> dict[str, Any]:
    """The card with what only the vehicle knows."""
    alarm = None
    if card["state"] in _CANCELLED:
        alarm = "cancelled"
    elif card["kind"] == "stand_down" and card["state"] in _OPEN:
        alarm = "stand_down"
    return {
        **card,
        **whereto(card["place"], fix, near.kind),
        "alarm": alarm,
        "buttons": _buttons(card, alarm),
        "unconfirmed": card["state"] == "accepted" and card["confirm"] is None,
        "queued": any(what == card["order"] for what, _ in near.queued),
    }


def _buttons(card: Card, alarm: str | None) -> list[str]:
    if alarm == "cancelled" or card["must_read"]:
        return ["read"]
    buttons = list(_BUTTONS.get(card["state"], ()))
    if card["kind"] == "alert" and card["state"] in OFFERED:
        return ["take", "decline"]
    if alarm == "stand_down":
        return [one for one in buttons if one in {"accept", "clear"}]
    return buttons


def whereto(place: Mapping[str, Any], fix: Mapping[str, Any] | None, kind: str) -> dict[str, Any]:
    """`distance_m`, `bearing_deg`, `arrow_deg` (from ahead, None: standing), `way_s`; or Nones."""
    nothing = {"distance_m": None, "bearing_deg": None, "arrow_deg": None, "way_s": None}
    is_placed = (place["lat_e7"], place["lon_e7"]) != (0, 0)
    if fix is None or fix.get("lat") is None or not is_placed:
        return nothing
    goal = datum.to_wgs84(place["lat_e7"] / 1e7, place["lon_e7"] / 1e7, place["datum"])
    here = float(fix["lat"]), float(fix["lon"])
    distance_m, bearing = geodesy.distance_m(*here, *goal), geodesy.bearing_deg(*here, *goal)
    has_heading = (fix.get("sog_mps") or 0) > _HEADING_MPS and fix.get("cog_deg") is not None
    detour, speed_mps = _WAY[kind]
    return {
        "distance_m": round(distance_m),
        "bearing_deg": round(bearing),
        "arrow_deg": round(bearing - float(fix["cog_deg"])) % 360 if has_heading else None,
        "way_s": round(distance_m * detour / speed_mps),
    }


def _for_driver(page: dict[str, Any]) -> dict[str, Any]:
    """No lists, no free text, at most three buttons: the answer, again, SOS."""
    main = page["main"]
    if main is not None:
        keep = [one for one in main["buttons"] if one not in {"decline", "clear"}][:1]
        main = {**main, "buttons": keep if page["touch"] else [], "notes": ""}
    return {**page, "main": main, "others": [], "messages": []}


def is_offered(page: Mapping[str, Any], answer: str, order: str) -> bool:
    """Whether a driver's touch is one that the page offers now."""
    main = page["main"]
    if main is None or main["order"] != order:
        return False
    return ("take" if main["kind"] == "alert" and answer == "accept" else answer) in main["buttons"]
