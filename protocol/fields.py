"""Small checks from which every payload's codec is put together.

A payload is a CBOR array; its Python twin is a frozen dataclass whose field names are the CDDL's.
`record(cls, checks...)` gives the decoder; `plain(value)` gives back what is encoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final, TypeVar

from protocol.refusal import Reason, Refused

T = TypeVar("T")
Check = Callable[[object, str], Any]

U8, U16, U32 = 0xFF, 0xFFFF, 0xFFFF_FFFF
TIME_MS_MAX = 1 << 43  # the year 2248: what lies beyond is a mistake


def bad(place: str, value: object, wanted: str) -> Refused:
    return Refused(Reason.MALFORMED, f"{place}: {value!r:.60}, wanted {wanted}")


def integer(low: int, high: int) -> Check:
    """An integer of low..high; outside it the reason is out_of_range."""

    def check(value: object, place: str) -> int:
        if type(value) is not int:
            raise bad(place, value, f"an integer {low}..{high}")
        if not low <= value <= high:
            raise Refused(Reason.OUT_OF_RANGE, f"{place}: {value}, wanted {low}..{high}")
        return value

    return check


def uint(high: int = U32) -> Check:
    return integer(0, high)


time_ms = uint(TIME_MS_MAX)


def octets(size: int | None = None, size_max: int = 1024) -> Check:
    """A byte string of exactly `size`, or of at most `size_max` bytes."""

    def check(value: object, place: str) -> bytes:
        if isinstance(value, bytes) and (len(value) == size if size else len(value) <= size_max):
            return value
        raise bad(place, value, f"{size or f'at most {size_max}'} bytes")

    return check


def text(size_max: int = 64) -> Check:
    """A text of at most `size_max` characters."""

    def check(value: object, place: str) -> str:
        if isinstance(value, str) and len(value) <= size_max:
            return value
        raise bad(place, value, f"a text of at most {size_max} characters")

    return check


def flag(value: object, place: str) -> bool:
    if isinstance(value, bool):
        return value
    raise bad(place, value, "true or false")


def maybe(check: Check) -> Check:
    """The value or null."""
    return lambda value, place: None if value is None else check(value, place)


def word(kind: type[Enum]) -> Check:
    """A member of an enumeration by its value."""

    def check(value: object, place: str) -> Enum:
        try:
            return kind(value)
        except ValueError:
            raise bad(place, value, f"one of {', '.join(str(m.value) for m in kind)}") from None

    return check


def many(check: Check, most: int = 64, least: int = 0) -> Check:
    """An array of least..most items, as a tuple."""

    def checked(value: object, place: str) -> tuple[Any, ...]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise bad(place, value, f"an array of {least}..{most}")
        return tuple(check(item, f"{place}[{i}]") for i, item in enumerate(value))

    return checked


def pair(first: Check, second: Check) -> Check:
    def checked(value: object, place: str) -> tuple[Any, Any]:
        if not isinstance(value, list) or len(value) != 2:
            raise bad(place, value, "a pair")
        return first(value[0], f"{place}[0]"), second(value[1], f"{place}[1]")

    return checked


def record(cls: type[T], *checks: Check) -> Callable[[object, str], T]:
    """Decoder of a dataclass from an array: one check a field, in order."""
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    if len(names) != len(checks):
        raise TypeError(f"{cls.__name__}: {len(names)} fields, {len(checks)} checks")

    def checked(value: object, place: str) -> T:
        if not isinstance(value, list) or len(value) != len(names):
            raise bad(place, value, f"an array of {len(names)}")
        return cls(
            *(
                check(item, f"{place}.{field}")
                for check, item, field in zip(checks, value, names, strict=True)
            )
        )

    return checked


_AS_THEY_ARE: Final = frozenset({int, str, bytes, bool, type(None)})


_field_names_of: dict[type, tuple[str, ...] | None] = {}  # every journaled command passes here


def _field_names(kind: type) -> tuple[str, ...] | None:
    """Of a record, looked up once a class; None for what is no record."""
    if kind not in _field_names_of:
        names = tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None
        _field_names_of[kind] = names
    return _field_names_of[kind]


def plain(value: object) -> object:
    """What is encoded for `value`: dataclasses and tuples become arrays, words their values."""
    if type(value) in _AS_THEY_ARE:
        return value
    names = _field_names(type(value))
    if names is not None:
        return [plain(getattr(value, name)) for name in names]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def named(value: object) -> Any:
    """`value` for people and JSON: names from the dataclass, bytes as hex."""
    if is_dataclass(value):
        return {field.name: named(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [named(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value
