"""The map in an SMP message: CBOR from firmware that is not ours, bounded before it is decoded.

Unlike our own messages (protocol/cbor.py) it may have any spelling the standard allows, indefinite
lengths too, since firmware writes maps before it knows their size. Refused: tags, strings in
pieces, nesting beyond 8, more than 1,024 items, a key twice. Called by `smp_message`.
"""

from typing import Any, Final

import cbor2

from protocol.refusal import Reason, Refused

DEPTH_MAX: Final = 8
ITEMS_MAX: Final = 1024
_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SPECIAL = range(2, 8)
_IN_ONE_BYTE, _RESERVED, _INDEFINITE, _BREAK = 24, 28, 31, 0xFF


def decode_map(data: bytes) -> dict[str, Any]:
    """The one map in `data`, its keys texts; raises Refused (malformed, too_large, too_deep)."""
    pairs = _Walk(data).whole()
    try:
        value = cbor2.loads(data)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError) as cause:
        raise Refused(Reason.MALFORMED, f"not CBOR: {cause!s:.80}") from cause
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Refused(Reason.MALFORMED, "not a map with names as keys")
    if _pairs_in(value) != pairs:
        raise Refused(Reason.MALFORMED, "a key stands twice in a map")
    return value


def _pairs_in(value: object) -> int:
    match value:
        case dict():
            return len(value) + sum(_pairs_in(item) for item in value.values())
        case list() | tuple():
            return sum(map(_pairs_in, value))
        case _:
            return 0


class _Walk:
    """Goes over the heads only; recursion ends at DEPTH_MAX, loops at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._items, self._pairs = data, 0, 0, 0

    def whole(self) -> int:
        """How many pairs all maps have; raises Refused unless `data` is exactly one item."""
        self._item(0)
        if self._at != len(self._data):
            raise Refused(Reason.MALFORMED, f"item ends at byte {self._at} of {len(self._data)}")
        return self._pairs

    def _item(self, depth: int) -> None:
        self._items += 1
        if self._items > ITEMS_MAX:
            raise Refused(Reason.TOO_LARGE, f"more than {ITEMS_MAX} items")
        if depth > DEPTH_MAX:
            raise Refused(Reason.TOO_DEEP, f"nested deeper than {DEPTH_MAX}")
        first = self._byte()
        major, info = first >> 5, first & 31
        if major == _TAG:
            raise Refused(Reason.MALFORMED, f"tag at byte {self._at - 1}")
        if info == _INDEFINITE:
            self._until_break(major, depth)
        else:
            self._sized(major, self._number(info), depth)

    def _sized(self, major: int, size: int, depth: int) -> None:
        if major in {_BYTES, _TEXT}:
            self._skip(size)
        elif major in {_ARRAY, _MAP}:
            for _ in range(size * (2 if major == _MAP else 1)):
                self._item(depth + 1)
            self._pairs += size if major == _MAP else 0

    def _until_break(self, major: int, depth: int) -> None:
        if major not in {_ARRAY, _MAP}:
            raise Refused(Reason.MALFORMED, f"string in pieces or break at byte {self._at - 1}")
        count = 0
        while self._peek() != _BREAK:
            self._item(depth + 1)
            count += 1
        self._skip(1)
        if major == _MAP:
            if count % 2:
                raise Refused(Reason.MALFORMED, "a key without a value")
            self._pairs += count // 2

    def _number(self, info: int) -> int:
        if info < _IN_ONE_BYTE:
            return info
        if info >= _RESERVED:
            raise Refused(Reason.MALFORMED, f"reserved length at byte {self._at - 1}")
        start = self._at
        self._skip(1 << (info - _IN_ONE_BYTE))
        return int.from_bytes(self._data[start : self._at], "big")

    def _peek(self) -> int:
        if self._at >= len(self._data):
            raise Refused(Reason.MALFORMED, f"cut short at byte {len(self._data)}")
        return self._data[self._at]

    def _byte(self) -> int:
        byte = self._peek()
        self._at += 1
        return byte

    def _skip(self, size: int) -> None:
        self._at += size
        if self._at > len(self._data):
            raise Refused(Reason.MALFORMED, f"cut short at byte {len(self._data)}")
