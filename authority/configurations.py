"""Configurations in the book: each kept as long as it is the newest for some terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from authority.book import CONFIGURATIONS_MAX, Book
from protocol import configuration
from protocol.configuration import NAMES_MAX, Configuration
from protocol.refusal import Reason, Refused


def configure(book: Book, settings: str, names: Iterable[str], now_ms: int) -> Book:
    """Add one; raises Refused: a word that may not be set, a name that is not enrolled."""
    wanted = tuple(sorted(set(names)))
    if len(wanted) > NAMES_MAX:
        raise Refused(
            Reason.OUT_OF_RANGE, f"{len(wanted)} names; at most {NAMES_MAX}, or leave --for out"
        )
    for one in wanted:
        if book.active(one) is None:
            raise Refused(Reason.UNKNOWN_SENDER, f"{one} is not enrolled; see `authority list`")
    configuration.table_of(settings)
    held = [configuration.decode(payload) for payload in book.configurations]
    version = 1 + max((one.version for one in held), default=0)
    made = Configuration(book.fleet, version, now_ms, wanted, settings)
    kept = [one for one in held if wanted and not _is_covered(one, wanted)]
    if len(kept) >= CONFIGURATIONS_MAX:
        detail = f"more than {CONFIGURATIONS_MAX} configurations hold; give one to all terminals"
        raise Refused(Reason.TOO_LARGE, detail)
    return replace(book, configurations=tuple(configuration.encode(one) for one in (*kept, made)))


def newest_version(book: Book) -> int:
    return max((configuration.decode(one).version for one in book.configurations), default=0)


def _is_covered(one: Configuration, names: tuple[str, ...]) -> bool:
    """Whether all that `one` is for get the new one."""
    return bool(one.names) and set(one.names) <= set(names)
