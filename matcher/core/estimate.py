"""Travel times of every placed unit to one incident, as integers that enter the command."""

from __future__ import annotations

from matcher.core.board import Board, Unit
from matcher.core.commands import Estimates
from matcher.core.eta.great_circle import eta_ms
from matcher.core.events import Candidate
from matcher.core.positions import PositionBook, Verified
from protocol.dispatch import Place
from protocol.entry_bodies import Here
from protocol.words import Freshness


def estimate(
    board: Board, book: PositionBook, now_ms: int, incident: str, lat: float, lon: float
) -> Estimates:
    """Candidates in unit order; units that have no usable position are named with the reason."""
    candidates, unplaced, reasons = [], [], []
    for unit_id in sorted(board.units):
        unit = board.units[unit_id]
        if not unit.terminals:
            if unit.radio_crew and unit.place is not None:
                candidates.append(_by_radio(unit, unit.place, now_ms, lat, lon))
            continue
        newest = newest_of(unit, book)
        reason = _unusable(newest, now_ms)
        if newest is None or reason is not None:
            unplaced.append(unit_id)
            reasons.append(reason or "no position yet")
        else:
            candidates.append(_candidate(unit, newest, now_ms, lat, lon))
    return Estimates(incident, tuple(candidates), tuple(unplaced), tuple(reasons))


def newest_of(unit: Unit, book: PositionBook) -> Verified | None:
    """The newest position of a unit's terminals; ties by enrolment id."""
    return _newest(unit, book.committed)


def shown_of(unit: Unit, book: PositionBook) -> Verified | None:
    """The newest that says where, for people: aged and marked, but not gone from the map."""
    return _newest(unit, book.placed) or newest_of(unit, book)


def _newest(unit: Unit, positions: dict[bytes, Verified]) -> Verified | None:
    found = [(positions[e].since_ms(), e) for e in unit.terminals if e in positions]
    return positions[max(found)[1]] if found else None


def _by_radio(unit: Unit, place: Place, now_ms: int, lat: float, lon: float) -> Candidate:
    """From where it said it was: named to a person, never sent by rule."""
    time_ms, way_m = eta_ms(unit.kind, place.lat_e7 / 1e7, place.lon_e7 / 1e7, lat, lon)
    age_ms = max(0, now_ms - unit.placed_ms)
    return Candidate(unit.unit, time_ms, way_m, age_ms, Freshness.RADIO_ONLY.value)


def _unusable(newest: Verified | None, now_ms: int) -> str | None:
    if newest is None:
        return "no position yet"
    if newest.position.lat_e7 is None:
        return "receiver has no fix"
    if newest.freshness(now_ms) is Freshness.LOST:
        return f"position lost: {newest.age_ms(now_ms) // 1000} s old"
    return newest.suspect


def _candidate(unit: Unit, newest: Verified, now_ms: int, lat: float, lon: float) -> Candidate:
    here = newest.place_at(now_ms)
    assert here is not None
    time_ms, way_m = eta_ms(unit.kind, *here, lat, lon)
    return Candidate(
        unit.unit, time_ms, way_m, newest.age_ms(now_ms), newest.freshness(now_ms).value
    )


def here_of(board: Board, book: PositionBook, enrolment: bytes, now_ms: int) -> Here | None:
    """The newest place of a terminal, else of its unit's others; None where nobody knows."""
    terminal = board.terminals.get(enrolment)
    unit = board.units.get((terminal.unit if terminal is not None else None) or "")
    found = book.placed.get(enrolment) or (shown_of(unit, book) if unit is not None else None)
    place = None if found is None else found.place_at(now_ms)
    if found is None or place is None:
        return None
    accuracy_m = found.position.accuracy_m
    return Here(
        round(place[0] * 1e7), round(place[1] * 1e7),
        None if accuracy_m is None else accuracy_m * 10, found.age_ms(now_ms),
    )  # fmt: skip
