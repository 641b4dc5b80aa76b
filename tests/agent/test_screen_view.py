"""What the page shows, card by card (agent/screen/view.py), and pairing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent import state_view
from agent.core.orders import Card
from agent.screen.pairing import LASTS_MS, PAIRED_MAX, TRIES, Pairing, decode, encode
from agent.screen.touches import TOUCHES_MAX, Touches
from agent.screen.view import Surroundings, is_offered, view
from protocol import device
from protocol.dispatch import ConfirmState, Place
from protocol.order import OrderKind, OrderState
from tests.agent.order_desk import T0, given_order

NORTH_1KM = Place(245_219_932, 1_176_470_000, "wgs84", "caller", 10, "Gate")
FIX = {
    "time_ms": T0, "time_trust": "gnss", "lat": 24.513, "lon": 117.647, "sog_mps": 10.0,
    "cog_deg": 90.0, "fix": "3d", "satellites": 9, "hdop": 0.9, "flags": [], "age_ms": 200,
}  # fmt: skip


def near(**changes: Any) -> Surroundings:
    fields: dict[str, Any] = {
        "now_ms": T0 + 1000, "kind": "car", "officers": 2, "is_locked": False,
        "is_driving": False, "is_full": False, "link_down_ms": None, "queued": (),
    }  # fmt: skip
    return Surroundings(**(fields | changes))


def card(name: str = "o-1", state: OrderState = OrderState.DELIVERED, **changes: Any) -> Card:
    confirm = changes.pop("confirm", None)
    return Card(given_order(name, **changes), state, 1, confirm)


def page(*cards: Card, around: Surroundings | None = None, **state: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "terminal": "zz/car-1", "unit": "621", "logon": 3, "status": "available", "link": "up",
        "welcomed": True, "waiting_entries": 0, "fix": FIX, "refused": {},
        "orders": tuple(state_view.card_view(one) for one in cards),
    }  # fmt: skip
    return view(device.State(**(fields | state)), around or near())


def test_distance_arrow_and_time_come_from_the_newest_fix() -> None:
    main = page(card(place=NORTH_1KM))["main"]
    assert 995 <= main["distance_m"] <= 1005
    assert main["bearing_deg"] == 0
    assert main["arrow_deg"] == 270  # driving east, the place is to the left
    assert main["way_s"] == pytest.approx(1000 * 1.3 / 12, abs=2)


@pytest.mark.parametrize(
    ("fix", "place"),
    [(None, NORTH_1KM), (FIX | {"lat": None}, NORTH_1KM),
     (FIX, replace(NORTH_1KM, lat_e7=0, lon_e7=0))],
    ids=["no fix", "no place of ours", "place unknown"],
)  # fmt: skip
def test_what_is_not_known_is_not_made_up(fix: dict[str, Any] | None, place: Place) -> None:
    main = page(card(place=place), fix=fix)["main"]
    assert [main[key] for key in ("distance_m", "bearing_deg", "arrow_deg", "way_s")] == [None] * 4


def test_standing_has_no_heading() -> None:
    assert page(card(place=NORTH_1KM), fix=FIX | {"sog_mps": 0.3})["main"]["arrow_deg"] is None


def test_a_gcj02_place_is_converted_once() -> None:
    wgs = page(card(place=NORTH_1KM))["main"]["distance_m"]
    gcj = page(card(place=replace(NORTH_1KM, datum="gcj02")))["main"]["distance_m"]
    assert abs(wgs - gcj) > 100


STATES = [
    (OrderState.DELIVERED, ["accept", "decline"]),
    (OrderState.ACCEPTED, ["decline"]),
    (OrderState.CONFIRMED, ["en-route", "on-scene", "decline"]),
    (OrderState.EN_ROUTE, ["on-scene", "clear", "decline"]),
    (OrderState.ON_SCENE, ["clear"]),
    (OrderState.CANCELLED, ["read"]),
    (OrderState.SUPERSEDED, ["read"]),
]


@pytest.mark.parametrize(("state", "buttons"), STATES, ids=str)
def test_buttons_are_the_answers_that_the_order_allows(
    state: OrderState, buttons: list[str]
) -> None:
    assert page(card(state=state))["main"]["buttons"] == buttons


def test_an_alert_is_taken() -> None:
    shown = page(card(kind=OrderKind.ALERT))
    assert shown["main"]["buttons"] == ["take", "decline"]
    assert is_offered(shown, "accept", "o-1")
    assert not is_offered(shown, "accept", "o-2")


def test_accepted_is_not_confirmed() -> None:
    assert page(card(state=OrderState.ACCEPTED))["main"]["unconfirmed"]
    held = card(state=OrderState.CONFIRMED, confirm=ConfirmState.HELD)
    assert not page(held)["main"]["unconfirmed"]


def test_a_cancel_comes_first_until_it_is_put_away() -> None:
    cards = card("o-1", OrderState.CANCELLED), card("o-2", priority=0)
    assert page(*cards)["main"]["order"] == "o-1"
    assert page(*cards)["main"]["alarm"] == "cancelled"
    put_away = page(*cards, around=near(dismissed={"o-1"}))
    assert put_away["main"]["order"] == "o-2"
    assert [one["order"] for one in put_away["others"]] == ["o-1"]


def test_an_old_cancel_is_history() -> None:
    shown = page(card("o-1", OrderState.CANCELLED), around=near(now_ms=T0 + 3 * 3_600_000))
    assert shown["main"] is None


def test_an_offer_stands_before_what_is_in_hand_and_an_alert_after_it() -> None:
    held = card("o-1", OrderState.EN_ROUTE)
    assert page(held, card("o-2", priority=3))["main"]["order"] == "o-2"
    assert page(held, card("o-3", kind=OrderKind.ALERT))["main"]["order"] == "o-1"
    assert page(held, card("o-3", kind=OrderKind.ALERT))["waiting_orders"] == 1


def test_a_new_hazard_must_be_read_before_anything_else() -> None:
    held = card("o-1", OrderState.EN_ROUTE, revision_class=1, hazards=("knife",))
    assert page(held)["main"]["buttons"] == ["read"]
    assert page(replace(held, read=1))["main"]["buttons"] == ["on-scene", "clear", "decline"]


@pytest.mark.parametrize(("state", "_buttons"), STATES, ids=str)
def test_a_driver_sees_one_answer_and_no_list(state: OrderState, _buttons: list[str]) -> None:
    cards = card("o-1", state, notes="long story"), card("o-2", OrderState.CLEARED)
    shown = page(*cards, around=near(is_locked=True, is_driving=True))
    assert shown["driving"]
    assert len(shown["main"]["buttons"]) <= 1
    assert shown["main"]["notes"] == ""
    assert (shown["others"], shown["messages"]) == ([], [])
    assert shown["can_unlock"]
    assert not page(around=near(is_locked=True, officers=1))["can_unlock"]


def test_a_motorcycle_in_motion_has_nothing_to_touch() -> None:
    shown = page(card(), around=near(is_locked=True, is_driving=True, kind="motorcycle"))
    assert not shown["touch"]
    assert shown["main"]["buttons"] == []
    assert not shown["can_unlock"]


def test_the_link_is_up_only_with_a_welcome() -> None:
    assert not page(welcomed=False)["is_up"]
    assert not page(link="down")["is_up"]
    assert page()["is_up"]


# --- touches and pairing ----------------------------------------------------------------------


def test_touches_are_queued_until_the_centre_has_them() -> None:
    touches = Touches()
    touches.kept(3, "o-1", T0)
    touches.kept(4, "set_status", T0 + 1)
    assert touches.queued(lambda n: n <= 3) == (("set_status", T0 + 1),)
    assert touches.queued(lambda _: True) == ()
    for n in range(100):
        touches.kept(n, "o-1", n)
    assert len(touches.queued(lambda _: False)) == TOUCHES_MAX


def test_the_link_is_down_since_it_went() -> None:
    touches = Touches()
    for is_up, now_ms, since in ((False, 5, 5), (False, 9, 5), (True, 10, None), (False, 12, 12)):
        touches.link(is_up, now_ms)
        assert touches.down_since_ms == since


def test_a_code_holds_two_minutes_five_tries_and_once() -> None:
    pairing = Pairing()
    assert not pairing.tried("000000", 0)
    code = pairing.begin(7, 0)
    assert (code, pairing.code(LASTS_MS - 1), pairing.code(LASTS_MS)) == ("000007", code, None)
    assert not pairing.tried(code, LASTS_MS)
    pairing.begin(7, 0)
    for _ in range(TRIES):
        assert not pairing.tried("999999", 1)
    assert not pairing.tried(code, 1)
    pairing.begin(7, 0)
    assert pairing.tried(code, 1)
    assert not pairing.tried(code, 1)


def test_few_devices_are_trusted_and_only_digests_are_kept() -> None:
    pairing = Pairing()
    for n in range(PAIRED_MAX + 1):
        pairing.paired = pairing.with_secret(b"secret %d" % n)
    assert not pairing.knows(b"secret 0")
    assert pairing.knows(b"secret 4")
    assert decode(encode(pairing.paired)) == pairing.paired
    assert b"secret" not in encode(pairing.paired)
