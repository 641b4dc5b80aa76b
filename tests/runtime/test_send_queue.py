"""Which message goes next, and what is refused."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from runtime.send_queue import Lane, Outgoing, SendQueue


def message(text: str, qos: int = 0, expires_s: float | None = None) -> Outgoing:
    return Outgoing("t", text.encode(), qos, False, expires_s)


def queue(messages_max: int = 10, bytes_max: int = 10_000) -> SendQueue:
    return SendQueue(messages_max, bytes_max, Counter())


def texts(waiting: SendQueue, now_s: float = 0.0) -> list[str]:
    found = []
    while (popped := waiting.pop(now_s)) is not None:
        found.append(popped.payload.decode())
    return found


def test_lanes_go_in_order_and_each_keeps_its_own() -> None:
    waiting = queue()
    for text, lane in (
        ("bulk", Lane.BULK),
        ("normal 1", Lane.NORMAL),
        ("normal 2", Lane.NORMAL),
        ("position", Lane.LATEST),
        ("sos 1", Lane.URGENT),
        ("sos 2", Lane.URGENT),
    ):
        assert waiting.put(message(text), lane, "key")
    assert texts(waiting) == ["sos 1", "sos 2", "position", "normal 1", "normal 2", "bulk"]


def test_the_newest_takes_the_place_of_its_predecessor() -> None:
    dropped: Counter[str] = Counter()
    waiting = SendQueue(10, 10_000, dropped)
    for key, text in (("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3")):
        waiting.put(message(text), Lane.LATEST, key)
    assert texts(waiting) == ["a3", "b1"]
    assert dropped == {"replaced by a newer one": 2}


def test_a_full_queue_refuses_all_but_a_replacement_and_the_urgent() -> None:
    waiting = queue(messages_max=2)
    assert waiting.put(message("position"), Lane.LATEST, "me")
    assert waiting.put(message("a"), Lane.NORMAL)
    assert not waiting.put(message("b"), Lane.NORMAL)
    assert not waiting.put(message("c"), Lane.BULK)
    assert not waiting.put(message("d"), Lane.LATEST, "other")
    assert waiting.put(message("newer"), Lane.LATEST, "me")
    assert waiting.put(message("sos 1"), Lane.URGENT)
    assert waiting.put(message("sos 2"), Lane.URGENT)
    assert not waiting.put(message("sos 3"), Lane.URGENT)
    assert texts(waiting) == ["sos 1", "sos 2", "newer", "a"]
    assert len(waiting) == 0
    assert waiting.bytes_waiting == 0


def test_bytes_are_bounded_too() -> None:
    waiting = queue(bytes_max=1000)
    assert waiting.put(message("x" * 800), Lane.NORMAL)
    assert not waiting.put(message("x" * 800), Lane.NORMAL)
    assert waiting.put(message("x" * 800), Lane.URGENT)


def test_without_a_free_place_qos_1_waits_and_qos_0_goes() -> None:
    waiting = queue()
    waiting.put(message("order", qos=1), Lane.URGENT)
    waiting.put(message("incident", qos=1), Lane.LATEST, "i")
    waiting.put(message("position"), Lane.NORMAL)
    popped = waiting.pop(0.0, qos1=False, urgent_qos1=False)
    assert popped is not None
    assert popped.payload == b"position"
    assert waiting.pop(0.0, qos1=False, urgent_qos1=False) is None
    assert texts(waiting) == ["order", "incident"]


def test_the_last_places_are_for_the_urgent() -> None:
    waiting = queue()
    waiting.put(message("batch", qos=1), Lane.BULK)
    waiting.put(message("sos", qos=1), Lane.URGENT)
    popped = waiting.pop(0.0, qos1=False, urgent_qos1=True)
    assert popped is not None
    assert popped.payload == b"sos"
    assert waiting.pop(0.0, qos1=False, urgent_qos1=True) is None


def test_only_the_urgent_pass_a_closed_gate() -> None:
    waiting = queue()
    waiting.put(message("position"), Lane.LATEST, "me")
    assert waiting.pop(0.0, urgent_only=True) is None
    waiting.put(message("sos"), Lane.URGENT)
    popped = waiting.pop(0.0, urgent_only=True)
    assert popped is not None
    assert popped.payload == b"sos"


@pytest.mark.parametrize("lane", list(Lane))
def test_what_expired_while_waiting_is_dropped_and_counted(lane: Lane) -> None:
    dropped: Counter[str] = Counter()
    waiting = SendQueue(10, 10_000, dropped)
    waiting.put(message("old", expires_s=5.0), lane, "a")
    waiting.put(message("good", expires_s=5.1), lane, "b")
    assert texts(waiting, now_s=5.0) == ["good"]
    assert dropped == {"expired": 1}


class Waiting(RuleBasedStateMachine):
    """Against a plain list per lane."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SendQueue(6, 2000, Counter())
        self.lanes: dict[Lane, deque[tuple[str, Outgoing]]] = {lane: deque() for lane in Lane}

    @rule(
        lane=st.sampled_from(list(Lane)),
        key=st.sampled_from("abc"),
        size=st.integers(0, 700),
        qos=st.integers(0, 1),
    )
    def put(self, lane: Lane, key: str, size: int, qos: int) -> None:
        new = Outgoing("t", bytes(size), qos, False, None)
        taken = self.queue.put(new, lane, key)
        own = self.lanes[lane]
        slot = next((i for i, (held, _) in enumerate(own) if held == key), None)
        if lane is Lane.LATEST and slot is not None:
            assert taken
            own[slot] = (key, new)
            return
        shared = [Lane.URGENT] if lane is Lane.URGENT else [Lane.LATEST, Lane.NORMAL, Lane.BULK]
        held = [waiting for one in shared for _, waiting in self.lanes[one]]
        weight = sum(waiting.size_bytes for waiting in held) + new.size_bytes
        assert taken == (len(held) < 6 and weight <= 2000)
        if taken:
            own.append((key, new))

    @rule(qos1=st.booleans(), urgent_qos1=st.booleans(), urgent_only=st.booleans())
    def pop(self, qos1: bool, urgent_qos1: bool, urgent_only: bool) -> None:
        popped = self.queue.pop(0.0, qos1=qos1, urgent_qos1=urgent_qos1, urgent_only=urgent_only)
        expected = None
        for lane in (Lane.URGENT,) if urgent_only else Lane:
            may = urgent_qos1 if lane is Lane.URGENT else qos1
            if self.lanes[lane] and (may or self.lanes[lane][0][1].qos == 0):
                expected = self.lanes[lane].popleft()[1]
                break
        assert popped is expected

    @invariant()
    def counts_agree(self) -> None:
        held = [waiting for lane in self.lanes.values() for _, waiting in lane]
        assert len(self.queue) == len(held)
        assert self.queue.bytes_waiting == sum(waiting.size_bytes for waiting in held)
        assert self.queue.has_urgent == bool(self.lanes[Lane.URGENT])


TestWaiting = Waiting.TestCase
TestWaiting.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.sampled_from("abcde"), max_size=50))
def test_one_slot_per_key(keys: list[str]) -> None:
    waiting = queue(messages_max=5)
    for number, key in enumerate(keys):
        assert waiting.put(message(f"{key}{number}"), Lane.LATEST, key)
    last = {key: f"{key}{number}" for number, key in enumerate(keys)}
    assert texts(waiting) == [last[key] for key in dict.fromkeys(keys)]
