"""What managers read on the unsealed state topics: JSON, described in docs/protocol/asyncapi.yaml.

Units are GeoJSON Features (RFC 7946: longitude first, WGS 84); times ISO 8601 UTC with
milliseconds (protocol/instant.py); SI units, named in the key. Null means unknown, never zero.
The broker could show a false picture here: whoever acts asks the matcher. Made by the matcher,
read by managers' tools; a test holds the AsyncAPI document against these models.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from protocol.order import OrderState
from protocol.refusal import Reason, Refused
from protocol.words import FIX_FLAGS, Freshness, Status, UnitKind

Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,31}$")]
Code: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
Time: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        json_schema_extra={"format": "date-time"},
    ),
]
STATUS_WORDS: Final = tuple(status.word for status in Status)


def _one_of(words: tuple[str, ...]) -> Any:
    """Constraint of a text: one of `words`, which the JSON schema then lists."""

    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f"{value!r:.40} is none of {', '.join(words)}")
        return value

    return AfterValidator(check)


StatusWord: TypeAlias = Annotated[
    str, _one_of(STATUS_WORDS), Field(json_schema_extra={"enum": list(STATUS_WORDS)})
]
FlagWord: TypeAlias = Annotated[
    str, _one_of(FIX_FLAGS), Field(json_schema_extra={"enum": list(FIX_FLAGS)})
]
Lat: TypeAlias = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Lon: TypeAlias = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Measure: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0)]

IncidentStateWord: TypeAlias = Literal[
    "pending", "assigned", "en_route", "on_scene", "cleared", "cancelled"
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointGeometry(_Model):
    """GeoJSON Point; coordinates are [longitude, latitude] in degrees."""

    type: Literal["Point"] = "Point"
    coordinates: tuple[Lon, Lat]


class UnitProperties(_Model):
    """A unit as the matcher has verified it."""

    unit: Name
    kind: UnitKind
    status: StatusWord
    freshness: Freshness
    position_time: Time | None = Field(default=None, description="the fix's own time")
    received_time: Time | None = Field(default=None, description="when the centre received it")
    next_s: Annotated[int, Field(ge=1, le=30)] | None = Field(
        default=None, description="the next position was promised within this time of the last"
    )
    age_s: Measure | None = Field(
        default=None, description="of the position when this was published"
    )
    predicted: tuple[Lon, Lat] | None = Field(
        default=None,
        description="where it is now by the terminal's own prediction, [longitude, latitude]",
    )
    bound_m: Measure | None = Field(
        default=None,
        description="the terminal reports when it leaves the prediction by more than this",
    )
    accuracy_m: Measure | None = Field(default=None, description="68 % radius")
    sog_mps: Measure | None = None
    cog_deg: Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)] | None = None
    fix: Literal["none", "2d", "3d"] = "none"
    flags: tuple[FlagWord, ...] = ()
    terminal: Name | None = None
    logon: Count | None = Field(default=None, description="log-on number in force")
    incident: Name | None = None
    order: Name | None = None
    hold: bool = Field(default=False, description="kept out of automatic dispatch")


class UnitFeature(_Model):
    """A unit's verified state; geometry null where no position is known."""

    type: Literal["Feature"] = "Feature"
    id: Name
    geometry: PointGeometry | None
    properties: UnitProperties


class IncidentPlace(_Model):
    """Where units are sent, in `datum`, as its source gave it."""

    lat: Lat
    lon: Lon
    datum: Literal["wgs84", "gcj02", "bd09"] = "wgs84"
    source: Annotated[str, Field(max_length=32)] = ""
    accuracy_m: Measure | None = None
    text: Annotated[str, Field(max_length=200)] = ""


class IncidentPlan(_Model):
    """Least units and officers that the incident wants."""

    units: Count
    officers: Count


class IncidentUnit(_Model):
    """A unit with an order to this incident."""

    unit: Name
    order: Name
    state: OrderState
    eta_s: Count | None = None


class IncidentTimes(_Model):
    """First time of each state; null: not reached."""

    reported: Time
    assigned: Time | None = None
    en_route: Time | None = None
    on_scene: Time | None = None
    cleared: Time | None = None
    cancelled: Time | None = None


class IncidentState(_Model):
    """An incident, retained; once it is closed, for ten minutes more."""

    id: Name
    number: Annotated[str, Field(max_length=16)] = Field(description="short number for the radio")
    kind: Code
    priority: Annotated[int, Field(ge=0, le=4)] = Field(description="0: SOS, 1: most urgent")
    state: IncidentStateWord
    place: IncidentPlace
    plan: IncidentPlan
    hazards: tuple[Code, ...] = ()
    units: tuple[IncidentUnit, ...] = ()
    times: IncidentTimes
    revision: Annotated[int, Field(ge=1)]
    waiting_reason: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="why it is short of its plan without an open offer"
    )
    disposition: Code | None = None


class Alert(_Model):
    """What a dispatcher must see; repeated until acknowledged by a named person."""

    alert: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
    kind: Code
    raised: Time
    unit: Name | None = None
    incident: Name | None = None
    order: Name | None = None
    text: Annotated[str, Field(max_length=400)]
    text_zh: Annotated[str, Field(max_length=400)]
    acknowledged_by: Annotated[str, Field(max_length=64)] | None = None
    repeats: Count = Field(default=0, description="how often it was published before")


class ResponseTimes(_Model):
    """Order to on scene, seconds; null where nobody has arrived yet."""

    p50: Measure | None = None
    p90: Measure | None = None


class Statistics(_Model):
    """Figures of the fleet since the matcher's start."""

    time: Time
    open_incidents: Count
    units_by_status: dict[StatusWord, Count] = Field(default_factory=dict)
    orders_by_state: dict[OrderState, Count] = Field(default_factory=dict)
    refused: dict[Reason, Count] = Field(
        default_factory=dict, description="refused messages by reason; never declined orders"
    )
    positions: Count = Field(description="verified positions taken")
    response_s: ResponseTimes = ResponseTimes()


_Shown = TypeVar("_Shown", UnitFeature, IncidentState, Alert, Statistics)

MODELS: Final = (UnitFeature, IncidentState, Alert, Statistics)


def encode(shown: UnitFeature | IncidentState | Alert | Statistics) -> bytes:
    """The payload of a state topic."""
    return shown.model_dump_json().encode()


def decode(model: type[_Shown], payload: bytes) -> _Shown:
    """A state topic's payload; raises Refused(malformed) naming the first field that is wrong."""
    try:
        return model.model_validate_json(payload)
    except ValidationError as cause:
        first = cause.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or model.__name__
        raise Refused(Reason.MALFORMED, f"{place}: {first['msg']:.120}") from cause
