"""`track`: bytes a fix of the sealed track on the wire, over all fixes of all shared drives.

Entries of at most 60 s, each its own sealed batch as a live terminal sends them: entry, head,
seal and PUBLISH packet counted.
"""

from __future__ import annotations

from typing import Final

from agent.core.fix import Fix
from agent.core.track_builder import TrackBuilder, entries_of, point_of
from bench import drives
from bench.figure import Figure, number
from bench.options import Options
from protocol import entry as entries
from protocol import envelope, logbook, topics
from protocol.envelope import Kind
from protocol.keys import SealKey
from protocol.words import TimeTrust

BYTES_MAX: Final = 8.5
ENTRY_MS: Final = 60_000
FIXES_MAX: Final = 60
PUBLISH_BYTES: Final = 11  # QoS 1, topic alias: head 3, topic 2, packet id 2, properties 4
_TOPIC: Final = topics.terminal("bench", "bench", "logbook")


async def run(options: Options) -> list[Figure]:
    """One figure over all drives, each drive beside it."""
    total = fixes_total = 0
    beside = []
    for name, fixes in drives.all_drives().items():
        options.say(f"track: {name}")
        size, count = _sent(fixes)
        total, fixes_total = total + size, fixes_total + count
        beside.append(f"{name}: {number(size / count)} bytes a fix, {count} fixes")
    beside.append("beside: a sealed position of its own about 132, JT/T 808 0x0200 unsigned 43")
    mean = total / fixes_total
    return [Figure("track", "track, sealed", mean, "bytes a fix", BYTES_MAX, beside=tuple(beside))]


def _sent(fixes: list[Fix]) -> tuple[int, int]:
    """(bytes, fixes) of one drive."""
    builder, wire = TrackBuilder(ENTRY_MS, FIXES_MAX), _Wire()
    count = 0
    for fix in fixes:
        point = point_of(fix, fix.epoch_ms or 0)
        if point is None:
            continue
        count += 1
        while builder.due(point.time_ms):
            wire.send(builder)
        builder.add(point, point.time_ms)
    while builder.waiting:
        wire.send(builder)
    return wire.size, count


class _Wire:
    """A logbook's chain and what its batches weigh."""

    def __init__(self) -> None:
        self.size, self._n, self._head = 0, 0, bytes(32)
        self._key = SealKey.from_seed(b"bench".ljust(32, b"."))

    def send(self, builder: TrackBuilder) -> None:
        points = [point for _, point in builder.take()]
        for body in entries_of(points):
            self._n += 1
            data = entries.encode(
                entries.Entry(points[-1].time_ms, TimeTrust.GNSS, 7, self._n * ENTRY_MS, 3, body)
            )
            item = logbook.Item(logbook.digest(data), data)
            before, self._head = self._head, logbook.chain(self._head, self._n, item.digest)
            head = logbook.Head(bytes(16), self._n, before, self._n, self._head)
            sealed = envelope.seal(
                Kind.BATCH, _TOPIC, bytes(16), logbook.encode_head(head), self._key
            )
            self.size += len(logbook.encode_batch(sealed, [item])) + PUBLISH_BYTES
