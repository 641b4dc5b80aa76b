"""An export as people read it: ways driven and moments, in the order of their time.

From the records alone, whatever proves them. Called by geojson.py, gpx.py and page.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast, get_args

from matcher.core import events as ev
from matcher.journal.journal import Row
from protocol import entry as entries
from protocol import evidence_records as er
from protocol import track
from protocol.datum import Datum, to_wgs84
from protocol.dispatch import Place
from protocol.evidence_records import Held, Record
from protocol.order import Answer, AnswerMeans
from protocol.refusal import Refused
from protocol.words import Status

LatLon = tuple[float, float]
_DATUMS: Final = get_args(Datum)


@dataclass(frozen=True, slots=True)
class Point:
    """One fix of a way."""

    time_ms: int
    at: LatLon
    sog_mps: float | None


@dataclass(frozen=True, slots=True)
class Leg:
    """A terminal's way. `is_extract`: the centre's own, one fix a minute, sealed by no terminal."""

    device: str
    points: tuple[Point, ...]
    is_extract: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened. `source`: a terminal's sealed entry, or the centre's journal."""

    time_ms: int
    source: str
    number: int  # entry, or transaction
    what: str  # closed word: answer, status, issued, ...
    text: str
    at: LatLon | None


@dataclass(frozen=True, slots=True)
class Story:
    about: er.About
    legs: tuple[Leg, ...]
    moments: tuple[Moment, ...]


def story_of(records: Sequence[Record]) -> Story:
    """What the records tell."""
    about = next(one for one in records if isinstance(one, er.About))
    devices = {one.logbook: one.device for one in records if isinstance(one, er.Logbook)}
    points: dict[str, list[Point]] = {}
    moments: list[Moment] = []
    for one in records:
        if isinstance(one, er.LoggedEntry) and one.held is Held.WHOLE:
            device = devices[one.logbook]
            try:
                decoded = entries.decode(one.data)
                if isinstance(decoded.body, entries.Track):
                    points.setdefault(device, []).extend(_points(decoded.body))
            except Refused:
                continue  # kept by the centre as it came; it says nothing that can be read
            moments += _of_entry(device, one.n, decoded)
        elif isinstance(one, er.DecisionRow):
            moments += _of_row(one)
    legs = [Leg(device, tuple(way), False) for device, way in points.items()]
    legs += _extracts(records, devices)
    moments.sort(key=lambda moment: moment.time_ms)
    return Story(about, tuple(legs), tuple(moments))


def _points(body: entries.Track) -> Iterator[Point]:
    for one in track.unpack(body.packed, body.count):
        if one.fix_kind:
            sog_mps = None if one.speed_dm_s is None else one.speed_dm_s / 10
            yield Point(one.time_ms, (one.lat_e6 / 1e6, one.lon_e6 / 1e6), sog_mps)


def _extracts(records: Iterable[Record], devices: dict[bytes, str]) -> Iterator[Leg]:
    found: dict[bytes, list[Point]] = {}
    for one in records:
        if isinstance(one, er.ThinnedPoint):
            at = (one.lat_e6 / 1e6, one.lon_e6 / 1e6)
            found.setdefault(one.logbook, []).append(Point(one.time_ms, at, None))
    for logbook, points in found.items():
        yield Leg(devices[logbook], tuple(points), True)


def _of_entry(device: str, n: int, entry: entries.Entry) -> Iterator[Moment]:
    said = _said(entry.body)
    if said is not None:
        what, text = said
        here = getattr(entry.body, "here", None)
        at = None if here is None else (here.lat_e7 / 1e7, here.lon_e7 / 1e7)
        yield Moment(entry.time_ms, device, n, what, text, at)


def _said(body: entries.Body) -> tuple[str, str] | None:
    match body:
        case entries.OrderAnswer():
            means = AnswerMeans(body.means).name.lower()
            more = " ".join(x for x in (body.reason, body.disposition) if x)
            return "answer", f"{body.order} {Answer(body.answer).word} ({means}) {more}".strip()
        case entries.Delivered():
            return "delivered", f"{body.order or 'message'} {body.outcome}"
        case entries.StatusChange():
            return "status", f"{Status(body.status).word} {body.reason or ''}".strip()
        case entries.DeviceEvent():
            detail = ", ".join(f"{name}={value}" for name, value in body.detail)
            return "device", f"{body.device} {body.name} {detail}".strip()
        case entries.Alarm():
            return "alarm", f"{body.code}: {body.text}"
        case entries.Logon():
            return "logon", f"{body.unit}, crew {' '.join(body.crew)}"
        case entries.Logoff():
            return "logoff", body.reason or ""
        case _:
            return None


def _of_row(row: er.DecisionRow) -> Iterator[Moment]:
    try:
        events = Row(row.seq, row.command, row.events, row.chain).decision().events
    except (ValueError, TypeError, KeyError, IndexError):
        return  # of a release that journaled otherwise
    for event in events:
        said = _told(event)
        if said is not None:
            what, text, place = said
            at = None if place is None else wgs84_of(place)
            yield Moment(event.at_ms, "centre", row.seq, what, text, at)


def _told(event: ev.Event) -> tuple[str, str, Place | None] | None:
    match event:
        case ev.IncidentOpened():
            text = f"{event.number} {event.kind}, priority {event.priority}, {event.place.text}"
            return "reported", text.rstrip(", "), event.place
        case ev.Decided():
            near = ", ".join(f"{c.unit} {c.eta_ms / 1000:.0f} s" for c in event.candidates[:5])
            return "decided", f"{event.rule}: {event.order or 'nobody'} ({near})", None
        case ev.OrderIssued():
            return "issued", f"{event.order} to {event.unit} by {event.issuer}", None
        case ev.OrderStepped():
            return "step", f"{event.order} {event.step} by {event.by}", None
        case ev.OrderOverdue():
            return "overdue", f"{event.order} {event.what}", None
        case ev.IncidentMoved():
            return "incident", f"{event.state} by {event.by} {event.disposition or ''}", None
        case ev.AlertRaised():
            return "alert", f"{event.kind}: {event.text}", None
        case _:
            return None


def wgs84_of(place: Place) -> LatLon:
    """A place's coordinates as receivers give them; as they are where the datum is no known one."""
    lat, lon = place.lat_e7 / 1e7, place.lon_e7 / 1e7
    return to_wgs84(lat, lon, cast(Datum, place.datum)) if place.datum in _DATUMS else (lat, lon)
