"""The relay: repeated until kept, once per number, bounded per device, SOS first."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.core.relay import (
    NEW_BURST,
    SOS_WAITING_MAX,
    UNDER_WAY_MAX,
    WAITING_MAX,
    Offer,
    Relay,
)
from firmware_bridge.core.session import NEVER_MS
from protocol.device import Event

NOW = 5_000_000


def event(number: int, name: str = "mark", device: str = "body-1", **more: Any) -> Event:
    kind = "board" if device.startswith("board") else "recorder"
    return Event.model_validate(
        {"device": device, "device_kind": kind, "boot": 1, "event": number, "name": name} | more
    )


def numbers(lines: list[bytes]) -> list[int]:
    return [json.loads(line)["event"] for line in lines]


def connected() -> Relay:
    relay = Relay()
    relay.connected(NOW)
    return relay


def test_nothing_is_sent_before_the_agent_is_there() -> None:
    relay = Relay()
    assert relay.offer(event(1), NOW) is Offer.TAKEN
    assert relay.due(NOW) == []
    assert relay.wake_ms() == NEVER_MS
    relay.connected(NOW)
    assert numbers(relay.due(NOW)) == [1]


def test_repeated_after_2_s_doubling_to_30_s_until_kept() -> None:
    relay = connected()
    relay.offer(event(1), NOW)
    sent_ms = []
    now_ms = NOW
    while now_ms < NOW + 150_000:
        if relay.due(now_ms):
            sent_ms.append(now_ms - NOW)
        now_ms = relay.wake_ms()
    assert sent_ms == [0, 2000, 6000, 14_000, 30_000, 60_000, 90_000, 120_000]
    assert relay.settle("body-1", 1, 1) == event(1)
    assert relay.wake_ms() == NEVER_MS
    assert relay.settle("body-1", 1, 1) is None


def test_a_repeating_device_is_one_event() -> None:
    relay = connected()
    assert relay.offer(event(1), NOW) is Offer.TAKEN
    for _ in range(1000):
        assert relay.offer(event(1), NOW) is Offer.WAITING
    assert numbers(relay.due(NOW)) == [1]
    assert relay.due(NOW) == []


def test_all_is_sent_again_after_the_agents_restart() -> None:
    relay = connected()
    for number in range(1, 4):
        relay.offer(event(number), NOW)
    relay.due(NOW)
    relay.settle("body-1", 1, 2)
    relay.disconnected()
    assert relay.due(NOW + 60_000) == []
    relay.connected(NOW + 60_000)
    assert numbers(relay.due(NOW + 60_000)) == [1, 3]


def test_a_full_room_takes_nothing_and_drops_nothing() -> None:
    relay = connected()
    taken = [relay.offer(event(number), NOW + number * 1000) for number in range(1, 101)]
    assert taken == [Offer.TAKEN] * WAITING_MAX + [Offer.LATER] * (100 - WAITING_MAX)
    assert relay.settle("body-1", 1, 1) is not None
    assert relay.offer(event(100), NOW + 200_000) is Offer.TAKEN
    assert len(relay) == WAITING_MAX


def test_a_flood_of_new_events_is_slowed_down() -> None:
    relay = connected()
    taken = 0
    for number in range(1, 10_001):  # ten seconds
        if relay.offer(event(number), NOW + number) is Offer.TAKEN:
            taken += 1
            relay.settle("body-1", 1, number)
    assert NEW_BURST <= taken <= NEW_BURST + 51


def test_sos_goes_first_and_has_room_of_its_own() -> None:
    relay = connected()
    for number in range(1, 101):
        relay.offer(event(number), NOW)
    assert relay.offer(event(500, "sos"), NOW) is Offer.TAKEN
    assert numbers(relay.due(NOW))[0] == 500
    taken = [relay.offer(event(600 + n, "sos"), NOW) for n in range(20)]
    assert taken.count(Offer.TAKEN) == SOS_WAITING_MAX - 1


def test_a_device_that_gets_no_answer_stops_no_other() -> None:
    relay = connected()
    for number in range(1, WAITING_MAX + 1):
        relay.offer(event(number), NOW)
    assert len(relay.due(NOW)) == UNDER_WAY_MAX
    assert relay.offer(event(7, device="body-2"), NOW) is Offer.TAKEN
    assert numbers(relay.due(NOW)) == [7]


def test_the_age_of_a_boards_event_counts_on() -> None:
    relay = connected()
    relay.offer(event(1, "ignition", "board-1", detail={"on": True, "ms_ago": 12}), NOW)
    relay.offer(event(1, detail={"ms_ago": 12}), NOW)  # a recorder's own detail
    board, recorder = relay.due(NOW + 5000)
    assert json.loads(board)["detail"] == {"on": True, "ms_ago": 5012}
    assert json.loads(recorder)["detail"] == {"ms_ago": 12}


def test_what_fits_no_line_is_not_taken() -> None:
    large = event(1, detail={f"k{n}": "采" * 256 for n in range(16)})
    relay = connected()
    assert relay.offer(event(1), NOW) is Offer.TAKEN
    assert relay.offer(large.model_copy(update={"event": 2}), NOW) is Offer.TAKEN
    larger = event(3, detail={f"{n:02}" + "采" * 30: "🚓" * 256 for n in range(16)})
    assert relay.offer(larger, NOW) is Offer.TOO_LARGE
    assert all(len(line) <= 16_384 for line in relay.due(NOW))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6), st.integers(0, 40_000)),
                max_size=60))  # fmt: skip
def test_each_event_waits_until_it_is_settled(steps: list[tuple[int, int, int]]) -> None:
    relay, now_ms = Relay(), NOW
    waiting: set[int] = set()
    is_there = False
    for step, number, passed_ms in steps:
        now_ms += passed_ms
        match step:
            case 0 | 1:
                if relay.offer(event(number), now_ms) is Offer.TAKEN:
                    assert number not in waiting
                    waiting.add(number)
            case 2:
                assert (relay.settle("body-1", 1, number) is not None) == (number in waiting)
                waiting.discard(number)
            case 3:
                relay.connected(now_ms)
                is_there = True
                assert set(numbers(relay.due(now_ms))) == waiting
            case 4:
                relay.disconnected()
                is_there = False
        assert set(numbers(relay.due(now_ms))) <= (waiting if is_there else set())
        assert len(relay) == len(waiting)
