"""What managers read on the unsealed state topics: JSON, described in docs/protocol/asyncapi.yaml.

Units are GeoJSON Features (RFC 7946: longitude first, WGS 84); times ISO 8601 UTC with
milliseconds (protocol/instant.py); SI units, named in the key. Null means unknown, never zero.
The broker could show a false picture here: whoever acts asks the matcher. Made by the matcher,
read by managers' tools; a test holds the AsyncAPI document against these models.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from protocol.figures import PeriodFigures
from protocol.json_fields import Code, Count, Lat, Lon, Measure, Name, Time
from protocol.json_fields import Model as _Model
from protocol.order import OrderKind, OrderState
from protocol.refusal import Reason, Refused
from protocol.words import FIX_FLAGS, Freshness, Status, UnitKind

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
IncidentStateWord: TypeAlias = Literal[
    "pending", "assigned", "en_route", "on_scene", "cleared", "cancelled"
]


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
    capabilities: tuple[Code, ...] = Field(
        default=(), description="a code as often as units with it are wanted"
    )
    staging_m: Count | None = Field(
        default=None, description="units wait so far off and go in together"
    )


class IncidentUnit(_Model):
    """A unit with an order to this incident; kind `alert`: it only hears of it."""

    unit: Name
    order: Name
    kind: OrderKind = OrderKind.ASSIGN
    state: OrderState
    eta_s: Count | None = None
    attached: bool = Field(default=False, description="with them, without a place of the plan")


class Recommended(_Model):
    """One of the best for the next place, and why in a sentence."""

    unit: Name
    eta_s: Count
    why: Annotated[str, Field(max_length=200)]
    why_zh: Annotated[str, Field(max_length=200)]


class IncidentTimes(_Model):
    """First time of each state; null: not reached."""

    reported: Time
    assigned: Time | None = None
    en_route: Time | None = None
    on_scene: Time | None = None
    cleared: Time | None = None
    cancelled: Time | None = None


class IncidentSos(_Model):
    """An SOS's own life; only the desk closes it."""

    state: Literal["raised", "acknowledged", "help_assigned", "resolved"]
    units: tuple[Name, ...] = Field(default=(), description="crews in danger")
    silent: bool = Field(default=False, description="do not call by radio")
    acknowledged_by: Annotated[str, Field(max_length=64)] | None = None
    false_alarm_by: Name | None = Field(default=None, description="the unit whose crew said so")


class IncidentState(_Model):
    """An incident, retained; once it is closed, for ten minutes more."""

    id: Name
    number: Annotated[str, Field(max_length=16)] = Field(description="short number for the radio")
    long_number: Annotated[str, Field(max_length=31)] | None = Field(
        default=None, description="the whole number by the codebook's pattern"
    )
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
    recommended: tuple[Recommended, ...] = ()
    sends_at: Time | None = Field(
        default=None, description="mode auto_veto: when the rule sends unless it is stopped"
    )
    rule_stopped: bool = False
    disposition: Code | None = None
    exercise: bool = Field(default=False, description="played; shown as an exercise everywhere")
    referred_to: tuple[Code, ...] = Field(
        default=(), description="services that take it; no unit was sent by rule"
    )
    sos: IncidentSos | None = Field(default=None, description="null: it is no SOS")


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
    """Figures of the fleet: now, since the journal's beginning, and of the last day."""

    time: Time
    open_incidents: Count
    units_by_status: dict[StatusWord, Count] = Field(default_factory=dict)
    orders_by_state: dict[OrderState, Count] = Field(default_factory=dict)
    refused: dict[Reason, Count] = Field(
        default_factory=dict, description="refused messages by reason; never declined orders"
    )
    positions: Count = Field(description="verified positions taken")
    response_s: ResponseTimes = ResponseTimes()
    day: PeriodFigures | None = Field(
        default=None,
        description="incidents reported since the full hour 24 hours ago; null for a moment after"
        " a start, while the journal's last day is read",
    )


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
