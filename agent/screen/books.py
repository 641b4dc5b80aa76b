"""The codebook's names as the page wants them: code to [zh, en]; and what may be chosen. Pure."""

from typing import Any, Final

from protocol.codebook_model import Codebook, codes_in

_TABLES: Final = ("kinds", "hazards", "reasons", "dispositions", "statuses", "replies")


def names(book: Codebook) -> dict[str, Any]:
    """JSON-ready; `priorities` by number."""
    tables: dict[str, Any] = {
        table: {code: [one.zh, one.en] for code, one in codes_in(book, table).items()}
        for table in _TABLES
    }
    tables["priorities"] = {str(n): [one.zh, one.en] for n, one in book.priorities.items()}
    tables["choices"] = {
        "decline": list(book.reasons_for("decline")),
        "status": list(book.reasons_for("status")),
        "clear": [code for code, one in book.dispositions.items() if not one.retired],
        "reply": [code for code, one in book.replies.items() if not one.retired],
    }
    return tables
