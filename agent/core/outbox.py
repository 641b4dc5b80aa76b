"""What of the logbook is under way to the centre: one backlog batch, a few urgent ones; pure.

An entry leaves only by the centre's sealed receipt. The backlog goes in order, one batch at a
time, sized to what the link carries in half a second; an urgent entry goes at once as a batch of
one. A batch is repeated byte for byte until its receipt: later and later while the centre is
silent, and at once when it shows that it is there again. Called by the uplink.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol.cbor import BATCH_BYTES_MAX
from protocol.logbook import BATCH_ENTRIES_MAX
from protocol.repeats import BATCH

URGENT_UNDER_WAY_MAX: Final = 16
URGENT_WAITING_MAX: Final = 32  # the newest; older ones go with the backlog, in order
LINK_SHARE_S: Final = 0.5
BATCH_BYTES_LEAST: Final = 4096  # one entry always fits
ROOM_FOR_HEAD: Final = 512  # sealed head and array heads beside the entries
LOWER_AFTER_SENDINGS: Final = 3

Range = tuple[int, int]


@dataclass(slots=True)
class Sending:
    """A sealed batch that waits for its receipt; `attempt` counts since the centre was heard."""

    first: int
    last: int
    message: bytes
    sendings: int = 0
    attempt: int = 0
    sent_ms: int = 0
    due_ms: int = 0

    def sent(self, now_ms: int, draw: float) -> None:
        self.sent_ms, self.due_ms = now_ms, now_ms + BATCH.delay_ms(self.attempt, draw)
        self.sendings += 1
        self.attempt += 1


def batch_bytes(throughput_bytes_per_s: float | None) -> int:
    """Bytes of entries for the next backlog batch."""
    share = BATCH_BYTES_LEAST if throughput_bytes_per_s is None else throughput_bytes_per_s / 2
    most = BATCH_BYTES_MAX - ROOM_FOR_HEAD
    return int(max(BATCH_BYTES_LEAST, min(most, share)))


class Outbox:
    """`receipted_n`: all up to it are at the centre; `ranges` lie beyond; `last_n` is synced."""

    def __init__(self) -> None:
        self.receipted_n = self.last_n = 0
        self.ranges: tuple[Range, ...] = ()
        self.backlog: Sending | None = None
        self.urgent_under_way: dict[int, Sending] = {}
        self._urgent_waiting: OrderedDict[int, None] = OrderedDict()

    def reset(
        self, receipted_n: int, ranges: Sequence[Range], last_n: int, urgent: Sequence[int]
    ) -> None:
        """Begin anew: after a start, with a new logbook, or where the centre knows less."""
        self.receipted_n, self.ranges, self.last_n = receipted_n, tuple(ranges), last_n
        self.backlog = None
        self.urgent_under_way.clear()
        self._urgent_waiting.clear()
        for n in urgent:
            self._add_urgent(n)

    def appended(self, n: int, urgent: bool) -> None:
        self.last_n = max(self.last_n, n)
        if urgent:
            self._add_urgent(n)

    @property
    def waiting_entries(self) -> int:
        """Entries that the centre has not receipted."""
        beyond = sum(last - first + 1 for first, last in self.ranges)
        return max(0, self.last_n - self.receipted_n - beyond)

    def receipted(self, n: int, ranges: Sequence[Range]) -> None:
        """A receipt that fits the own chain; lower than what is known it says nothing."""
        if n < self.receipted_n:
            return
        self.receipted_n, self.ranges = n, tuple(r for r in ranges if r[1] > n)
        if self.backlog is not None and self._is_covered(self.backlog.first, self.backlog.last):
            self.backlog = None
        for number in [m for m in self.urgent_under_way if self._is_covered(m, m)]:
            del self.urgent_under_way[number]
        for number in [m for m in self._urgent_waiting if self._is_covered(m, m)]:
            del self._urgent_waiting[number]

    def is_at_centre(self, n: int) -> bool:
        """Whether a receipt covers entry `n`."""
        return self._is_covered(n, n)

    def seems_lower(self, n: int) -> bool:
        """Whether a receipt of `n` means that the centre has lost what it had receipted."""
        again = self.backlog is not None and self.backlog.sendings >= LOWER_AFTER_SENDINGS
        return n < self.receipted_n and again

    def next_urgent(self) -> int | None:
        """Number of the next urgent entry to seal, None if none or too many are under way."""
        if not self._urgent_waiting or len(self.urgent_under_way) >= URGENT_UNDER_WAY_MAX:
            return None
        return next(iter(self._urgent_waiting))

    def urgent_gone(self, n: int) -> None:
        """There is no such entry any more."""
        self._urgent_waiting.pop(n, None)

    def urgent_sealed(self, sending: Sending) -> None:
        self._urgent_waiting.pop(sending.first, None)
        self.urgent_under_way[sending.first] = sending

    def next_backlog(self) -> Range | None:
        """The next contiguous run of entries that neither a receipt nor an urgent batch covers."""
        if self.backlog is not None:
            return None
        taken = sorted([*self.ranges, *self._urgent_ranges()])
        first = self.receipted_n + 1
        for start, end in taken:
            if first < start:
                return self._run(first, start - 1)
            first = max(first, end + 1)
        return self._run(first, self.last_n)

    def due(self, now_ms: int) -> list[Sending]:
        """What must be repeated now, urgent first."""
        return [one for one in self._under_way() if one.due_ms <= now_ms]

    def next_due_ms(self) -> int | None:
        return min((one.due_ms for one in self._under_way()), default=None)

    def connected(self, now_ms: int) -> None:
        """A welcome: what is under way is sent again at once, from the first delay on."""
        for one in self._under_way():
            one.sendings, one.attempt, one.due_ms = 0, 0, now_ms

    def heard(self, now_ms: int) -> None:
        """A receipt: the centre commits again, so what it has left unanswered waits no longer.

        What was sent once, or within the first delay, may still be on its way there.
        """
        for one in self._under_way():
            if one.attempt > 1 and now_ms - one.sent_ms >= BATCH.first_ms:
                one.attempt, one.due_ms = 0, now_ms

    def _under_way(self) -> list[Sending]:
        backlog = [] if self.backlog is None else [self.backlog]
        return [*self.urgent_under_way.values(), *backlog]

    def _add_urgent(self, n: int) -> None:
        if not self._is_covered(n, n):
            self._urgent_waiting[n] = None
        while len(self._urgent_waiting) > URGENT_WAITING_MAX:
            self._urgent_waiting.popitem(last=False)

    def _urgent_ranges(self) -> list[Range]:
        return [(n, n) for n in (*self.urgent_under_way, *self._urgent_waiting)]

    def _run(self, first: int, last: int) -> Range | None:
        last = min(last, self.last_n, first + BATCH_ENTRIES_MAX - 1)
        return (first, last) if first <= last else None

    def _is_covered(self, first: int, last: int) -> bool:
        if last <= self.receipted_n:
            return True
        first = max(first, self.receipted_n + 1)
        return any(start <= first and last <= end for start, end in self.ranges)
