"""An SOS at the centre: whatever source it comes from, one incident of priority 0 and help at once.

One press is known by its source. A further one of the same unit or terminal, or within 60 s and
200 m of an SOS that is open, is the same SOS. Called for the entries of terminals and by the tick.
"""

from __future__ import annotations

from typing import Final

from matcher.core import events as ev
from matcher.core.board import Board, Incident
from matcher.core.board_sos import NO_PLACE, Sos
from matcher.core.commands import Estimates
from matcher.core.draft import Draft
from matcher.core.events import NO_ENTRY
from matcher.core.leaving import own_incident
from matcher.core.numbers import next_numbers
from matcher.core.offers import fill
from matcher.core.places import apart_m
from matcher.core.plans import plan_of_book
from matcher.core.requests_incident import NEW
from matcher.core.sos_call import Call, is_test, open_ones, same
from matcher.core.sos_desk import NO_PLACE_RULE
from matcher.core.updates import revise_all
from matcher.core.visibility import is_open
from protocol.dispatch import Place, Revision
from protocol.words import Status

KIND: Final = "sos"
PRIORITY: Final = 0
MOVED_M: Final = 100
FALSE_ALARM: Final = "false_alarm"
_SAYS_FALSE_ALARM: Final = "crew says false alarm; go on until told 民警称误报,未经确认请继续"
_UNKNOWN: Final = Place(0, 0, "wgs84", NO_PLACE, None, "place unknown 位置不明")


def on_call(draft: Draft, call: Call, estimates: dict[str, Estimates]) -> None:
    """Decide on a press that was not seen before."""
    if is_test(draft.board, call, draft.now_ms):
        _test(draft, call)
        return
    sos = same(draft.board, call, draft.now_ms)
    if sos is None:
        _open(draft, call, estimates)
    else:
        _join(draft, call, sos, estimates)


def _test(draft: Draft, call: Call) -> None:
    permit = draft.board.sos_tests[call.device]
    draft.emit(ev.SosTested(draft.now_ms, call.device, call.source, permit.by))
    draft.alert(
        "sos_test", f"{call.device}-{permit.permitted_ms}-{len(permit.sources)}",
        f"{call.device} ({call.unit or 'no unit'}): it works; permitted by {permit.by}",
        unit=call.unit,
    )  # fmt: skip


def _open(draft: Draft, call: Call, estimates: dict[str, Estimates]) -> None:
    board, now_ms = draft.board, draft.now_ms
    incident_id, who = draft.new_id("incident"), call.unit or call.device
    place = call.place or _UNKNOWN
    said, numbers = f"SOS {_named(board, call)}", next_numbers(board, now_ms)
    plan = plan_of_book(board, KIND, PRIORITY)
    draft.emit(
        ev.IncidentOpened(
            now_ms, incident_id, numbers.radio, KIND, PRIORITY, place, plan.units,
            plan.officers, (), said, "terminal", who, plan.capabilities, plan.alert,
            long_number=numbers.whole, serial_day=numbers.day, serial=numbers.serial,
            staging_m=plan.staging_m,
        )
    )  # fmt: skip
    draft.emit(ev.SosRaised(now_ms, incident_id, call.source, call.device, call.unit, call.silent))
    incident = board.incidents[incident_id]
    at = f"{place.lat_e7 / 1e7:.5f}, {place.lon_e7 / 1e7:.5f}" if call.place else place.text
    silent = "; SILENT 静默: do not call by radio" if call.silent else ""
    draft.alert(
        "sos", incident_id, f"{incident.number}: SOS from {who} at {at}{silent}",
        unit=call.unit, incident=incident_id, order=_own_order(board, call),
    )  # fmt: skip
    if call.place is None:
        draft.emit(ev.RuleStopped(now_ms, incident_id, True, NO_PLACE_RULE))
        draft.emit(ev.IncidentWaits(now_ms, incident_id, _UNKNOWN.text))
    _in_danger(draft, call.unit)
    if call.place is not None:
        fill(draft, incident, estimates.get(NEW))
    _backfill(draft, call.unit, estimates)


