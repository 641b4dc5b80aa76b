"""Repeated reports: proposed by rule, joined by a person, parted again without loss."""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core.asked import Asked, NotDone, Reply, at_revision
from matcher.core.board import Incident, IncidentState
from matcher.core.draft import Draft
from matcher.core.offers import close, fill
from matcher.core.places import apart_m
from matcher.core.sos_desk import check_may_cancel
from matcher.core.updates import revise_all
from matcher.core.visibility import may_know
from protocol import request as rq
from protocol.dispatch import Revision
from protocol.order import AnswerMeans, OrderStep

WITHIN_M: Final = 150
WITHIN_MS: Final = 600_000
JOINED: Final = "joined"
NOTES_MAX: Final = 1000


def propose(draft: Draft, new: Incident) -> None:
    """Units go to both until a person says that they are one: two stabbings stay two."""
    for old in draft.board.open_incidents():
        is_other = (old.kind, old.exercise) != (new.kind, new.exercise)
        if old.incident == new.incident or is_other:
            continue
        far_m, apart_ms = apart_m(old.place, new.place), new.reported_ms - old.reported_ms
        if far_m <= WITHIN_M and apart_ms <= WITHIN_MS:
            draft.alert(
                "may_be_same", f"{new.incident}-{old.incident}",
                f"{new.number} may be {old.number}: {new.kind}, {far_m:.0f} m apart,"
                f" {apart_ms // 60_000} min later; merge {new.incident} {old.incident}",
                incident=new.incident,
            )  # fmt: skip


def merge(asked: Asked, request: rq.Merge) -> Reply:
    """The joined one's units are free for the other; what its caller said goes along."""
    draft, joined = asked.draft, asked.incident(request.incident)
    check_may_cancel(draft.board, joined)
    into = draft.board.incidents.get(request.into)
    if (
        into is None
        or request.into not in draft.board.open_ids
        or into is joined
        or not may_know(draft.board, into, asked.roles)
        or into.exercise != joined.exercise
    ):
        raise NotDone("cannot_join", f"{request.into} is not another open incident")
    draft.emit(ev.IncidentJoined(draft.now_ms, joined.incident, into.incident, asked.person))
    for order in draft.board.orders_of(joined):
        if order.is_open:
            close(
                draft, order, OrderStep.SUPERSEDE, JOINED, asked.person, means=AnswerMeans.BY_DESK
            )
    draft.emit(
        ev.IncidentMoved(
            draft.now_ms, joined.incident, IncidentState.CANCELLED.value, asked.person, JOINED
        )
    )
    if joined.notes:
        notes = f"{into.notes}\n{joined.notes}".strip()[:NOTES_MAX]
        draft.emit(
            ev.IncidentUpdated(
                draft.now_ms, into.incident, int(Revision.NOTE), asked.person,
                None, None, None, None, notes,
            )
        )  # fmt: skip
        revise_all(draft, into, Revision.NOTE)
    fill(draft, into, asked.estimate(into))
    return at_revision(into)


def unmerge(asked: Asked, request: rq.Unmerge) -> Reply:
    """It goes on by its own plan, as if it had never been joined."""
    incident = asked.incident(request.incident, closed=True)
    if incident.joined_into is None:
        raise NotDone("not_joined", f"{incident.incident} was not joined to another")
    draft = asked.draft
    draft.emit(ev.IncidentParted(draft.now_ms, incident.incident, asked.person))
    draft.emit(
        ev.IncidentMoved(
            draft.now_ms, incident.incident, IncidentState.PENDING.value, asked.person, None
        )
    )
    fill(draft, incident, asked.estimate(incident))
    return at_revision(incident)
