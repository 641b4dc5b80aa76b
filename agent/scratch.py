"""The scratch record: fixes that are not yet in an entry, as `count` (2 bytes) and packed points.

No entry and never sent; at the next start it becomes one.
"""

from collections.abc import Sequence

from protocol import track
from protocol.entry import Track
from protocol.track import CODEC, TrackPoint

_COUNT_BYTES = 2


def encode_scratch(points: Sequence[TrackPoint]) -> bytes:
    return len(points).to_bytes(_COUNT_BYTES, "big") + track.pack(points)


def scratch_entries(data: bytes | None) -> tuple[Track, ...]:
    """The entry of what a boot before left; none where it left nothing."""
    if data is None or len(data) <= _COUNT_BYTES:
        return ()
    count, packed = int.from_bytes(data[:_COUNT_BYTES], "big"), data[_COUNT_BYTES:]
    return (Track(CODEC, count, packed),)
