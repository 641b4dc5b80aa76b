"""Events of crews by themselves: welfare checks, their own incidents, exercises."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnitTouched:
    """A sign of life of a crew that is on scene: a touch, or a word by radio."""

    at_ms: int
    unit: str
    by: str


@dataclass(frozen=True, slots=True)
class WelfareAsked:
    """On scene without a touch for too long; `message` is empty where no terminal can ask."""

    at_ms: int
    unit: str
    order: str
    message: str


@dataclass(frozen=True, slots=True)
class WelfareUnanswered:
    """The desk is told."""

    at_ms: int
    unit: str


@dataclass(frozen=True, slots=True)
class SelfInitiated:
    """`unit` began the incident itself and is on it."""

    at_ms: int
    incident: str
    unit: str


@dataclass(frozen=True, slots=True)
class UnitInExercise:
    """From now the unit is sent to exercises only, or (off) to live incidents only."""

    at_ms: int
    unit: str
    on: bool
    by: str
