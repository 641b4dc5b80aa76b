"""One press of an SOS button as an entry tells it, and which SOS it belongs to; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matcher.core.board import Board
from matcher.core.board_sos import NO_PLACE, Sos
from matcher.core.commands import EntryCame
from matcher.core.places import apart_m
from matcher.core.requests_incident import NEW
from protocol import entry as entries
from protocol.dispatch import Place
from protocol.words import Status, TimeTrust

SAME_MS: Final = 60_000
SAME_M: Final = 200
SILENT: Final = "silent"


@dataclass(frozen=True, slots=True)
class Call:
    """One press of one button."""

    source: str
    device: str  # the terminal
    unit: str | None
    place: Place | None
    silent: bool
    said_ms: int
    is_dated: bool  # whether that time may be believed


def call_of(board: Board, command: EntryCame, entry: entries.Entry) -> Call | None:
    """The press that an entry tells of; None for any other entry."""
    body, device = entry.body, command.device
    terminal = board.terminals.get(command.enrolment)
    unit = terminal.unit if terminal is not None else None
    match body:
        case entries.DeviceEvent() if body.name == "sos":
            source = f"{device}-{body.device}-{body.device_boot}-{body.event}"
            silent, here = dict(body.detail).get(SILENT) is True, body.here or command.here
        case entries.StatusChange() if body.status == Status.EMERGENCY:
            source = f"{device}-status-{entry.boot}-{command.n}"
            silent, here = body.reason == SILENT, command.here
        case _:
            return None
    place = _place_of(board, unit, here)
    is_dated = entry.time_trust >= TimeTrust.NTP
    return Call(source, device, unit, place, silent, entry.time_ms, is_dated)


def _place_of(board: Board, unit_id: str | None, here: entries.Here | None) -> Place | None:
    """Where it is: by its position, by what it said by radio, or where it was sent."""
    if here is not None:
        accuracy_m = None if here.accuracy_dm is None else here.accuracy_dm // 10
        return Place(here.lat_e7, here.lon_e7, "wgs84", "terminal", accuracy_m, "")
    unit = board.units.get(unit_id or "")
    if unit is None or unit.place is not None:
        return unit.place if unit is not None else None
    order = board.orders.get(unit.order or "")
    return board.incidents[order.incident].place if order is not None else None


def places_of(board: Board, call: Call, now_ms: int) -> list[tuple[str, float, float]]:
    """Whose travel times the decision reads: of the SOS, and of what its unit is on."""
    known = same(board, call, now_ms)
    place = board.incidents[known.incident].place if known else call.place
    found = [] if place is None else [(known.incident if known else NEW, *_degrees(place))]
    order = board.orders.get((board.units[call.unit].order if call.unit else None) or "")
    if order is not None and (known is None or order.incident != known.incident):
        found.append((order.incident, *_degrees(board.incidents[order.incident].place)))
    return found


def _degrees(place: Place) -> tuple[float, float]:
    return place.lat_e7 / 1e7, place.lon_e7 / 1e7


def open_ones(board: Board) -> list[Sos]:
    found = [sos for sos in board.sos.values() if sos.incident in board.open_ids]
    return sorted(found, key=lambda sos: (sos.raised_ms, sos.incident))


def is_seen(board: Board, call: Call) -> bool:
    """Whether this very press was told before, in whichever logbook."""
    permit = board.sos_tests.get(call.device)
    tested = permit.sources if permit is not None else ()
    return call.source in tested or any(call.source in s.sources for s in board.sos.values())


def same(board: Board, call: Call, now_ms: int) -> Sos | None:
    ones = open_ones(board)
    for sos in ones:
        if call.device in sos.devices or (call.unit is not None and call.unit in sos.units):
            return sos
    for sos in ones:
        place = board.incidents[sos.incident].place
        is_now = now_ms - sos.raised_ms <= SAME_MS and place.source != NO_PLACE
        if is_now and call.place is not None and apart_m(call.place, place) <= SAME_M:
            return sos
    return None


def is_test(board: Board, call: Call, now_ms: int) -> bool:
    """Under a permit: pressed and told within it. In doubt it is no test."""
    permit = board.sos_tests.get(call.device)
    if permit is None or now_ms > permit.until_ms or not call.is_dated:
        return False
    return call.said_ms >= permit.permitted_ms
