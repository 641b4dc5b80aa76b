"""Just enough of CDDL (RFC 8610) to hold bytes against docs/protocol/outrider.cddl.

Arrays with occurrences, maps with literal keys, choices, ranges, literals, generics, `.size` and
`.cbor`. Reads the published file and nothing of the product, so it does not share its mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import cbor2

_TOKEN = re.compile(
    r"\s*(?:(-?\d+)\.\.(-?\d+)|(\d*\*\d*)|(-?\d+)|\"([^\"]*)\"|(\.[a-z]+)|([a-z][a-z0-9_-]*)"
    r"|([\[\]{}()<>,:/=]))"
)
_PRELUDE = {"bstr": bytes, "tstr": str, "bool": bool, "int": int}
_ANY = 1 << 62


@dataclass(frozen=True)
class Range:
    low: int
    high: int


@dataclass(frozen=True)
class Literal:
    value: int | str


@dataclass(frozen=True)
class Name:
    name: str
    arguments: tuple[Type, ...] = ()


@dataclass(frozen=True)
class Controlled:
    """`base .size n`, `base .cbor rule`."""

    base: Type
    control: str
    argument: Type


@dataclass(frozen=True)
class Choice:
    options: tuple[Type, ...]


@dataclass(frozen=True)
class Group:
    """An array (`opening` "[") or a map of (least, most, key, type)."""

    opening: str
    entries: tuple[tuple[int, int, str, Type], ...]


Type: TypeAlias = Range | Literal | Name | Controlled | Choice | Group
Token: TypeAlias = tuple[str, ...]


class Schema:
    """The rules of one file."""

    def __init__(self, text: str) -> None:
        bare = re.sub(r";.*", "", text)
        self.rules: dict[str, tuple[tuple[str, ...], Type]] = {}
        heads = list(re.finditer(r"^([a-z0-9-]+)(?:<([^>]*)>)? =", bare, re.M))
        for head, following in zip(heads, [*heads[1:], None], strict=True):
            body = bare[head.end() : following.start() if following else len(bare)]
            parser = _Parser(body)
            parameters = tuple(part.strip() for part in (head[2] or "").split(",") if part)
            self.rules[head[1]] = (parameters, parser.type())
            assert parser.is_done, f"{head[1]}: more behind the rule"

    def holds(self, rule: str, data: bytes) -> bool:
        """Whether `data` is one item that fits `rule`."""
        return self._fits(Name(rule), cbor2.loads(data), {})

    def _fits(self, kind: Type, value: Any, bound: Mapping[str, Type]) -> bool:
        match kind:
            case Range(low, high):
                return type(value) is int and low <= value <= high
            case Literal(literal):
                return type(value) is type(literal) and value == literal
            case Choice(options):
                return any(self._fits(option, value, bound) for option in options)
            case Controlled(base, control, argument):
                return self._fits(base, value, bound) and self._controls(
                    control, argument, value, bound
                )
            case Group("[", entries):
                return isinstance(value, list) and self._lists(entries, value, bound)
            case Group(_, entries):
                keys = {int(key) for _, _, key, _ in entries}
                return isinstance(value, dict) and keys == set(value) and all(
                    self._fits(item, value[int(key)], bound) for _, _, key, item in entries
                )  # fmt: skip
            case Name(name, arguments):
                return self._named(name, arguments, value, bound)

    def _named(
        self, name: str, arguments: tuple[Type, ...], value: Any, bound: Mapping[str, Type]
    ) -> bool:
        if name in bound:
            return self._fits(bound[name], value, {})
        if name == "null":
            return value is None
        if name in _PRELUDE:
            return type(value) is _PRELUDE[name]
        parameters, kind = self.rules[name]
        return self._fits(kind, value, dict(zip(parameters, arguments, strict=True)))

    def _controls(
        self, control: str, argument: Type, value: Any, bound: Mapping[str, Type]
    ) -> bool:
        if control == ".cbor":
            return self._fits(argument, cbor2.loads(value), bound)
        assert control == ".size"
        return self._fits(argument, len(value), bound)

    def _lists(
        self,
        entries: tuple[tuple[int, int, str, Type], ...],
        values: list[Any],
        bound: Mapping[str, Type],
    ) -> bool:
        at = 0
        for least, most, _, kind in entries:
            count = 0
            while count < most and at < len(values) and self._fits(kind, values[at], bound):
                at, count = at + 1, count + 1
            if count < least:
                return False
        return at == len(values)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[Token] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            assert found, f"what is this? {text[at : at + 40]!r}"
            self._tokens.append(tuple(group or "" for group in found.groups()))
            at = found.end()

    @property
    def is_done(self) -> bool:
        return not self._tokens

    def type(self) -> Type:
        options = [self._controlled()]
        while self._takes("/"):
            options.append(self._controlled())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _controlled(self) -> Type:
        base = self._primary()
        while self._tokens and self._tokens[0][5]:
            base = Controlled(base, self._tokens.pop(0)[5], self._primary())
        return base

    def _primary(self) -> Type:
        low, high, _, number, text, _, name, sign = self._tokens.pop(0)
        if low:
            return Range(int(low), int(high))
        if number:
            return Literal(int(number))
        if name:
            return Name(name, self._arguments())
        if sign == "(":
            inner = self.type()
            assert self._takes(")")
            return inner
        if sign in {"[", "{"}:
            return self._group(sign)
        return Literal(text)

    def _arguments(self) -> tuple[Type, ...]:
        if not self._takes("<"):
            return ()
        arguments = [self.type()]
        while self._takes(","):
            arguments.append(self.type())
        assert self._takes(">")
        return tuple(arguments)

    def _group(self, opening: str) -> Group:
        closing = "]" if opening == "[" else "}"
        entries = []
        while not self._takes(closing):
            least, most = self._occurrence()
            key = ""
            if len(self._tokens) > 1 and self._tokens[1][7] == ":":
                key = next(part for part in self._tokens.pop(0) if part)
                self._tokens.pop(0)
            entries.append((least, most, key, self.type()))
            self._takes(",")
        return Group(opening, tuple(entries))

    def _occurrence(self) -> tuple[int, int]:
        if not self._tokens[0][2]:
            return 1, 1
        least, _, most = self._tokens.pop(0)[2].partition("*")
        return int(least or 0), int(most or _ANY)

    def _takes(self, sign: str) -> bool:
        if self._tokens and self._tokens[0][7] == sign:
            self._tokens.pop(0)
            return True
        return False
