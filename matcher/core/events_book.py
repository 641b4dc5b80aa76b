"""Events of the codebook: the one in force, and what it made of an incident."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodebookTaken:
    """From here this codebook holds. The text itself: a replay decides by what held then."""

    at_ms: int
    version: int
    digest: bytes
    text: str


@dataclass(frozen=True, slots=True)
class CallReferred:
    """Not the police's: told to these services, no unit is sent by rule. It can be reopened."""

    at_ms: int
    incident: str
    services: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class PlanRaised:
    """Kind or priority were corrected: the plan of the codebook for what it is now."""

    at_ms: int
    incident: str
    units: int
    officers: int
    capabilities: tuple[str, ...]
    alert: bool
    staging_m: int | None
    by: str
