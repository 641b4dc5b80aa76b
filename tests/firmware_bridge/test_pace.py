"""How much a device may say, and presence told once."""

from __future__ import annotations

from firmware_bridge.core.pace import Pace
from firmware_bridge.core.presence import GRACE_MS, Presence
from firmware_bridge.core.session import NEVER_MS


def test_burst_then_rate() -> None:
    pace = Pace(10, burst=3)
    assert [pace.has(0) for _ in range(4)] == [True, True, True, False]
    assert not pace.has(99)
    assert pace.has(200)
    assert [pace.has(1_000_000) for _ in range(4)] == [True, True, True, False]


def test_taking_on_credit_is_waited_for() -> None:
    pace = Pace(1000, burst=1000)
    assert pace.delay_ms(1000, 0) == 0
    assert pace.delay_ms(500, 0) == 500
    assert pace.delay_ms(0, 500) == 0
    assert pace.delay_ms(4096, 1500) == 3096


def test_never_seen_is_absent_after_the_first_grace() -> None:
    presence = Presence("board-1", "board", 1000)
    assert presence.wake_ms() == 1000 + GRACE_MS
    assert presence.missing("no answer", 1000 + GRACE_MS - 1) == []
    (notice,) = presence.missing("no answer", 1000 + GRACE_MS)
    assert (notice.name, notice.detail["reason"]) == ("absent", "no answer")
    assert presence.missing("no answer", 10 * GRACE_MS) == []
    assert presence.wake_ms() == NEVER_MS
    assert [one.name for one in presence.seen(10 * GRACE_MS)] == ["present"]
    assert presence.seen(10 * GRACE_MS + 1) == []
