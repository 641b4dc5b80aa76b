"""Managers' sealed requests and the matcher's replies: JSON inside the envelope.

The verb in the topic equals the sealed one; (enrolment id, request id) makes a repeat harmless.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from protocol.refusal import Reason, Refused

LIFE_MS_MAX: Final = 60_000
AHEAD_MS_MAX: Final = 30_000

Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,31}$")]
Code: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
Text: TypeAlias = Annotated[str, Field(max_length=1000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Common(_Strict):
    """What every request carries. Times in ms UTC."""

    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,40}$")]
    issued_ms: Annotated[int, Field(ge=0)]
    expires_ms: Annotated[int, Field(ge=0)]
    expected_revision: Annotated[int, Field(ge=0)] | None = None
    reason: Code | None = None


class PlaceOf(_Strict):
    """A place as a person or a map gave it."""

    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    datum: Literal["wgs84", "gcj02", "bd09"] = "wgs84"
    source: Annotated[str, Field(max_length=32)] = "caller"
    accuracy_m: Annotated[int, Field(ge=0, le=100_000)] | None = None
    text: Annotated[str, Field(max_length=200)] = ""


class PlanOf(_Strict):
    """Least units and officers; `alert`: neighbours hear it at once and may take it."""

    units: Annotated[int, Field(ge=1, le=16)] = 1
    officers: Annotated[int, Field(ge=0, le=64)] = 1
    capabilities: tuple[Code, ...] = Field(default=(), max_length=8)
    alert: bool = False


class Report(Common):
    """A call for service becomes an incident."""

    verb: Literal["report"] = "report"
    kind: Code
    priority: Annotated[int, Field(ge=1, le=4)]
    place: PlaceOf
    plan: PlanOf = PlanOf()
    hazards: tuple[Code, ...] = Field(default=(), max_length=16)
    notes: Text = ""
    channel: Literal["phone", "sms", "wechat", "web", "qr", "video", "taxi_button", "desk"] = "desk"


class CancelIncident(Common):
    verb: Literal["cancel"] = "cancel"
    incident: Name


class Assign(Common):
    """A dispatcher's choice of unit: never blocked, never re-optimised."""

    verb: Literal["assign"] = "assign"
    incident: Name
    unit: Name


class Hold(Common):
    """Keeps a unit out of automatic dispatch, or stops the rule at one incident; or ends that."""

    verb: Literal["hold"] = "hold"
    unit: Name | None = None
    incident: Name | None = None
    on: bool

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.unit is None) == (self.incident is None):
            raise ValueError("name a unit or an incident")
        return self


class SetStatus(Common):
    """A unit's status, entered by the desk (by voice)."""

    verb: Literal["status"] = "status"
    unit: Name
    status: Code


class Acknowledge(Common):
    """An alert has been seen by a named person."""

    verb: Literal["acknowledge"] = "acknowledge"
    alert: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]


class ReleaseUnit(Common):
    """Stands a unit down from an incident."""

    verb: Literal["release"] = "release"
    incident: Name
    unit: Name


class Add(Common):
    """So many units more than the plan has now; the mode says who sends them."""

    verb: Literal["add"] = "add"
    incident: Name
    units: Annotated[int, Field(ge=1, le=15)] = 1


class Reassign(Common):
    """Takes a unit off its incident and sends it to another, in one transaction."""

    verb: Literal["reassign"] = "reassign"
    incident: Name
    unit: Name


class CloseIncident(Common):
    """Ends an incident with its disposition; units that are still on it are stood down."""

    verb: Literal["close"] = "close"
    incident: Name
    disposition: Code


class Reopen(Common):
    """A closed incident goes on under its number."""

    verb: Literal["reopen"] = "reopen"
    incident: Name


class AnswerByVoice(Common):
    """What a crew said by radio about an order, entered by the desk."""

    verb: Literal["answer"] = "answer"
    order: Name
    answer: Literal["accept", "decline", "en-route", "on-scene", "clear"]
    disposition: Code | None = None


class SetMode(Common):
    """Who sends at a priority: `auto_veto` sends after `veto_s` unless it is stopped."""

    verb: Literal["mode"] = "mode"
    priority: Annotated[int, Field(ge=1, le=4)]
    mode: Literal["recommend", "auto_veto", "auto"]
    veto_s: Annotated[int, Field(ge=1, le=60)] = 10


Request: TypeAlias = Annotated[
    Report
    | CancelIncident
    | Assign
    | Add
    | Reassign
    | ReleaseUnit
    | CloseIncident
    | Reopen
    | Hold
    | SetStatus
    | AnswerByVoice
    | Acknowledge
    | SetMode,
    Field(discriminator="verb"),
]
REQUEST: Final[TypeAdapter[Any]] = TypeAdapter(Request)
VERBS: Final = (
    "report", "cancel", "assign", "add", "reassign", "release", "close", "reopen", "hold", "status",
    "answer", "acknowledge", "mode",
)  # fmt: skip

# Roles that may use a verb; tested over every pair.
_DISPATCH: Final = frozenset({"dispatcher", "supervisor"})
ROLES_OF_VERB: Final[dict[str, frozenset[str]]] = {
    "report": frozenset({"intake"}) | _DISPATCH,
    "mode": frozenset({"supervisor"}),
} | {verb: _DISPATCH for verb in VERBS if verb not in ("report", "mode")}


class Reply(_Strict):
    """The matcher's answer: done, or refused with a reason; sealed by role `dispatch`."""

    request_id: str
    verb: str
    outcome: Literal["done", "refused"]
    reason: str | None = None
    detail: str | None = None
    incident: str | None = None
    order: str | None = None
    unit: str | None = None
    revision: int | None = None
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
