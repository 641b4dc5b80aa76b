"""When a ping is due, and when a link is dead."""

from __future__ import annotations

from runtime.liveness import Liveness, Pulse

KEEPALIVE_S = 10.0


def watch(
    liveness: Liveness, from_s: float, to_s: float, *, deaf: bool = False
) -> list[tuple[float, Pulse]]:
    """Everything but NONE between the two times, nothing sent or heard."""
    found: list[tuple[float, Pulse]] = []
    now_s = from_s
    while now_s < to_s:
        now_s += liveness.tick_s
        pulse = liveness.judge(now_s, 100, 100, deaf=deaf)
        if pulse is not Pulse.NONE:
            found.append((now_s, pulse))
        if pulse is Pulse.DEAD:
            break
    return found


def test_silence_is_asked_once_and_dead_within_one_and_a_half_keepalives() -> None:
    found = watch(Liveness(KEEPALIVE_S, 0.0), 0.0, 60.0)
    assert [pulse for _, pulse in found if pulse is Pulse.DEAD] == [Pulse.DEAD]
    first_ping_s = next(now_s for now_s, pulse in found if pulse is Pulse.PING)
    dead_s = found[-1][0]
    assert first_ping_s <= KEEPALIVE_S
    assert dead_s <= 1.5 * KEEPALIVE_S
    assert dead_s - first_ping_s >= KEEPALIVE_S / 2


def test_an_answer_begins_the_wait_anew() -> None:
    liveness = Liveness(KEEPALIVE_S, 0.0)
    assert watch(liveness, 0.0, 8.0) == [(7.5, Pulse.PING)]
    liveness.heard(8.1)
    assert watch(liveness, 8.1, 14.0) == []


def test_something_is_sent_in_every_keepalive_even_while_the_other_side_talks() -> None:
    liveness, pings, now_s = Liveness(KEEPALIVE_S, 0.0), [], 0.0
    while now_s < 60:
        now_s += liveness.tick_s
        liveness.heard(now_s)
        if liveness.judge(now_s, 100, 100, deaf=False) is Pulse.PING:
            pings.append(now_s)
    gaps = [later - sooner for sooner, later in zip([0.0, *pings], pings, strict=False)]
    assert max(gaps) <= KEEPALIVE_S
    assert len(pings) >= 6


def test_who_does_not_read_does_not_call_it_dead_but_pings() -> None:
    found = watch(Liveness(KEEPALIVE_S, 0.0), 0.0, 60.0, deaf=True)
    assert {pulse for _, pulse in found} == {Pulse.PING}
    assert len(found) >= 6


def test_a_ping_behind_bytes_that_move_is_waited_for() -> None:
    """A batch on a slow line: that its bytes move is the sign of life, until the ping is out."""
    liveness, now_s, delivered = Liveness(KEEPALIVE_S, 0.0), 0.0, 0
    while now_s < 30:
        now_s += liveness.tick_s
        delivered = min(40_000, delivered + 1500)
        assert liveness.judge(now_s, 40_000, delivered, deaf=False) is not Pulse.DEAD
    while now_s < 60:
        now_s += liveness.tick_s
        if liveness.judge(now_s, 40_000, 40_000, deaf=False) is Pulse.DEAD:
            break
    assert 40 <= now_s <= 50


def test_bytes_that_do_not_move_are_no_sign_of_life() -> None:
    liveness, now_s = Liveness(KEEPALIVE_S, 0.0), 0.0
    while liveness.judge(now_s, 40_000, 1000, deaf=False) is not Pulse.DEAD:
        now_s += liveness.tick_s
    assert now_s <= 1.5 * KEEPALIVE_S
