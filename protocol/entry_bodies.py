"""What a logbook entry can say: one record a kind. Their codec and numbers are in `entry`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from protocol.pruned import Pruned


@dataclass(frozen=True, slots=True)
class Here:
    """Where the terminal was at the entry's instant; `age_ms` is the fix's age."""

    lat_e7: int
    lon_e7: int
    accuracy_dm: int | None
    age_ms: int


@dataclass(frozen=True, slots=True)
class Start:
    """The first entry of each boot; of a new logbook after a re-enrolment it names the old one."""

    version: str
    unclean: bool  # the boot before did not end by itself
    old_logbook: bytes | None
    old_head: bytes | None


@dataclass(frozen=True, slots=True)
class Track:
    """At most 60 s of fixes, packed by protocol/track.py."""

    codec: int
    count: int
    packed: bytes


@dataclass(frozen=True, slots=True)
class StatusChange:
    status: int  # words.Status
    reason: str | None


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    order: str
    revision: int
    answer: int  # order.Answer
    means: int  # order.AnswerMeans
    reason: str | None
    disposition: str | None
    here: Here | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A dispatch message was kept; one transaction with the keeping."""

    term: int
    counter: int
    order: str | None
    revision: int | None
    outcome: str  # shown, kept, wrong_logon, cancelled_before, expired


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """What a recorder, board, locator or drone reported, with the instant's position and order."""

    device: str
    device_kind: str
    device_boot: int
    event: int
    name: str
    device_time_ms: int | None
    detail: tuple[tuple[str, Any], ...]
    here: Here | None
    order: str | None


@dataclass(frozen=True, slots=True)
class Alarm:
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Health:
    """Figures by name, e.g. written bytes, reconnects, refused messages by reason."""

    figures: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Configured:
    kind: str  # configuration, codebook, roster, trust
    version: int


@dataclass(frozen=True, slots=True)
class Thinned:
    """Entries of which only the digest is kept, by rule `rule`."""

    rule: str
    count: int
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class NewKey:
    """Sealed by the old key, names the new one."""

    public_key: bytes


@dataclass(frozen=True, slots=True)
class Renewal:
    """The terminal asks for its next certificate: a sealed request (protocol/renewal.py)."""

    request: bytes


@dataclass(frozen=True, slots=True)
class MessageAnswer:
    """The crew has read a message (`read`), or answers it by a code of the codebook."""

    message: str
    code: str


@dataclass(frozen=True, slots=True)
class Logon:
    """Binds unit, vehicle and crew to this terminal; its own number is the log-on number."""

    number: int
    unit: str
    vehicle: str | None
    crew: tuple[str, ...]
    driver: str | None
    recorders: tuple[tuple[str, str | None], ...]  # recorder, officer


@dataclass(frozen=True, slots=True)
class Logoff:
    number: int
    reason: str | None


Body: TypeAlias = (
    Start | Track | StatusChange | OrderAnswer | Delivered | DeviceEvent | Alarm | Health
    | Configured | Thinned | NewKey | Logon | Logoff | Renewal | MessageAnswer | Pruned
)  # fmt: skip
