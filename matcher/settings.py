"""The matcher's settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from runtime.settings import Settings

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,31}$")]


class BrokerSettings(Settings):
    """Where the broker is, and how soon a dead link is noticed."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8883
    keepalive_s: Annotated[int, Field(ge=1, le=60)] = 10
    backoff_cap_s: Annotated[float, Field(gt=0, le=300)] = 5.0
    handshake_interval_s: Annotated[float, Field(ge=0, le=60)] = 1.0


class FilesSettings(Settings):
    """`keys` holds what the authority made for the centre; `broker` is written by the matcher."""

    keys: Path = Path("/etc/outrider/centre")
    identities: Path = Path("/etc/outrider/centre")
    journal: Path = Path("/var/lib/outrider/journal.db")
    broker: Path | None = None


class UnitSettings(Settings):
    """One unit (echelon) of the fleet."""

    unit: Name
    kind: Literal["car", "motorcycle", "drone", "foot"] = "car"
    officers: Annotated[int, Field(ge=0, le=16)] = 2
    capabilities: tuple[str, ...] = ()


class MatcherSettings(Settings):
    """The whole file."""

    fleet: Name
    name: Name = "matcher"
    mode: Literal["auto", "recommend"] = "recommend"
    broker: BrokerSettings = BrokerSettings()
    files: FilesSettings = FilesSettings()
    unit: tuple[UnitSettings, ...] = ()
    position_commit_ms: Annotated[int, Field(ge=10, le=1000)] = 100
    statistics_s: Annotated[float, Field(ge=0.2, le=60)] = 5.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
