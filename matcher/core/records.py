"""Codec of the journal's commands and events: any frozen dataclass of plain fields.

`[name, field, ...]` in deterministic CBOR; types come from the annotations, so a record is defined
once. Used by the journal only, never on the wire.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import cbor2

from protocol.fields import plain

T = TypeVar("T")
Reader = Callable[[Any], Any]
_readers: dict[Any, Reader] = {}


def encode(record: object) -> list[object]:
    """A record as a list that CBOR can hold."""
    body = plain(record)
    assert isinstance(body, list)
    return [type(record).__name__, *body]


def encode_all(records: Iterable[object]) -> bytes:
    return cbor2.dumps([encode(record) for record in records], canonical=True)


def decoder(classes: Iterable[type[T]]) -> Callable[[list[Any]], T]:
    """Decoder of a closed set of record classes; KeyError for a name outside it."""
    by_name = {cls.__name__: cls for cls in classes}

    def decode(value: list[Any]) -> T:
        cls = by_name[value[0]]
        made: T = _reader(cls)(value[1:])
        return made

    return decode


def _reader(kind: Any) -> Reader:
    if kind not in _readers:
        _readers[kind] = _make_reader(kind)
    return _readers[kind]


def _make_reader(kind: Any) -> Reader:
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        parts = [_reader(hints[field.name]) for field in fields(kind)]
        # fields added later have defaults, so a shorter, older record is still read
        return lambda value: _made(kind, parts, value)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return _tuple_reader(args)
    if origin in (types.UnionType, typing.Union):
        inner = [_reader(arg) for arg in args if arg is not types.NoneType]
        if len(inner) != 1:
            raise TypeError(f"{kind}: only one type or None can be read back")
        return lambda value: None if value is None else inner[0](value)
    if isinstance(kind, type) and not issubclass(kind, int | str | bytes):
        raise TypeError(f"{kind} cannot be journaled")
    if isinstance(kind, type) and kind in (int, str, bytes, bool):
        return lambda value: value
    return typing.cast(Reader, kind)  # an enumeration: made from its value


def _made(kind: Any, parts: list[Reader], value: list[Any]) -> Any:
    if len(value) > len(parts):
        raise ValueError(f"{kind.__name__}: {len(value)} fields; made by a newer version")
    return kind(*(part(v) for part, v in zip(parts, value, strict=False)))


def _tuple_reader(args: tuple[Any, ...]) -> Reader:
    if len(args) == 2 and args[1] is Ellipsis:
        one = _reader(args[0])
        return lambda value: tuple(one(v) for v in value)
    parts = [_reader(arg) for arg in args]
    return lambda value: tuple(part(v) for part, v in zip(parts, value, strict=True))
