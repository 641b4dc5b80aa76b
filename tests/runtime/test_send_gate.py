"""How much may lie in the kernel, and what throughput is made of."""

from __future__ import annotations

import pytest

from runtime.send_gate import HORIZON_S, SendGate, Throughput


class Line:
    """A link that takes `bytes_per_s`; the test's own time."""

    def __init__(self, bytes_per_s: float, limit_max_bytes: int = 256 * 1024) -> None:
        self.gate, self.bytes_per_s = SendGate(limit_max_bytes), bytes_per_s
        self.now_s = self.unsent = 0.0
        self.longest_wait_s = 0.0

    def send(self, size_bytes: int) -> None:
        """Hand over one message as soon as the gate allows."""
        self.gate.measured(self.now_s, int(self.unsent))
        while not self.gate.is_open:
            step_s = self.gate.poll_s(self.now_s)
            self.now_s += step_s
            self.unsent = max(0.0, self.unsent - step_s * self.bytes_per_s)
            self.gate.measured(self.now_s, int(self.unsent))
        self.longest_wait_s = max(self.longest_wait_s, self.unsent / self.bytes_per_s)
        self.gate.wrote(size_bytes)
        self.unsent += size_bytes


@pytest.mark.parametrize("bytes_per_s", [1200, 16_000, 125_000, 10_000_000])
def test_a_message_waits_behind_half_a_second_of_bytes_and_the_line_stays_busy(
    bytes_per_s: int,
) -> None:
    line, sent = Line(bytes_per_s), 0
    for _ in range(int(bytes_per_s * 20 / 200)):
        line.send(200)
        sent += 200
    most_s = max(HORIZON_S * 1.3, 2048 / bytes_per_s + 0.1)
    assert line.longest_wait_s <= most_s
    assert line.now_s <= sent / bytes_per_s * 1.15 + 0.1


def test_a_line_that_takes_all_at_once_opens_the_gate_up_to_its_limit() -> None:
    gate = SendGate(64 * 1024)
    for _ in range(2000):
        gate.wrote(200)
        if not gate.is_open:
            gate.measured(0.0, 0)
    assert gate.limit_bytes == 64 * 1024


def test_a_frozen_line_closes_the_gate_and_is_looked_at_ever_less_often() -> None:
    gate, now_s, looks = SendGate(64 * 1024), 0.0, 0
    gate.wrote(5000)
    gate.measured(now_s, 5000)
    assert not gate.is_open
    while now_s < 10:
        now_s += gate.poll_s(now_s)
        gate.measured(now_s, 5000)
        looks += 1
        assert not gate.is_open
    assert looks < 250


def test_throughput_comes_from_large_messages_less_the_round_trip() -> None:
    throughput = Throughput()
    throughput.acknowledged(0, 0, 0.6)
    assert throughput.bytes_per_s is None
    throughput.acknowledged(20_000, 0, 1.6)
    assert throughput.bytes_per_s == pytest.approx(20_000)
    for _ in range(30):
        throughput.acknowledged(10_000, 10_000, 0.6 + 0.4)
    assert throughput.bytes_per_s == pytest.approx(50_000, rel=0.01)


def test_batches_sized_by_the_throughput_find_a_line_with_a_long_round_trip() -> None:
    """No death spiral: where the round trip is longer than the horizon, batches do not shrink."""
    throughput, size = Throughput(), 2048.0
    throughput.acknowledged(0, 0, 0.7)
    for _ in range(20):
        throughput.acknowledged(int(size), 0, 0.7 + size / 125_000)
        size = min(64 * 1024, max(1024, HORIZON_S * (throughput.bytes_per_s or 0)))
    assert 0.25 <= size / 125_000 <= 0.6


def test_one_lucky_answer_is_not_believed() -> None:
    throughput = Throughput()
    throughput.acknowledged(0, 0, 0.5)
    throughput.acknowledged(4000, 0, 0.4)
    assert throughput.bytes_per_s == pytest.approx(40_000)
