"""What managers may ask: one model a verb, JSON inside the envelope. Put together in `request`."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from protocol.groups import Group, Visibility

Name: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,31}$")]
Code: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
Text: TypeAlias = Annotated[str, Field(max_length=1000)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Common(Strict):
    """What every request carries. Times in ms UTC."""

    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,40}$")]
    issued_ms: Annotated[int, Field(ge=0)]
    expires_ms: Annotated[int, Field(ge=0)]
    expected_revision: Annotated[int, Field(ge=0)] | None = None
    reason: Code | None = None


class PlaceOf(Strict):
    """A place as a person or a map gave it."""

    lat: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    lon: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    datum: Literal["wgs84", "gcj02", "bd09"] = "wgs84"
    source: Annotated[str, Field(max_length=32)] = "caller"
    accuracy_m: Annotated[int, Field(ge=0, le=100_000)] | None = None
    text: Annotated[str, Field(max_length=200)] = ""


class PlanOf(Strict):
    """Least units and officers; `alert`: neighbours hear it at once and may take it.

    What is left out is as the codebook says for the kind; units alone: an officer each.
    """

    units: Annotated[int, Field(ge=1, le=16)] | None = None
    officers: Annotated[int, Field(ge=0, le=64)] | None = None
    capabilities: tuple[Code, ...] | None = Field(
        default=None, max_length=16, description="a code as often as units with it are wanted"
    )
    alert: bool | None = None
    staging_m: Annotated[int, Field(ge=50, le=5000)] | None = None


class Report(Common):
    """A call for service becomes an incident."""

    verb: Literal["report"] = "report"
    kind: Code
    priority: Annotated[int, Field(ge=1, le=4)] | None = None  # else as the codebook says
    place: PlaceOf
    plan: PlanOf | None = None  # else as the codebook says
    hazards: tuple[Code, ...] = Field(default=(), max_length=16)
    notes: Text = ""
    channel: Literal["phone", "sms", "wechat", "web", "qr", "video", "taxi_button", "desk"] = "desk"
    by_radio: bool = False  # run by voice: no rule sends, no terminal is told
    at_ms: Annotated[int, Field(ge=0)] | None = None  # when it was reported, entered later
    exercise: bool = False  # played: only units in the exercise go, and no figure counts it


class CancelIncident(Common):
    verb: Literal["cancel"] = "cancel"
    incident: Name


class Assign(Common):
    """A dispatcher's choice of unit: never blocked, never re-optimised.

    `by_radio`: told by voice, so that no terminal shows it (again).
    """

    verb: Literal["assign"] = "assign"
    incident: Name
    unit: Name
    by_radio: bool = False


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
    """A unit's status, entered by the desk (by voice); `place`: where it says that it is."""

    verb: Literal["status"] = "status"
    unit: Name
    status: Code
    place: PlaceOf | None = None


class Acknowledge(Common):
    """An alert has been seen by a named person."""

    verb: Literal["acknowledge"] = "acknowledge"
    alert: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]


class ReleaseUnit(Common):
    """Stands a unit down from an incident."""

    verb: Literal["release"] = "release"
    incident: Name
    unit: Name


class Update(Common):
    """What is known better now. `revision`: how loudly crews are told; without it, by what it is.

    The first value of what is corrected stays in the journal and in the incident's state.
    """

    verb: Literal["update"] = "update"
    incident: Name
    revision: Literal["safety", "place", "note"] | None = None
    kind: Code | None = None
    priority: Annotated[int, Field(ge=1, le=4)] | None = None
    place: PlaceOf | None = None
    hazards: tuple[Code, ...] | None = Field(default=None, max_length=16)
    notes: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        said = (self.kind, self.priority, self.place, self.hazards, self.notes)
        if all(one is None for one in said):
            raise ValueError("nothing to update: name kind, priority, place, hazards or notes")
        return self


class Merge(Common):
    """A repeated report: `incident` is the same as `into`; its units are free again."""

    verb: Literal["merge"] = "merge"
    incident: Name
    into: Name


class Unmerge(Common):
    """They were two after all: the joined one goes on by its own plan."""

    verb: Literal["unmerge"] = "unmerge"
    incident: Name


class SendMessage(Common):
    """Free text to a unit, or to every unit of an incident."""

    verb: Literal["message"] = "message"
    unit: Name | None = None
    incident: Name | None = None
    text: Annotated[str, Field(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.unit is None and self.incident is None:
            raise ValueError("name a unit or an incident")
        return self


class LogOnUnit(Common):
    """The desk binds a crew to terminals of a unit; without `terminals` it works by radio only."""

    verb: Literal["logon"] = "logon"
    unit: Name
    crew: tuple[Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,16}$")], ...] = Field(
        min_length=1, max_length=8
    )
    vehicle: Name | None = None
    driver: Annotated[str, Field(max_length=16)] | None = None
    terminals: tuple[Name, ...] = Field(default=(), max_length=8)


class LogOffUnit(Common):
    verb: Literal["logoff"] = "logoff"
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
    at_ms: Annotated[int, Field(ge=0)] | None = None  # when it was said, entered later


class SetMode(Common):
    """Who sends at a priority: `auto_veto` sends after `veto_s` unless it is stopped."""

    verb: Literal["mode"] = "mode"
    priority: Annotated[int, Field(ge=1, le=4)]
    mode: Literal["recommend", "auto_veto", "auto"]
    veto_s: Annotated[int, Field(ge=1, le=60)] = 10


class PremiseNote(Common):
    """What crews should know of a place, unverified and for a time; or takes a note back."""

    verb: Literal["note"] = "note"
    place: PlaceOf | None = None
    text: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    source: Annotated[str, Field(min_length=1, max_length=32)] = "desk"
    days: Annotated[int, Field(ge=1, le=365)] = 90
    remove: Name | None = None

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Self:
        is_new = self.place is not None and self.text is not None
        if is_new == (self.remove is not None):
            raise ValueError("give place and text, or remove")
        return self


class SosTest(Common):
    """A technician tests a terminal's SOS: what it raises in the next minutes is marked a test."""

    verb: Literal["sos-test"] = "sos-test"
    terminal: Name
    minutes: Annotated[int, Field(ge=1, le=10)] = 10


class Exercise(Common):
    """Puts a unit into the exercise: it is sent to exercises only; off: to live incidents only."""

    verb: Literal["exercise"] = "exercise"
    unit: Name
    on: bool


class SetVisibility(Common):
    """Who knows of a unit: all, or its group only; without `group` the one that it has."""

    verb: Literal["visibility"] = "visibility"
    unit: Name
    visibility: Visibility
    group: Group | None = None
