"""What is known of a place: notes with source, date and expiry, shown as unverified.

Three reports or more of one place within a month become such a note for the next crew and the
station. It is about the place; no person is counted or scored.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Final

from matcher.core import events as ev
from matcher.core.asked import Asked, NotDone, Reply
from matcher.core.board import Incident
from matcher.core.draft import Draft
from matcher.core.places import is_within, place_from
from matcher.core.premise_lines import NEAR_M, notes_at
from matcher.core.visibility import is_hidden
from protocol import request as rq

DAY_MS: Final = 86_400_000
REPEATED: Final = 3
WITHIN_MS: Final = 30 * DAY_MS
LOOKED_AT_MAX: Final = 5_000  # of the newest incidents
RULE_REPEATED: Final = "rule:repeated"
KINDS_NAMED: Final = 3


def note(asked: Asked, request: rq.PremiseNote) -> Reply:
    """A person writes what crews should know of a place, or takes it back."""
    draft = asked.draft
    if request.remove is not None:
        if request.remove not in draft.board.premises:
            raise NotDone("unknown_note", f"no note {request.remove}")
        draft.emit(ev.PremiseForgotten(draft.now_ms, request.remove, asked.person))
        return {}
    assert request.place is not None
    assert request.text is not None
    premise = draft.new_id("premise")
    draft.emit(
        ev.PremiseNoted(
            draft.now_ms, premise, place_from(request.place), request.text, request.source,
            asked.person, draft.now_ms + request.days * DAY_MS,
        )
    )  # fmt: skip
    return {"note": premise}


def note_repeated(draft: Draft, new: Incident) -> None:
    """After a report: the third of a place within a month, and each one after it."""
    board = draft.board
    newest = islice(reversed(board.incidents.values()), LOOKED_AT_MAX)
    here = [
        one
        for one in newest
        if one.joined_into is None
        and not is_hidden(board, one)
        and new.reported_ms - one.reported_ms <= WITHIN_MS
        and is_within(one.place, new.place, NEAR_M)
    ]
    if len(here) < REPEATED:
        return
    kinds = Counter(one.kind for one in here).most_common(KINDS_NAMED)
    text = f"{len(here)} reports in 30 days: " + ", ".join(f"{kind} {n}" for kind, n in kinds)
    known = [p for p in notes_at(board, new.place, draft.now_ms) if p.source == RULE_REPEATED]
    for premise in known:
        draft.emit(ev.PremiseForgotten(draft.now_ms, premise.premise, RULE_REPEATED))
    premise_id = draft.new_id("premise")
    draft.emit(
        ev.PremiseNoted(
            draft.now_ms, premise_id, new.place, text, RULE_REPEATED, RULE_REPEATED,
            draft.now_ms + WITHIN_MS,
        )
    )  # fmt: skip
    if not known:  # once; the note itself grows with each further report
        draft.alert(
            "premise_repeated", premise_id, f"{new.number} {new.place.text}: {text}",
            incident=new.incident,
        )  # fmt: skip
