"""CBOR as it travels: deterministic encoding, strict and bounded decoding (RFC 8949 section 4.2).

Outrider's payloads are arrays of integers, byte strings, texts, null, true, false and arrays; no
maps, floats or tags. Decoding checks size and depth before the decoder runs, and that the bytes
are the one deterministic encoding of the value.
"""

from __future__ import annotations

from typing import Any, cast

import cbor2

from protocol.refusal import Reason, Refused

MESSAGE_BYTES_MAX = 4096
BATCH_BYTES_MAX = 65536
DEPTH_MAX = 8

_ARRAY, _MAP, _TAG = 4, 5, 6
_SPECIAL = 7
_ONE_BYTE, _INDEFINITE = 24, 31


def encode(value: object) -> bytes:
    """Deterministic CBOR of `value`."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, bytes_max: int = MESSAGE_BYTES_MAX) -> object:
    """The value in `data`; raises Refused (too_large, too_deep, malformed).

    Anything that is not exactly one deterministically encoded item is malformed, and so is a tag:
    a decoder that makes dates, patterns and big numbers of them does a stranger's work.
    """
    if len(data) > bytes_max:
        raise Refused(Reason.TOO_LARGE, f"{len(data)} bytes; at most {bytes_max}")
    check_depth(data, tags=False)
    try:
        value = cast(object, cbor2.loads(data))
        again = encode(value)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, EOFError, RecursionError) as e:
        raise Refused(Reason.MALFORMED, f"not CBOR: {type(e).__name__}: {e!s:.80}") from e
    if again != data:
        raise Refused(Reason.MALFORMED, "not the deterministic encoding")
    return value


def check_depth(data: bytes, depth_max: int = DEPTH_MAX, *, tags: bool = True) -> None:
    """Walk the heads of `data`; raises Refused for nesting, indefinite lengths and short data."""
    at = skip_item(data, 0, depth_max, tags=tags)
    if at != len(data):
        raise Refused(Reason.MALFORMED, f"item ends at byte {at} of {len(data)}")


def skip_item(
    data: bytes, at: int, depth_max: int = DEPTH_MAX, *, tags: bool = True, heads_max: int = 1 << 17
) -> int:
    """Index behind the one item at `at`; raises Refused as `check_depth` does."""
    end, heads = len(data), 0
    open_items: list[int] = []  # items still to come at each level
    while at < end:
        heads += 1
        if heads > heads_max:
            raise Refused(Reason.TOO_LARGE, f"more than {heads_max} items")
        if not tags and data[at] >> 5 == _TAG:
            raise Refused(Reason.MALFORMED, f"tag at byte {at}")
        at, count = _step(data, at)
        if open_items:
            open_items[-1] -= 1
        if count:
            open_items.append(count)
            if len(open_items) > depth_max:
                raise Refused(Reason.TOO_DEEP, f"nested deeper than {depth_max} at byte {at}")
        while open_items and open_items[-1] == 0:
            open_items.pop()
        if not open_items:
            return at
    raise Refused(Reason.MALFORMED, f"item ends at byte {at} of {end}, cut short")


def _step(data: bytes, at: int) -> tuple[int, int]:
    """Skip one head (and its string); returns the next index and how many items it opens."""
    first = data[at]
    major, info = first >> 5, first & 31
    at += 1
    if info < _ONE_BYTE:
        value = info
    elif info < 28:
        size = 1 << (info - _ONE_BYTE)
        value = int.from_bytes(data[at : at + size], "big")
        at += size
    else:
        raise Refused(Reason.MALFORMED, f"indefinite or reserved length at byte {at - 1}")
    if major in (2, 3):
        at += value
    if at > len(data):
        raise Refused(Reason.MALFORMED, f"cut short at byte {len(data)}")
    if major == _ARRAY:
        return at, value
    if major == _MAP:
        return at, 2 * value
    return at, 1 if major == _TAG else 0


def array(value: object, size: int, place: str) -> list[Any]:
    """`value` as a list of exactly `size` items; raises Refused(malformed)."""
    if isinstance(value, list) and len(value) == size:
        return value
    raise Refused(Reason.MALFORMED, f"{place}: not an array of {size}")


def read_head(data: bytes, at: int, major: int, place: str) -> tuple[int, int]:
    """One definite, shortest-form head of `major` at `at`: (next index, its number)."""
    if at >= len(data) or data[at] >> 5 != major:
        raise Refused(Reason.MALFORMED, f"{place}: unexpected item at byte {at}")
    info = data[at] & 31
    if info < _ONE_BYTE:
        return at + 1, info
    if info >= 28:
        raise Refused(Reason.MALFORMED, f"{place}: indefinite length at byte {at}")
    size = 1 << (info - _ONE_BYTE)
    number = int.from_bytes(data[at + 1 : at + 1 + size], "big")
    shortest = number >= (_ONE_BYTE if size == 1 else 1 << (4 * size))
    if len(data) < at + 1 + size or not shortest:
        raise Refused(Reason.MALFORMED, f"{place}: length not in shortest form at byte {at}")
    return at + 1 + size, number


def read_bytes(data: bytes, at: int, place: str) -> tuple[int, bytes]:
    """One definite byte string at `at`: (next index, its content)."""
    start, size = read_head(data, at, 2, place)
    if start + size > len(data):
        raise Refused(Reason.MALFORMED, f"{place}: cut short")
    return start + size, data[start : start + size]
