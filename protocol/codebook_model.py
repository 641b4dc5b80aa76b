"""The codebook as frozen tables: what each word of it means and may hold.

Read from TOML by `codebook_reading`, which says faults; what several tables must fit together is
checked by `codebook_checks`. Pure. Decisions ask the `Codebook` (plans, times, names), and so do
terminals and screens for names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from protocol.codebook_number import NUMBER_CHARACTERS_MAX, RADIO_CHARACTERS_MAX, NumberPattern
from protocol.fields import U32
from protocol.words import Status

UNITS_MAX: Final = 16
OFFICERS_MAX: Final = 64
CODES_MAX: Final = 512  # of one table
PRIORITIES: Final = ("0", "1", "2", "3", "4")
LANGUAGES: Final = ("zh", "en")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")

Language: TypeAlias = Literal["zh", "en"]
Use: TypeAlias = Literal[
    "decline", "cancel", "release", "override", "hold", "exclude", "preempt", "status", "rule"
]
USES: Final[tuple[Use, ...]] = get_args(Use)


def _plain(value: str) -> str:
    if value != value.strip() or not value.isprintable():
        raise ValueError("has blanks at an end or unprintable characters – take them out")
    return value


def _chinese(value: str) -> str:
    if not _HAN.search(value):
        raise ValueError("should be Chinese – give the name that officers use")
    return value


def _english(value: str) -> str:
    if _HAN.search(value):
        raise ValueError("should be English – give the name without Chinese characters")
    return value


def _pairs(value: object) -> object:
    """`{ medic = 1 }` as sorted pairs, so that a plan can be compared and hashed."""
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


def _number(value: str) -> str:
    NumberPattern.parse(value, NUMBER_CHARACTERS_MAX, ("year", "month", "day"))
    return value


def _radio_number(value: str) -> str:
    NumberPattern.parse(value, RADIO_CHARACTERS_MAX, ("day",))
    return value


Code: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
_Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_plain)]
_Chinese: TypeAlias = Annotated[_Text, AfterValidator(_chinese)]
_English: TypeAlias = Annotated[_Text, AfterValidator(_english)]
_Foreign: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9./ -]{1,32}$")]
_PriorityKey: TypeAlias = Literal["0", "1", "2", "3", "4"]
_Seconds: TypeAlias = Annotated[int, Field(ge=1, le=86_400)]
_Codes: TypeAlias = Annotated[tuple[Code, ...], Field(max_length=16)]
_Value = TypeVar("_Value")
_Table: TypeAlias = Annotated[
    Mapping[Code, _Value], Field(max_length=CODES_MAX), AfterValidator(MappingProxyType)
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Named(_Strict):
    """A code's names. A code that is not used any more is `retired`, never taken out."""

    zh: _Chinese
    en: _English
    retired: bool = False
    gat: _Foreign | None = None  # code of the national standard, where the fleet knows it
    apco: _Foreign | None = None  # ten-code of the APCO list

    def name(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


class Sound(Named):
    """What a terminal plays: tones of (Hz, ms on, ms off), again after `repeat_s` (0: once)."""

    tones: Annotated[
        tuple[
            tuple[
                Annotated[int, Field(ge=100, le=8000)],
                Annotated[int, Field(ge=20, le=5000)],
                Annotated[int, Field(ge=0, le=5000)],
            ],
            ...,
        ],
        Field(min_length=1, max_length=16),
    ]
    repeat_s: Annotated[int, Field(ge=0, le=600)] = 0


class Priority(Named):
    """One priority: how long each step may take, and what silence does. 0 is an SOS."""

    delivery_s: _Seconds  # issued to delivered, then the desk calls by radio
    answer_s: Annotated[int, Field(ge=1, le=3600)]  # delivered to answered
    offer_life_s: _Seconds  # an order not held by then expires
    silence_releases: bool  # no answer frees the unit and the next is asked
    sound: Code
    mode: Literal["recommend", "auto_veto", "auto"]  # until a supervisor changes it
    veto_s: Annotated[int, Field(ge=1, le=60)] = 10  # of mode auto_veto


class Plan(_Strict):
    """A response plan: the least that is sent. Only officers fill it: no drone, no locator."""

    units: Annotated[int, Field(ge=1, le=UNITS_MAX)]
    officers: Annotated[int, Field(ge=1, le=OFFICERS_MAX)]
    capabilities: Annotated[
        tuple[tuple[Code, Annotated[int, Field(ge=1, le=UNITS_MAX)]], ...],
        Field(max_length=16),
        BeforeValidator(_pairs),
    ] = ()
    alert: bool = False  # neighbours hear it at once and may take it
    staging_m: Annotated[int, Field(ge=50, le=5000)] | None = None  # wait this far off, together

    @model_validator(mode="after")
    def _each_place_has_an_officer(self) -> Plan:
        if self.officers < self.units:
            what = f"wants {self.units} units and {self.officers} officers"
            raise ValueError(f"{what} – each unit of a plan has an officer: raise `officers`")
        return self


class Group(Named):
    """A family of kinds. `synthetic_desk`: the synthetic desk hears of them at once, too."""

    synthetic_desk: bool = False


class Service(Named):
    """Another service that a call goes to."""

    phone: Annotated[str, Field(pattern=r"^[0-9]{3,16}$")] | None = None


class Hazard(Named):
    weapon: bool = False  # shortens the welfare check


class IncidentKind(Named):
    """A kind of incident."""

    group: Code
    priority: Annotated[int, Field(ge=0, le=4)]  # before a person changes it
    hazards: _Codes = ()  # asked for and shown until somebody knows better
    refer: _Codes = ()  # services that hear of it; all there is where it is not dispatched
    dispatched: bool = True  # false: a call for others, no unit is sent by rule
    weapon: bool = False
    join_by_rule: bool = False  # repeated reports of one place may be joined, reversibly
    plan: Plan | None = None  # none: the codebook's default plan
    plans: Annotated[
        Mapping[_PriorityKey, Plan],
        Field(default_factory=dict, validate_default=True),
        AfterValidator(MappingProxyType),
    ]  # where a priority wants another


class Reason(Named):
    """A reason, and what it is a reason for. `rule`: given by the centre, not by people."""

    uses: Annotated[tuple[Use, ...], Field(min_length=1)]


class StatusRule(Named):
    """`dispatchable_to`: the least urgent priority that a unit of this status is sent to."""

    dispatchable_to: Annotated[int, Field(ge=0, le=4)] | None = None


class Welfare(_Strict):
    """On scene, a crew that says nothing is asked after so many seconds."""

    check_s: Annotated[int, Field(ge=60, le=7200)]
    weapon_check_s: Annotated[int, Field(ge=60, le=7200)]


class Codebook(_Strict):
    """The whole of it. Codes are never reused: see `codebook_change`."""

    version: Annotated[int, Field(ge=1, le=U32)]
    zh: _Chinese
    en: _English
    agency: Annotated[str, Field(pattern=r"^[0-9A-Z]{1,12}$")]
    utc_offset_min: Annotated[int, Field(ge=-720, le=840)]  # of the fleet's day
    number: Annotated[str, AfterValidator(_number)]
    radio_number: Annotated[str, AfterValidator(_radio_number)]
    welfare: Welfare
    plan: Plan  # of kinds without one of their own, and of kinds that nobody knows
    priorities: Annotated[Mapping[_PriorityKey, Priority], AfterValidator(MappingProxyType)]
    sounds: _Table[Sound]
    groups: _Table[Group]
    services: _Table[Service]
    capabilities: _Table[Named]
    hazards: _Table[Hazard]
    kinds: _Table[IncidentKind]
    reasons: _Table[Reason]
    dispositions: _Table[Named]
    statuses: _Table[StatusRule]
    replies: _Table[Named]
    alerts: _Table[Named]

    def priority(self, number: int) -> Priority:
        """0 (SOS) to 4; a KeyError is our mistake."""
        key: str = str(number)
        return self.priorities[key]  # type: ignore[index]  # a priority outside 0-4 raises

    def kind(self, code: str) -> IncidentKind | None:
        return self.kinds.get(code)

    def plan_for(self, kind: str, priority: int) -> Plan:
        """The kind's plan for this priority, else its own, else the default; never none."""
        known = self.kinds.get(kind)
        if known is None:
            return self.plan
        key: str = str(priority)
        return known.plans.get(key, known.plan or self.plan)  # type: ignore[call-overload,no-any-return]

    def welfare_s(self, kind: str, hazards: tuple[str, ...]) -> int:
        """Seconds on scene until a silent crew is asked."""
        known = self.kinds.get(kind)
        armed = any(code in self.hazards and self.hazards[code].weapon for code in hazards)
        weapon = armed or (known is not None and known.weapon)
        return self.welfare.weapon_check_s if weapon else self.welfare.check_s

    def dispatchable_to(self, status: Status) -> int | None:
        """The least urgent priority that a unit of this status is sent to; None: to none."""
        return self.statuses[status.word].dispatchable_to

    def reasons_for(self, use: Use) -> tuple[str, ...]:
        """Codes that people may choose from today, in the file's order."""
        return tuple(
            code for code, one in self.reasons.items() if use in one.uses and not one.retired
        )

    def number_pattern(self) -> NumberPattern:
        return NumberPattern.parse(self.number, NUMBER_CHARACTERS_MAX)

    def radio_pattern(self) -> NumberPattern:
        return NumberPattern.parse(self.radio_number, RADIO_CHARACTERS_MAX)


# Tables of codes, by their name in the file.
CODE_TABLES: Final = (
    "sounds", "groups", "services", "capabilities", "hazards", "kinds", "reasons", "dispositions",
    "statuses", "replies", "alerts",
)  # fmt: skip


def codes_in(book: Codebook, table: str) -> Mapping[str, Named]:
    """One of CODE_TABLES."""
    codes: Mapping[str, Named] = getattr(book, table)
    return codes


def name_of(book: Codebook, table: str, code: str, language: Language) -> str:
    """What people read for a code; an unknown one is shown as it is."""
    found = codes_in(book, table).get(code)
    return code if found is None else found.name(language)
