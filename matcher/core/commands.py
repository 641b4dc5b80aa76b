"""What is asked of the core: each command with its time and all that its decision may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from matcher.core.events import Candidate, UnitSpec
from protocol.entry_bodies import Here


@dataclass(frozen=True, slots=True)
class Estimates:
    """Travel times to one incident ("new": the one being reported)."""

    incident: str
    candidates: tuple[Candidate, ...]
    unplaced: tuple[str, ...]  # units whose position is unknown, lost or suspect, with reason
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """A matcher starts: takes the next term and states its settings."""

    now_ms: int
    mode: str
    units: tuple[UnitSpec, ...]


@dataclass(frozen=True, slots=True)
class RaiseTerm:
    """A terminal has seen a later term than ours: this journal is an older one, restored."""

    now_ms: int
    above: int


@dataclass(frozen=True, slots=True)
class TakeIdentities:
    now_ms: int
    version: int
    digest: bytes
    terminals: tuple[tuple[bytes, str], ...]


@dataclass(frozen=True, slots=True)
class TakeCodebook:
    """A codebook whose seal holds, or at the first start the one that comes with Outrider."""

    now_ms: int
    text: str  # TOML


@dataclass(frozen=True, slots=True)
class ManagerRequest:
    """A sealed request whose seal, role and times hold; `payload` is its JSON."""

    now_ms: int
    enrolment: bytes
    manager: str
    person: str
    payload: bytes
    estimates: tuple[Estimates, ...]
    roles: tuple[str, ...] = ()  # of the person


@dataclass(frozen=True, slots=True)
class EntryCame:
    """A logbook entry of a terminal, committed in the same transaction."""

    now_ms: int
    enrolment: bytes
    device: str
    n: int
    entry: bytes
    estimates: tuple[Estimates, ...]
    here: Here | None = None  # where its unit is, for an entry that opens an incident there


@dataclass(frozen=True, slots=True)
class RaiseAlert:
    """A finding of the shell that people must see, e.g. a twin terminal."""

    now_ms: int
    alert: str
    kind: str
    unit: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes: answer times, delivery limits, waiting incidents."""

    now_ms: int
    estimates: tuple[Estimates, ...]


Command: TypeAlias = (
    Begin | RaiseTerm | TakeIdentities | TakeCodebook | ManagerRequest | EntryCame | RaiseAlert
    | Tick
)  # fmt: skip
COMMANDS: Final = Command.__args__