def _named(board: Board, call: Call) -> str:
    """The crew in danger as helpers read it; a hidden unit is not named."""
    unit = board.units.get(call.unit or "")
    name = call.unit if unit is not None and is_open(unit) else "officer 民警"
    return f"{name} (silent 静默)" if call.silent else f"{name}"


def _own_order(board: Board, call: Call) -> str | None:
    unit = board.units.get(call.unit or "")
    return unit.order if unit is not None else None


def _join(draft: Draft, call: Call, sos: Sos, estimates: dict[str, Estimates]) -> None:
    board, now_ms = draft.board, draft.now_ms
    incident, is_new = board.incidents[sos.incident], call.unit not in sos.units
    draft.emit(ev.SosJoined(now_ms, sos.incident, call.source, call.device, call.unit, call.silent))
    draft.alert(
        "sos_again", sos.incident,
        f"{incident.number}: {call.unit or call.device} calls {'too' if is_new else 'again'}",
        unit=call.unit, incident=sos.incident, again=True,
    )  # fmt: skip
    _in_danger(draft, call.unit)
    _follow(draft, incident, call)
    fill(draft, incident, estimates.get(sos.incident))
    _backfill(draft, call.unit, estimates)


def _follow(draft: Draft, incident: Incident, call: Call) -> None:
    """The place goes with who is in danger."""
    was_unknown = incident.place.source == NO_PLACE
    if call.place is None or (not was_unknown and apart_m(call.place, incident.place) <= MOVED_M):
        return
    draft.emit(
        ev.IncidentUpdated(
            draft.now_ms, incident.incident, int(Revision.PLACE), call.unit or call.device,
            None, None, call.place, None, None,
        )
    )  # fmt: skip
    if was_unknown:
        draft.emit(ev.RuleStopped(draft.now_ms, incident.incident, False, NO_PLACE_RULE))
    revise_all(draft, incident, Revision.PLACE)


def _in_danger(draft: Draft, unit_id: str | None) -> None:
    """Everybody sees it, and its place in the plan of what it is on is another's."""
    unit = draft.board.units.get(unit_id or "")
    if unit is None:
        return
    if unit.status != Status.EMERGENCY:
        draft.emit(
            ev.UnitStatusSet(draft.now_ms, unit.unit, Status.EMERGENCY, KIND, b"", NO_ENTRY, KIND)
        )
    order = draft.board.orders.get(unit.order or "")
    if order is None or order.attached or own_incident(draft.board, unit) is not None:
        return  # what it began itself is where it is now: helpers come there
    draft.emit(ev.OrderVacated(draft.now_ms, order.order))


def _backfill(draft: Draft, unit_id: str | None, estimates: dict[str, Estimates]) -> None:
    unit = draft.board.units.get(unit_id or "")
    order = draft.board.orders.get((unit.order if unit else None) or "")
    if order is not None:
        fill(draft, draft.board.incidents[order.incident], estimates.get(order.incident))


def of_unit(board: Board, unit: str) -> Sos | None:
    """The open SOS in which this unit's crew is."""
    return next((sos for sos in open_ones(board) if unit in sos.units), None)


def on_said(draft: Draft, sos: Sos, said: ev.SosSaid) -> None:
    """The crew set another status: told and marked, but nobody in danger closes an SOS."""
    draft.emit(said)
    incident, word = draft.board.incidents[sos.incident], Status(said.status).word
    kind = "sos_false_alarm" if said.is_false_alarm else "sos_crew_says"
    what = "false alarm" if said.is_false_alarm else f"{word} ({said.reason or 'no reason'})"
    draft.alert(
        kind, sos.incident, f"{incident.number}: {said.unit} says {what}; only you close it",
        unit=said.unit, incident=sos.incident, again=True,
    )  # fmt: skip
    if said.is_false_alarm:
        notes = f"{incident.notes}\n{_SAYS_FALSE_ALARM}"
        draft.emit(
            ev.IncidentUpdated(
                draft.now_ms, incident.incident, int(Revision.NOTE), said.unit,
                None, None, None, None, notes[-1000:],
            )
        )  # fmt: skip
        revise_all(draft, incident, Revision.NOTE)
