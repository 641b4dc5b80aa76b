"""Codes that people and terminals give, held against the codebook in force.

A person is told what is wrong and what is near. What a terminal has sealed already cannot be sent
back: an unknown code becomes `other`, and the desk hears of it once. Retired codes are known: a
desk may be a version behind.
"""

from __future__ import annotations

import difflib
import re
from typing import Final

from matcher.core.asked import NotDone
from matcher.core.board import Board
from matcher.core.draft import Draft
from protocol import request as rq
from protocol.codebook_model import Codebook, codes_in

OTHER: Final = "other"
NEAR_MAX: Final = 3
SILENT: Final = "silent"  # an SOS that must not be answered by radio
SELF_INITIATED: Final = "self_initiated"
_CODE: Final = re.compile(r"[a-z0-9_-]{1,32}", re.ASCII)
_OF_STATUS: Final = ("reasons", "kinds", "dispositions")
_TABLES: Final = ("kinds", "hazards", "capabilities", "reasons", "dispositions")


def check_known(board: Board, request: rq.Common) -> None:
    """Raises NotDone(unknown_code), naming the first unknown code and the nearest ones."""
    for table, code in _given(request):
        known = codes_in(board.book.codes, table)
        if code not in known:
            near = difflib.get_close_matches(code, sorted(known), n=NEAR_MAX, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else _all_of(board.book.codes, table)
            raise NotDone("unknown_code", f"{table[:-1]} {code}: not in the codebook; {hint}")


def _all_of(codes: Codebook, table: str) -> str:
    in_use = [code for code, one in codes_in(codes, table).items() if not one.retired]
    listed = ", ".join(in_use[:12])
    return f"known: {listed}{', …' if len(in_use) > 12 else ''}"


def _given(request: rq.Common) -> list[tuple[str, str]]:
    """(table, code) of every code that a request names."""
    plan = getattr(request, "plan", None)
    several = {
        "kinds": (getattr(request, "kind", None),),
        "hazards": getattr(request, "hazards", None) or (),
        "capabilities": (plan.capabilities or ()) if plan is not None else (),
        "reasons": (request.reason,),
        "dispositions": (getattr(request, "disposition", None),),
    }
    return [(table, code) for table in _TABLES for code in several[table] if code is not None]


def known_or_other(draft: Draft, table: str, code: str | None, who: str) -> str | None:
    """A code that a terminal gave; one that nobody knows is `other`, and told once."""
    if code is None or code in codes_in(draft.board.book.codes, table):
        return code
    if _CODE.fullmatch(code):  # what has no code's form is no word that a codebook could know
        subject = f"{table}-{code}".replace("_", "-")
        text = f"{who} gave {code}, which is no code of [{table}] in version"
        draft.alert("unknown_code", subject, f"{text} {draft.board.book.version}; kept as other")
    return OTHER


def status_reason(draft: Draft, code: str | None, who: str) -> str | None:
    """Why a crew set a status: a reason, a kind that it began, or how one ended."""
    codes = draft.board.book.codes
    if code == SILENT or any(code in codes_in(codes, table) for table in _OF_STATUS):
        return code
    return known_or_other(draft, "reasons", code, who)


def own_kind(board: Board, reason: str | None) -> str | None:
    """The kind of incident that a crew began by itself with this reason; None: it opens nothing.

    A reason that is a kind is its kind, whether or not it is a reason, too; an SOS or an exercise
    is not begun so.
    """
    if reason is None:
        return SELF_INITIATED
    kind = board.book.codes.kind(reason)
    is_one = kind is not None and kind.dispatched and kind.priority > 0 and reason != "exercise"
    return reason if is_one else None
