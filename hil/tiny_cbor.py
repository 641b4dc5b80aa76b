"""CBOR (RFC 8949), as much as a board's firmware needs; written from the standard.

Shares nothing with the product's library, so that both must agree with the standard. Encodes
shortest heads and definite lengths; decodes indefinite lengths too. Refuses tags, keys
other than text, and integers beyond 64 bits. Used by hil/board.py.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

DEPTH_MAX: Final = 8

Value: TypeAlias = "bool | int | float | str | bytes | Sequence[Value] | Mapping[str, Value] | None"

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_INDEFINITE: Final = 31
_BREAK: Final = 0xFF


class CborError(Exception):
    """Not one whole CBOR item of the supported kinds."""


def encode(value: Value) -> bytes:
    """One item; raises `CborError` for what cannot be said."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return _head(_BYTES, len(value)) + value
    if isinstance(value, str):
        return _head(_TEXT, len(value.encode())) + value.encode()
    if isinstance(value, Mapping):
        pairs = (encode(key) + encode(item) for key, item in value.items())
        return _head(_MAP, len(value)) + b"".join(pairs)
    return _head(_ARRAY, len(value)) + b"".join(encode(item) for item in value)


def _head(major: int, count: int) -> bytes:
    if count < 24:
        return bytes([major << 5 | count])
    for size, info in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if count < 1 << 8 * size:
            return bytes([major << 5 | info]) + count.to_bytes(size, "big")
    raise CborError(f"{count} is beyond 64 bits")


def decode(data: bytes) -> Value:
    """Exactly one item; raises `CborError`."""
    reader = _Reader(data)
    value = reader.item(DEPTH_MAX)
    if reader.at != len(data):
        raise CborError(f"{len(data) - reader.at} bytes after the item")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def _take(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) < count:
            raise CborError(f"ends within an item at byte {self.at}")
        self.at += count
        return taken

    def _count(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise CborError(f"length code {info} at byte {self.at - 1}")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def item(self, depth_left: int) -> Value:
        if depth_left == 0:
            raise CborError(f"deeper than {DEPTH_MAX}")
        head = self._take(1)[0]
        major, info = head >> 5, head & 31
        if major == _SIMPLE:
            return self._simple(info)
        if major == _TAG:
            raise CborError(f"tag at byte {self.at - 1}")
        if info == _INDEFINITE:
            return self._indefinite(major, depth_left)
        count = self._count(info)
        if major == _UNSIGNED:
            return count
        if major == _NEGATIVE:
            return -1 - count
        return self._body(major, count, depth_left)

    def _body(self, major: int, count: int, depth_left: int) -> Value:
        if major == _BYTES:
            return self._take(count)
        if major == _TEXT:
            return self._text(self._take(count))
        if count > len(self._data) - self.at:  # each item has a byte at least
            raise CborError(f"{count} items announced at byte {self.at}")
        if major == _ARRAY:
            return [self.item(depth_left - 1) for _ in range(count)]
        return dict(self._pair(depth_left - 1) for _ in range(count))

    def _pair(self, depth_left: int) -> tuple[str, Value]:
        key = self.item(depth_left)
        if not isinstance(key, str):
            raise CborError(f"a key that is no text before byte {self.at}")
        return key, self.item(depth_left)

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError as cause:
            raise CborError(f"no UTF-8 before byte {self.at}") from cause

    def _simple(self, info: int) -> Value:
        if 20 <= info <= 23:
            return (False, True, None, None)[info - 20]
        if 25 <= info <= 27:
            form = {25: ">e", 26: ">f", 27: ">d"}[info]
            number: float = struct.unpack(form, self._take(struct.calcsize(form)))[0]
            return number
        raise CborError(f"simple value {info} at byte {self.at - 1}")

    def _at_break(self) -> bool:
        if self._data[self.at : self.at + 1] != bytes([_BREAK]):
            return False
        self.at += 1
        return True

    def _indefinite(self, major: int, depth_left: int) -> Value:
        if major in {_BYTES, _TEXT}:
            parts = self._chunks(major)
            return parts if major == _BYTES else self._text(parts)
        if major == _ARRAY:
            items: list[Value] = []
            while not self._at_break():
                items.append(self.item(depth_left - 1))
            return items
        if major == _MAP:
            pairs: dict[str, Value] = {}
            while not self._at_break():
                key, value = self._pair(depth_left - 1)
                pairs[key] = value
            return pairs
        raise CborError(f"an integer of no length at byte {self.at - 1}")

    def _chunks(self, major: int) -> bytes:
        parts = bytearray()
        while not self._at_break():
            head = self._take(1)[0]
            if head >> 5 != major:
                raise CborError(f"a chunk of another kind at byte {self.at - 1}")
            parts += self._take(self._count(head & 31))
        return bytes(parts)
