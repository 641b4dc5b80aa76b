"""TOML text to a codebook, and what is wrong with it: place, what, value, remedy, all at once.

Pure. Callers: the codebook's document (what came sealed), the command (what somebody wrote).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from protocol.codebook_checks import faults_of
from protocol.codebook_fault import Fault, WrongCodebook, did_you_mean
from protocol.codebook_model import PRIORITIES, Codebook

TEXT_BYTES_MAX: Final = 60_000  # sealed, it is one message of at most 64 KiB
_TOP: Final = "(top of the file)"
_CODE: Final = "1 to 32 of a-z, 0-9, _ and -"


def read(text: str) -> Codebook:
    """The codebook in `text`; raises WrongCodebook."""
    table = _parse(text)
    try:
        book = Codebook.model_validate(_with_tuples(table))
    except ValidationError as cause:
        errors = cause.errors(include_url=False, include_context=False)
        # a misspelt key is told before the "missing" that it causes
        errors.sort(key=lambda error: error["type"] != "extra_forbidden")
        raise WrongCodebook(_explained(error) for error in errors) from None
    if faults := faults_of(book):
        raise WrongCodebook(faults)
    return book


def _parse(text: str) -> dict[str, Any]:
    size_bytes = len(text.encode("utf-8", "surrogatepass"))
    if size_bytes > TEXT_BYTES_MAX:
        remedy = f"at most {TEXT_BYTES_MAX}: shorten comments"
        raise WrongCodebook([Fault(_TOP, "is too large", f"{size_bytes} bytes", remedy)])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        fault = Fault(_TOP, "is not TOML", str(cause), "correct that line")
        raise WrongCodebook([fault]) from None
    except RecursionError:
        fault = Fault(_TOP, "is nested too deep", None, "flatten the tables")
        raise WrongCodebook([fault]) from None


def _with_tuples(value: Any) -> Any:
    """TOML's arrays as tuples: strict models take no list for one."""
    if isinstance(value, list):
        return tuple(_with_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return value


def _explained(error: ErrorDetails) -> Fault:
    location = tuple(part for part in error["loc"] if part != "[key]")
    place = ".".join(str(part) for part in location) or _TOP
    name = str(location[-1]) if location else _TOP
    match error["type"]:
        case "missing":
            return Fault(place, "is missing", None, f"add {name} = …")
        case "extra_forbidden":
            return Fault(
                place,
                "is no known key",
                None,
                did_you_mean(name, _keys_at(location), "known here: {}"),
            )
        case "value_error":
            what, _, remedy = error["msg"].removeprefix("Value error, ").partition(" – ")
            return Fault(place, what, _shown(error), remedy or "correct the value")
        case _ if "[key]" in error["loc"]:
            return _wrong_code(place, name, location)
        case "string_pattern_mismatch" if "{1,32}$" in error["msg"]:
            return Fault(place, "is no code", _shown(error), f"use {_CODE}")
        case _:
            wanted = error["msg"].removeprefix("Input should be ")
            what = (
                f"should be {wanted}" if wanted != error["msg"] else wanted[:1].lower() + wanted[1:]
            )
            return Fault(place, what, _shown(error), "correct the value")


def _wrong_code(place: str, name: str, location: tuple[int | str, ...]) -> Fault:
    if location[-2:-1] in {("priorities",), ("plans",)}:
        return Fault(place, "is no priority", None, f"known: {', '.join(PRIORITIES)}")
    return Fault(place, "is no code", name, f"use {_CODE}")


def _shown(error: ErrorDetails) -> str | None:
    """The value that is wrong; of a whole table only that it is one."""
    value = error["input"]
    return None if isinstance(value, dict | Mapping | BaseModel) else repr(value)


def _keys_at(location: tuple[int | str, ...]) -> set[str]:
    """Keys that the table at `location` may hold."""
    models: list[type[BaseModel]] = [Codebook]
    for part in location[:-1]:
        fields = [m.model_fields[str(part)] for m in models if str(part) in m.model_fields]
        inner = [found for field in fields for found in _models_in(field.annotation)]
        models = inner or models  # a code or an index stays in the same table
    return {name for found in models for name in found.model_fields}


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
