"""A daemon's TOML file read into one frozen model; a bad file stops the start with one line.

Wire format: TOML 1.0, UTF-8 (a BOM and CRLF are tolerated), at most 1 MiB. Every model derives
from `Settings`: unknown keys are errors with the nearest known key, relative paths are taken
from the file's own folder. Called once per start by each daemon and by the command line.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from runtime.faults import ConfigFault
from runtime.files import read_small

SettingsT = TypeVar("SettingsT", bound="Settings")
_FOLDER: Final = "folder"
_SECRET_WORDS: Final = ("password", "secret", "token", "pin")
_TOP: Final = "(top of the file)"


class Settings(BaseModel):
    """Base of every settings model: frozen, no unknown keys, no NaN, paths made absolute."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True
    )

    @field_validator("*", mode="after")
    @classmethod
    def _from_file_folder(cls, value: object, info: ValidationInfo) -> object:
        folder = info.context.get(_FOLDER) if isinstance(info.context, Mapping) else None
        return _absolute(value, folder) if isinstance(folder, Path) else value


def load(path: Path, model: type[SettingsT]) -> SettingsT:
    """Read `path` into `model`; raises ConfigFault: one line with file, key, value, remedy."""
    table = _parse(path, read_small(path))
    try:
        return model.model_validate(table, context={_FOLDER: path.absolute().parent})
    except ValidationError as cause:
        raise _first_fault(path, model, cause) from None


def _parse(path: Path, content: bytes) -> dict[str, object]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        bad = f"byte {cause.start}"
        raise ConfigFault(path, "is not UTF-8", bad, "save it as UTF-8 text") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise ConfigFault(path, "is not TOML", str(cause), "correct that line") from None
    except RecursionError:
        raise ConfigFault(path, "is nested too deep", None, "flatten the tables") from None


def _first_fault(path: Path, model: type[BaseModel], cause: ValidationError) -> ConfigFault:
    errors = cause.errors(include_url=False, include_context=False)
    # a misspelt key is told before the "missing" that it causes
    first, *others = sorted(errors, key=lambda error: error["type"] != "extra_forbidden")
    what, value, remedy = _explained(model, first)
    if others:
        remedy += f" (and {len(others)} more: {', '.join(map(_key, others[:5]))})"
    return ConfigFault(f"{path}: {_key(first)}", what, value, remedy)


def _explained(model: type[BaseModel], error: ErrorDetails) -> tuple[str, str | None, str]:
    """(what, value, remedy) of one validation error."""
    name = str(error["loc"][-1]) if error["loc"] else _TOP
    match error["type"]:
        case "missing":
            return "is missing", None, f"add {name} = …"
        case "extra_forbidden":
            known = sorted(_known_keys(model, error["loc"][:-1]))
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
            return "is no known key", None, remedy
        case _:
            what = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            plain = what != error["msg"] and error["msg"].startswith("Input should be ")
            return ("should be " + what if plain else what), _shown(error), "correct the value"


def _shown(error: ErrorDetails) -> str:
    """The offending value, unless its key names a secret."""
    key = _key(error).lower()
    if any(word in key for word in _SECRET_WORDS) and not key.endswith(("file", "path")):
        return "not shown"
    return repr(error["input"])


def _key(error: ErrorDetails) -> str:
    return ".".join(str(part) for part in error["loc"]) or _TOP


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> set[str]:
    """Keys allowed in the table at `path`; those of every model met there where it is a union."""
    models: list[type[BaseModel]] = [model]
    for part in path:
        fields = [m.model_fields[str(part)] for m in models if str(part) in m.model_fields]
        inner = [found for field in fields for found in _models_in(field.annotation)]
        models = inner or models  # list indexes, dict keys and union tags stay in the same table
    return {name for found in models for name in found.model_fields}


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _absolute(value: object, folder: Path) -> object:
    match value:
        case Path():
            return folder / value
        case list() | tuple() | set() | frozenset() if any(isinstance(v, Path) for v in value):
            return type(value)(_absolute(item, folder) for item in value)
        case dict() if any(isinstance(item, Path) for item in value.values()):
            return {key: _absolute(item, folder) for key, item in value.items()}
        case _:
            return value
