"""When a certificate is renewed, and when the link may connect anew."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from agent.core.now import Now
from agent.core.orders import Card, Desk
from agent.core.renewal import Life, days_left, ends_soon, is_due, may_reconnect
from protocol.order import OrderState
from protocol.words import TimeTrust
from tests.protocol.samples import ORDER

DAY_MS = 86_400_000
LIFE = Life(0, 30 * DAY_MS)


def at(days: float, trust: TimeTrust = TimeTrust.GNSS) -> Now:
    return Now(1, round(days * DAY_MS), trust)


@pytest.mark.parametrize(("days", "due"), [(0, False), (19.9, False), (20.1, True), (31, True)])
def test_at_two_thirds_of_its_life(days: float, due: bool) -> None:
    assert is_due(LIFE, at(days), 0.667) is due
    assert not is_due(LIFE, at(days, TimeTrust.RTC), 0.667)


@pytest.mark.parametrize(("days", "soon"), [(26.9, False), (27.1, True), (40, True)])
def test_the_end_is_told_three_days_before(days: float, soon: bool) -> None:
    assert ends_soon(LIFE, at(days)) is soon
    assert days_left(LIFE, at(days)) == max(0, int(30 - days))


@pytest.mark.parametrize("state", OrderState)
def test_an_order_without_an_answer_keeps_the_link(state: OrderState) -> None:
    order = ORDER.body
    card = Card(order, state)  # type: ignore[arg-type]
    desk = Desk(MappingProxyType({card.order.order: card}))
    waits = {OrderState.ISSUED, OrderState.DELIVERED, OrderState.ACCEPTED}
    assert may_reconnect(desk, LIFE, at(21)) is (state not in waits)
    assert may_reconnect(desk, LIFE, at(27.1))  # later than that nothing keeps it
    assert not may_reconnect(
        Desk(MappingProxyType({"o": Card(card.order, OrderState.CLEARED, kept=ORDER)})),
        LIFE,
        at(21),
    )
