"""The outbox: every entry goes, none is forgotten, one backlog batch at a time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.outbox import (
    BATCH_BYTES_LEAST,
    URGENT_UNDER_WAY_MAX,
    Outbox,
    Sending,
    batch_bytes,
)
from protocol.logbook import BATCH_ENTRIES_MAX


def filled(*urgent: int, last: int = 10) -> Outbox:
    outbox = Outbox()
    for n in range(1, last + 1):
        outbox.appended(n, n in urgent)
    return outbox


def send(outbox: Outbox) -> list[tuple[int, int]]:
    """Seal what may be sealed; the spans, urgent first."""
    spans = []
    while (n := outbox.next_urgent()) is not None:
        outbox.urgent_sealed(Sending(n, n, b"u"))
        spans.append((n, n))
    if (span := outbox.next_backlog()) is not None:
        outbox.backlog = Sending(*span, b"b")
        spans.append(span)
    return spans


def test_urgent_goes_first_and_alone_and_the_backlog_around_it() -> None:
    outbox = filled(4)
    assert send(outbox) == [(4, 4), (1, 3)]
    assert outbox.next_backlog() is None, "one backlog batch at a time"
    outbox.receipted(0, [(4, 4)])
    outbox.receipted(4, [])
    assert outbox.waiting_entries == 6
    assert send(outbox) == [(5, 10)]
    outbox.receipted(10, [])
    assert outbox.waiting_entries == 0
    assert send(outbox) == []
    assert outbox.next_due_ms() is None


def test_range_receipts_stop_sending_and_a_lower_receipt_says_nothing() -> None:
    outbox = filled()
    outbox.receipted(2, [(5, 6)])
    assert outbox.next_backlog() == (3, 4)
    outbox.receipted(1, [])
    assert (outbox.receipted_n, outbox.ranges) == (2, ((5, 6),))


def test_repeats_are_the_same_bytes_later_and_later() -> None:
    outbox = filled(1, last=1)
    send(outbox)
    waits, now_ms = [], 0
    for _ in range(6):
        (sending,) = outbox.due(now_ms)
        assert sending.message == b"u"
        sending.sent(now_ms, 0.999)
        waits.append(sending.due_ms - now_ms)
        assert outbox.due(sending.due_ms - 1) == []
        now_ms = sending.due_ms
    assert waits == sorted(waits)
    assert 1900 <= waits[0] <= 2000
    assert waits[-1] <= 30_000
    outbox.connected(now_ms)
    assert outbox.due(now_ms), "a new connection repeats at once"


def test_a_receipt_makes_what_was_left_unanswered_due_at_once() -> None:
    outbox = filled(1, 2, last=2)
    send(outbox)
    for sending in outbox.due(0):
        sending.sent(0, 0.999)
    outbox.heard(1_000)
    assert outbox.due(1_000) == [], "sent once: it may be on its way"
    now_ms = 2_000
    for _ in range(4):
        for sending in outbox.due(now_ms):
            sending.sent(now_ms, 0.999)
        now_ms += 30_000
    for sending in outbox.due(now_ms):
        sending.sent(now_ms, 0.999)
    outbox.receipted(1, [])
    outbox.heard(now_ms + 1_000)
    assert outbox.due(now_ms + 1_000) == [], "nor what was sent just now"
    outbox.heard(now_ms + 3_000)
    (late,) = outbox.due(now_ms + 3_000)
    assert late.first == 2
    late.sent(now_ms + 3_000, 0.999)
    assert late.due_ms - now_ms <= 5_000, "and from the first delay on"


def test_limits() -> None:
    outbox = filled(*range(1, 401), last=2000)
    assert len(send(outbox)) == URGENT_UNDER_WAY_MAX + 1
    assert outbox.backlog is not None
    assert (outbox.backlog.first, outbox.backlog.last) == (1, 368), "older urgent ones included"
    plain = filled(last=2000)
    send(plain)
    assert plain.backlog is not None
    assert plain.backlog.last == BATCH_ENTRIES_MAX
    assert batch_bytes(None) == batch_bytes(10) == BATCH_BYTES_LEAST
    assert batch_bytes(20_000) == 10_000
    assert batch_bytes(10**9) < 65_536


def test_receipt_far_below_means_loss_only_after_repeats() -> None:
    outbox = filled()
    outbox.receipted(5, [])
    send(outbox)
    assert not outbox.seems_lower(3)
    assert outbox.backlog is not None
    for _ in range(3):
        outbox.backlog.sent(0, 0.5)
    assert outbox.seems_lower(3)
    assert not outbox.seems_lower(5)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_lossy_centre_gets_everything_in_the_end(data: st.DataObject) -> None:
    """Batches and receipts get lost in any pattern; with the last loss healed all is receipted."""
    outbox, held, n = Outbox(), set[int](), 0

    def receipt() -> None:
        contiguous = 0
        while contiguous + 1 in held:
            contiguous += 1
        beyond = [(m, m) for m in sorted(held) if m > contiguous + 1]
        outbox.receipted(contiguous, beyond[:32])

    def round_trip(*, loses: bool) -> None:
        for span in send(outbox):
            if not (loses and data.draw(st.booleans())):
                held.update(range(span[0], span[1] + 1))
        for one in [*outbox.urgent_under_way.values(), outbox.backlog]:
            if one is not None and not (loses and data.draw(st.booleans())):
                held.update(range(one.first, one.last + 1))
        if not (loses and data.draw(st.booleans())):
            receipt()

    for _ in range(data.draw(st.integers(1, 12))):
        for _ in range(data.draw(st.integers(0, 4))):
            n += 1
            outbox.appended(n, data.draw(st.booleans()))
        round_trip(loses=True)
    for _ in range(n + 1):
        round_trip(loses=False)
    assert outbox.receipted_n == n
    assert outbox.waiting_entries == 0
    assert outbox.backlog is None
    assert not outbox.urgent_under_way
