"""A motorcycle's screen: in motion nothing is touched, the board's buttons accept and repeat."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocol.entry import OrderAnswer, StatusChange
from protocol.order import Answer
from protocol.words import Status
from tests.agent.centre import order
from tests.agent.test_screen_gate import get, post, token
from tests.browser.car import Car, car_in

pytestmark = pytest.mark.xdist_group("screen-gate")


def feed(car: Car) -> dict[str, Any]:
    """The page as the feed shows it now."""
    answer = get(car, "/feed", f"X-Outrider-Token: {token(car)}")
    found: dict[str, Any] = json.loads(answer.body.partition(b"data: ")[2].split(b"\n\n")[0])
    return found


def shows(car: Car, true: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(feed(car))
        return bool(true(found))

    car.centre.wait(look, what)
    return found


def test_board_buttons_in_motion(tmp_path: Path) -> None:
    with car_in(tmp_path) as car:
        car.screen["kind"] = '"motorcycle"'
        car.start()
        logon = car.log_on()
        number = 0

        def press(**detail: object) -> None:
            nonlocal number
            number += 1
            reply = car.crew.ask(
                type="event", device="board", device_kind="board", boot=1, event=number,
                name="input", detail=detail,
            )  # fmt: skip
            assert reply["type"] == "kept", reply

        press(input="speed", kmh=40)
        page = feed(car)
        assert (page["driving"], page["touch"]) == (True, False)
        car.centre.dispatch(order("o-1", logon))
        page = shows(car, lambda one: one["main"] is not None, "the order")
        assert page["main"]["buttons"] == []
        refused = json.loads(
            post(car, "/do", {"type": "answer", "order": "o-1", "answer": "accept"}).body
        )
        assert refused["reason"] == "the vehicle is moving"
        car.centre.wait(car.spoken.exists, "the order spoken")
        press(input="repeat", on=True)
        car.centre.wait(lambda: len(car.spoken.read_text().splitlines()) >= 2, "it spoken again")
        press(input="accept", on=False)  # letting go is no answer
        press(input="accept", on=True)
        said = car.centre.wait(lambda: car.centre.bodies(OrderAnswer), "the accept")
        assert [one.answer for one in said] == [Answer.ACCEPT]
        assert json.loads(post(car, "/do", {"type": "set_status", "status": "emergency"}).body)
        statuses = car.centre.wait(lambda: car.centre.bodies(StatusChange), "the SOS")
        assert statuses[-1].status == Status.EMERGENCY
