"""Codes of the codebook at the terminal: what a crew may give, and names for its screen; pure.

Without a codebook every code passes: the centre keeps what it does not know as `other`.
"""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel

from agent.core.answers import CrewRefused
from protocol import device
from protocol.codebook_model import Codebook, codes_in, name_of
from protocol.dispatch import Order

SILENT: Final = "silent"  # an SOS that must not be answered by radio
_OF_STATUS: Final = ("reasons", "kinds", "dispositions")


def check(book: Codebook | None, command: BaseModel) -> None:
    """Raises CrewRefused for a code that nobody could read, with the list of those in use."""
    if book is None:
        return
    match command:
        case device.Answer(reason=reason, disposition=disposition):
            _known(reason, "reason", book.reasons, book.reasons_for("decline"))
            _known(disposition, "disposition", book.dispositions, _in_use(book, "dispositions"))
        case device.SetStatus(reason=reason):
            known = {SILENT}.union(*(codes_in(book, table) for table in _OF_STATUS))
            _known(reason, "reason", known, book.reasons_for("status"))
        case device.Reply(code=code):
            _known(code, "reply", book.replies, _in_use(book, "replies"))
        case _:
            return


def _in_use(book: Codebook, table: str) -> tuple[str, ...]:
    return tuple(code for code, one in codes_in(book, table).items() if not one.retired)


def _known(code: str | None, what: str, known: Iterable[str], listed: tuple[str, ...]) -> None:
    if code is not None and code not in known:
        raise CrewRefused(f"{what} {code} is not in the codebook", f"one of {', '.join(listed)}")


def names(book: Codebook | None, order: Order) -> dict[str, Any]:
    """What an order's codes are called; nothing where there is no codebook yet."""
    if book is None:
        return {}
    found: dict[str, Any] = {}
    for language in ("zh", "en"):
        kind = name_of(book, "kinds", order.incident_kind, language)
        found[f"incident_kind_{language}"] = kind
        hazards = [name_of(book, "hazards", code, language) for code in order.hazards]
        found[f"hazards_{language}"] = hazards
    return found
