"""Managers' sealed requests and the matcher's replies: JSON inside the envelope.

The verb in the topic equals the sealed one; (enrolment id, request id) makes a repeat harmless.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from protocol.refusal import Reason, Refused
from protocol.request_verbs import (
    Acknowledge,
    Add,
    AnswerByVoice,
    Assign,
    CancelIncident,
    CloseIncident,
    Common,
    Exercise,
    Hold,
    LogOffUnit,
    LogOnUnit,
    Merge,
    PlaceOf,
    PlanOf,
    PremiseNote,
    Reassign,
    ReleaseUnit,
    Reopen,
    Report,
    SendMessage,
    SetMode,
    SetStatus,
    SetVisibility,
    SosTest,
    Strict,
    Unmerge,
    Update,
)

LIFE_MS_MAX: Final = 60_000
AHEAD_MS_MAX: Final = 30_000

Request: TypeAlias = Annotated[
    Report | Update | CancelIncident | Assign | Add | Reassign | ReleaseUnit | CloseIncident
    | Reopen | Merge | Unmerge | Hold | SetStatus | AnswerByVoice | SendMessage | Acknowledge
    | SetMode | LogOnUnit | LogOffUnit | PremiseNote | SosTest | Exercise | SetVisibility,
    Field(discriminator="verb"),
]  # fmt: skip
REQUEST: Final[TypeAdapter[Any]] = TypeAdapter(Request)
VERBS: Final = (
    "report", "update", "cancel", "assign", "add", "reassign", "release", "close", "reopen",
    "merge", "unmerge", "hold", "status", "answer", "message", "acknowledge", "mode", "logon",
    "logoff", "note", "sos-test", "exercise", "visibility",
)  # fmt: skip

# Roles that may use a verb; tested over every pair.
_DISPATCH: Final = frozenset({"dispatcher", "supervisor"})
_NOT_ALL: Final = {
    "report": frozenset({"intake"}) | _DISPATCH,
    "mode": frozenset({"supervisor"}),
    "exercise": frozenset({"supervisor"}),
    "visibility": frozenset({"supervisor"}),
    "sos-test": frozenset({"technician", "supervisor"}),
}
ROLES_OF_VERB: Final[dict[str, frozenset[str]]] = {
    verb: _NOT_ALL.get(verb, _DISPATCH) for verb in VERBS
}


class Reply(Strict):
    """The matcher's answer: done, or refused with a reason; sealed by role `dispatch`."""

    request_id: str
    verb: str
    outcome: Literal["done", "refused"]
    reason: str | None = None
    detail: str | None = None
    incident: str | None = None
    order: str | None = None
    message: str | None = None
    note: str | None = None
    unit: str | None = None
    revision: int | None = None
    referred: tuple[str, ...] | None = None  # services that take it; no unit is sent
    time_ms: int


def encode(value: Common | Reply) -> bytes:
    return value.model_dump_json(exclude_none=True).encode()


def decode_request(payload: bytes) -> Common:
    """Raises Refused(malformed) naming the first field that is wrong."""
    try:
        request: Common = REQUEST.validate_json(payload)
    except ValidationError as cause:
        first = cause.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "request"
        raise Refused(Reason.MALFORMED, f"{place}: {first['msg']:.120}") from cause
    return request


def decode_reply(payload: bytes) -> Reply:
    """Raises Refused(malformed)."""
    try:
        return Reply.model_validate_json(payload)
    except ValidationError as cause:
        raise Refused(Reason.MALFORMED, f"reply: {cause.error_count()} faults") from cause


def check_times(request: Common, now_ms: int) -> None:
    """Raises Refused(expired, not_yet_valid, out_of_range)."""
    if request.expires_ms - request.issued_ms > LIFE_MS_MAX:
        raise Refused(Reason.OUT_OF_RANGE, f"valid for over {LIFE_MS_MAX} ms")
    if request.issued_ms > now_ms + AHEAD_MS_MAX:
        raise Refused(Reason.NOT_YET_VALID, f"issued {request.issued_ms - now_ms} ms ahead of now")
    if request.expires_ms <= now_ms:
        raise Refused(Reason.EXPIRED, f"expired {now_ms - request.expires_ms} ms ago")


def digest(payload: bytes) -> bytes:
    """What is journaled beside (enrolment id, request id)."""
    return hashlib.sha256(payload).digest()


def request_id_of(payload: bytes) -> str | None:
    """The request id of a payload that may be wrong otherwise; None where there is none."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):  # RecursionError: nested 1,000 deep
        return None
    value = found.get("request_id") if isinstance(found, dict) else None
    return value if isinstance(value, str) and len(value) <= 40 else None


__all__ = [
    "AHEAD_MS_MAX",
    "LIFE_MS_MAX",
    "REQUEST",
    "ROLES_OF_VERB",
    "VERBS",
    "Acknowledge",
    "Add",
    "AnswerByVoice",
    "Assign",
    "CancelIncident",
    "CloseIncident",
    "Common",
    "Exercise",
    "Hold",
    "LogOffUnit",
    "LogOnUnit",
    "Merge",
    "PlaceOf",
    "PlanOf",
    "PremiseNote",
    "Reassign",
    "ReleaseUnit",
    "Reopen",
    "Reply",
    "Report",
    "Request",
    "SendMessage",
    "SetMode",
    "SetStatus",
    "SetVisibility",
    "SosTest",
    "Unmerge",
    "Update",
    "check_times",
    "decode_reply",
    "decode_request",
    "digest",
    "encode",
    "request_id_of",
]
