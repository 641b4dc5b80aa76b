"""`outrider codebook check | show | print`: is a codebook right, what does it say of a kind.

Exit 0 right, 1 faults or unreadable, 2 wrong usage. Called by `outrider.py`.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from typing import Any, Final

from protocol.arguments import Unreadable, read_bounded
from protocol.codebook_change import Comparison, compare
from protocol.codebook_fault import Fault, WrongCodebook
from protocol.codebook_model import (
    CODE_TABLES,
    LANGUAGES,
    PRIORITIES,
    Codebook,
    IncidentKind,
    Language,
    codes_in,
)
from protocol.codebook_reading import TEXT_BYTES_MAX, read
from protocol.codebook_shipped import shipped_text
from protocol.codebook_text import kind_object, kind_text

_BUILT_IN: Final = "the built-in codebook"
_EPILOG: Final = """examples:
  outrider codebook print > codebook.toml
  outrider codebook check codebook.toml --against codebook-3.toml
  outrider codebook show fight --lang zh"""


def parser() -> argparse.ArgumentParser:
    """The options of `outrider codebook`."""
    options = argparse.ArgumentParser(
        prog="outrider codebook",
        description="Codes, plans and priorities of a fleet: check and show them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    acts = options.add_subparsers(dest="act", required=True, metavar="ACT")
    check = acts.add_parser("check", help="say every fault, or a summary")
    which = check.add_mutually_exclusive_group(required=True)
    which.add_argument("file", nargs="?", metavar="FILE", help="TOML; - is standard input")
    which.add_argument("--built-in", action="store_true", help="the one that comes with Outrider")
    check.add_argument("--against", metavar="OLD", help="may it follow this one? what changes?")
    check.add_argument("--json", action="store_true", help="one JSON object on stdout")
    show = acts.add_parser("show", help="a kind: names, priority, plan, hazards, services")
    show.add_argument("kind", metavar="KIND", help="its code")
    show.add_argument("--file", metavar="FILE", help="TOML; default: the built-in codebook")
    show.add_argument("--lang", choices=LANGUAGES, default="en", help="default: en")
    show.add_argument("--priority", type=int, choices=[int(key) for key in PRIORITIES])
    show.add_argument("--json", action="store_true", help="one JSON object on stdout")
    acts.add_parser("print", help="the built-in codebook's text, to begin your own with")
    return options


def main(argv: list[str]) -> int:
    """Returns the exit code."""
    arguments = parser().parse_args(argv)
    match arguments.act:
        case "check":
            return _check(arguments)
        case "show":
            return _show(arguments)
        case _:
            sys.stdout.write(shipped_text())
            return 0


def _check(arguments: argparse.Namespace) -> int:
    name = _BUILT_IN if arguments.built_in else arguments.file
    found: list[tuple[str, Fault]] = []
    book = _loaded(None if arguments.built_in else arguments.file, name, found)
    comparison = Comparison((), ())
    if book is not None and arguments.against is not None:
        old = _loaded(arguments.against, arguments.against, found)
        if old is not None:
            comparison = compare(old, book)
            found += [(name, fault) for fault in comparison.faults]
    for where, fault in found:
        print(f"outrider codebook: {where}: {fault}", file=sys.stderr)  # noqa: T201
    if arguments.json:
        print(json.dumps(_report(book, found, comparison), ensure_ascii=False))  # noqa: T201
    elif book is not None and not found:
        print("\n".join([f"{name}: {_summary(book)}", *comparison.changes]))  # noqa: T201
    return 1 if found else 0


def _loaded(path: str | None, name: str, found: list[tuple[str, Fault]]) -> Codebook | None:
    """The codebook at `path` (None: built-in), or None with its faults added to `found`."""
    try:
        return read(shipped_text() if path is None else _text_of(path))
    except WrongCodebook as cause:
        found += [(name, fault) for fault in cause.faults]
    return None


def _text_of(path: str) -> str:
    """Raises WrongCodebook, for a file that cannot be read as well."""
    try:
        return read_bounded(path, TEXT_BYTES_MAX).decode("utf-8-sig")
    except Unreadable as cause:
        what = str(cause).removeprefix(f"{path}: ")
        raise WrongCodebook([Fault("(file)", what, None, "name another file")]) from cause
    except UnicodeDecodeError as cause:
        fault = Fault("(file)", "is not UTF-8", f"byte {cause.start}", "save it as UTF-8 text")
        raise WrongCodebook([fault]) from cause


def _report(
    book: Codebook | None, found: list[tuple[str, Fault]], comparison: Comparison
) -> dict[str, Any]:
    return {
        "valid": not found,
        "faults": [{"file": where, **fault._asdict()} for where, fault in found],
        "version": None if book is None else book.version,
        "agency": None if book is None else book.agency,
        "counts": {} if book is None else _counts(book),
        "changes": list(comparison.changes),
    }


def _counts(book: Codebook) -> dict[str, int]:
    """Codes in use, by table."""
    return {
        table: sum(not one.retired for one in codes_in(book, table).values())
        for table in CODE_TABLES
    }


def _summary(book: Codebook) -> str:
    counts = ", ".join(f"{count} {table}" for table, count in _counts(book).items())
    return f"right. Version {book.version}, {book.zh} ({book.en}): {counts}"


def _show(arguments: argparse.Namespace) -> int:
    found: list[tuple[str, Fault]] = []
    book = _loaded(arguments.file, arguments.file or _BUILT_IN, found)
    if book is None:
        where, fault = found[0]
        return _refuse(f"{where}: {fault}")
    kind = book.kind(arguments.kind)
    if kind is None:
        near = difflib.get_close_matches(arguments.kind, list(book.kinds), n=1)
        remedy = f"did you mean {near[0]}?" if near else "`codebook print` lists them"
        return _refuse(f"kinds has no {arguments.kind!r:.40} – {remedy}")
    priority = kind.priority if arguments.priority is None else arguments.priority
    print(_shown(book, arguments.kind, kind, priority, arguments))  # noqa: T201
    return 0


def _shown(
    book: Codebook, code: str, kind: IncidentKind, priority: int, arguments: argparse.Namespace
) -> str:
    if arguments.json:
        return json.dumps(kind_object(book, code, kind, priority), ensure_ascii=False)
    language: Language = arguments.lang
    return kind_text(book, code, kind, priority, language)


def _refuse(line: str) -> int:
    print(f"outrider codebook: {line}", file=sys.stderr)  # noqa: T201
    return 1
