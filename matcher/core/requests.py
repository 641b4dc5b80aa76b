"""Managers' requests: each verb to its decision, and the reply in the same transaction."""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core import (
    requests_desk,
    requests_drills,
    requests_fleet,
    requests_incident,
    requests_orders,
)
from matcher.core.asked import Asked, Handlers, NotDone
from matcher.core.codes import check_known
from matcher.core.commands import Estimates, ManagerRequest
from matcher.core.draft import Draft
from protocol import request as rq

HANDLERS: Final[Handlers] = {
    **requests_incident.HANDLERS,
    **requests_orders.HANDLERS,
    **requests_fleet.HANDLERS,
    **requests_desk.HANDLERS,
    **requests_drills.HANDLERS,
}


def on_request(draft: Draft, command: ManagerRequest, estimates: dict[str, Estimates]) -> None:
    """Decide a request and journal its reply in the same transaction."""
    request = rq.decode_request(command.payload)
    asked = Asked.of(draft, request, command, estimates)
    try:
        check_known(draft.board, request)
        reply = HANDLERS[type(request)](asked, request)
    except NotDone as refusal:
        reply = {"outcome": "refused", "reason": refusal.reason, "detail": refusal.detail}
    sealed = rq.Reply.model_validate(
        {
            "request_id": request.request_id,
            "verb": getattr(request, "verb", ""),
            "outcome": "done",
            "time_ms": draft.now_ms,
        }
        | reply
    )
    draft.emit(
        ev.RequestDone(
            draft.now_ms, command.enrolment, request.request_id, rq.digest(command.payload),
            command.manager, rq.encode(sealed), command.person, str(reply.get("incident", "")),
        )
    )  # fmt: skip
