"""An automatic arrival counts from when standing began, a touch from the touch."""

from __future__ import annotations

import pytest

from protocol import entry as entries
from protocol.order import Answer, AnswerMeans, OrderState
from tests.matcher.fleet import FleetUnderTest

STOOD_MS = 60_000


@pytest.mark.parametrize(
    ("means", "age_ms", "before_ms"),
    [
        (AnswerMeans.AUTOMATIC, STOOD_MS, STOOD_MS),
        (AnswerMeans.TOUCH, STOOD_MS, 0),
        (AnswerMeans.AUTOMATIC, 3_600_000, 100_000),
    ],
    ids=["automatic", "touch", "never-before-the-issue"],
)
def test_the_time_of_an_arrival(means: AnswerMeans, age_ms: int, before_ms: int) -> None:
    fleet = FleetUnderTest({"a": 10_000})
    fleet.report(priority=1)
    (order,) = fleet.board.orders.values()
    issued_ms = order.issued_ms
    fleet.deliver("a")
    fleet.answer(order, Answer.ACCEPT)
    fleet.deliver("a")
    fleet.wait((issued_ms + 100_000 - fleet.now_ms) / 1000)
    here = entries.Here(245_130_000, 1_176_470_000, 50, age_ms)
    fleet.entry(
        "a",
        entries.OrderAnswer(order.order, 1, Answer.ON_SCENE, int(means), None, None, here),
    )
    order = fleet.board.orders[order.order]
    assert order.state == OrderState.ON_SCENE
    assert order.means[OrderState.ON_SCENE] == means
    assert order.times_ms[OrderState.ON_SCENE] == fleet.now_ms - before_ms
