"""The matcher's settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from protocol.groups import Group, Visibility
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
    """`keys`, `identities`: what the authority made; the matcher writes `broker`, `requests`."""

    keys: Path = Path("/etc/outrider/centre")
    identities: Path = Path("/etc/outrider/centre")
    journal: Path = Path("/var/lib/outrider/journal.db")
    broker: Path | None = None
    board: Path | None = None  # folder for board.txt and board.html, written each minute
    districts: Path | None = None  # GeoJSON, for the statistics
    requests: Path | None = None  # renewal requests of terminals, to be carried to the authority


class RetentionSettings(Settings):
    """Days that the journal keeps things, counted from receipt; `hold` names orders of which
    nothing goes (docs/evidence.md)."""

    track_full_days: Annotated[int, Field(ge=1, le=36500)] = 30
    track_minute_days: Annotated[int, Field(ge=1, le=36500)] = 365
    health_days: Annotated[int, Field(ge=1, le=36500)] = 90
    witness_days: Annotated[int, Field(ge=1, le=36500)] = 365
    quarantine_days: Annotated[int, Field(ge=1, le=36500)] = 365
    quarantine_max: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    sweep_s: Annotated[float, Field(ge=1, le=86400)] = 3600.0
    hold: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _thins_before_it_drops(self) -> Self:
        if self.track_minute_days < self.track_full_days:
            raise ValueError("track_minute_days must not be less than track_full_days")
        return self


class UnitSettings(Settings):
    """One unit (echelon) of the fleet; `group` knows of it where it is not open to all."""

    unit: Name
    kind: Literal["car", "motorcycle", "drone", "foot"] = "car"
    officers: Annotated[int, Field(ge=0, le=16)] = 2
    capabilities: tuple[str, ...] = ()
    visibility: Visibility = "open"
    group: Group | None = None
    terminals: tuple[Name, ...] = ()  # of its vehicle: orders show there also without a log-on

    @model_validator(mode="after")
    def _is_known_to_somebody(self) -> Self:
        if self.visibility != "open" and self.group is None:
            raise ValueError(f"a {self.visibility} unit needs group = its people's role group-NAME")
        return self


class MatcherSettings(Settings):
    """The whole file."""

    fleet: Name
    name: Name = "matcher"
    mode: Literal["by_priority", "recommend", "auto_veto", "auto"] = "by_priority"
    broker: BrokerSettings = BrokerSettings()
    files: FilesSettings = FilesSettings()
    unit: tuple[UnitSettings, ...] = ()
    retention: RetentionSettings = RetentionSettings()
    position_commit_ms: Annotated[int, Field(ge=10, le=1000)] = 100
    utc_offset_min: Annotated[int, Field(ge=-840, le=840)] = 480  # of the local day and hour
    statistics_s: Annotated[float, Field(ge=0.2, le=60)] = 5.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
