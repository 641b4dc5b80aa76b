"""One function per command: `decide(board, command)` changes the board and returns the events.

No clock, chance or position is read here: the command carries its time and the travel times.
"""

from __future__ import annotations

from matcher.core import events as ev
from matcher.core import sos_call, sos_time, welfare
from matcher.core.answers import incident_of, may_free_a_unit, on_entry
from matcher.core.assign import open_slot
from matcher.core.board import Board, Incident, Order
from matcher.core.book import BookInForce
from matcher.core.commands import (
    Begin,
    Command,
    EntryCame,
    Estimates,
    ManagerRequest,
    RaiseAlert,
    RaiseTerm,
    TakeCodebook,
    TakeIdentities,
    Tick,
)
from matcher.core.draft import Draft
from matcher.core.modes import UNTOUCHED_MS
from matcher.core.offers import close, fill, settle
from matcher.core.places import place_of
from matcher.core.requests import on_request
from matcher.core.requests_incident import NEW
from matcher.core.statuses import wants_place_of
from matcher.core.take_book import take_codebook
from matcher.core.updates import tell_unread, unread_until_ms
from protocol import entry as entries
from protocol import request as rq
from protocol.order import AnswerMeans, OrderKind, OrderState, OrderStep

TERM_JUMP_MAX = 100_000  # a term per start; beyond it somebody is lying
TWIN = "twin_terminal"
SHORT_AT_ONCE_MAX = 50  # incidents looked at in one command; the rest waits for the next tick


def decide(board: Board, command: Command) -> list[ev.Event]:
    """What follows from `command`; the same board and command give the same events."""
    draft = Draft(board, command.now_ms)
    match command:
        case Begin():
            _begin(draft, command)
        case RaiseTerm():
            _raise_term(draft, command.above)
        case TakeIdentities():
            _take_identities(draft, command)
        case TakeCodebook():
            take_codebook(draft, command)
        case ManagerRequest():
            estimates = _by_incident(command.estimates)
            on_request(draft, command, estimates)
            _fill_all(draft, estimates)
        case EntryCame():
            estimates = _by_incident(command.estimates)
            on_entry(draft, command, estimates)
            _fill_all(draft, estimates)
        case RaiseAlert():
            _raise(draft, command)
        case Tick():
            estimates = _by_incident(command.estimates)
            _tick(draft)
            sos_time.on_tick(draft, estimates)
            _fill_all(draft, estimates)
    return draft.events


def needs(board: Board, command: Command) -> list[tuple[str, float, float]]:
    """Incidents (id, lat, lon) whose travel times the decision may read."""
    if isinstance(command, EntryCame):
        entry = entries.decode(command.entry)
        if not may_free_a_unit(entry):
            return []
    found = {i.incident: i for i in short_incidents(board)}
    if isinstance(command, EntryCame):
        incident_id = incident_of(board, entry)
        if incident_id is not None:
            found[incident_id] = board.incidents[incident_id]
    if isinstance(command, Tick):
        for order in _due(board, command.now_ms):
            found[order.incident] = board.incidents[order.incident]
        for sos in sos_time.due(board, command.now_ms):
            found[sos.incident] = board.incidents[sos.incident]
    places = [_place_of(incident) for incident in found.values()]
    if isinstance(command, EntryCame):
        call = sos_call.call_of(board, command, entry)
        more = () if call is None else sos_call.places_of(board, call, command.now_ms)
        places += [one for one in more if one[0] not in found]
    if isinstance(command, ManagerRequest):
        places += _needs_of_request(board, command, found)
    return places


def wants_place(command: EntryCame) -> bool:
    """Whether its unit's position belongs to the decision: it may open an incident there."""
    return wants_place_of(entries.decode(command.entry))


def _needs_of_request(
    board: Board, command: ManagerRequest, found: dict[str, Incident]
) -> list[tuple[str, float, float]]:
    request = rq.decode_request(command.payload)
    if isinstance(request, rq.Report):
        return [(NEW, *place_of(request))]
    wanted = {getattr(request, "incident", "")}
    if isinstance(request, rq.Merge):
        wanted.add(request.into)
    if isinstance(request, rq.Reassign | rq.AnswerByVoice):
        unit = board.units.get(getattr(request, "unit", ""))
        held = board.orders.get(getattr(request, "order", unit.order if unit else None) or "")
        wanted |= {held.incident} if held else set()
    found_ids = sorted(wanted.intersection(board.incidents).difference(found))
    return [_place_of(board.incidents[incident]) for incident in found_ids]


def _place_of(incident: Incident) -> tuple[str, float, float]:
    return incident.incident, incident.place.lat_e7 / 1e7, incident.place.lon_e7 / 1e7


def short_incidents(board: Board) -> list[Incident]:
    """Open incidents with a place of the plan that nobody is asked for, most urgent first."""
    short = [i for i in board.open_incidents() if open_slot(board, i) is not None]
    return short[:SHORT_AT_ONCE_MAX]


def next_deadline_ms(board: Board) -> int | None:
    """When a tick is due next, whatever else happens."""
    times = [_deadline_ms(board.book, order) for order in board.offered_orders()]
    times += [due for i in board.open_incidents() if (due := _waits_until_ms(i)) is not None]
    times += unread_until_ms(board) + sos_time.deadlines_ms(board) + welfare.deadlines_ms(board)
    times += [m.expires_ms for waiting in board.outbound.values() for m in waiting]
    return min(times, default=None)


def _waits_until_ms(incident: Incident) -> int | None:
    """When a recommendation is sent by rule, or told once more; None: nothing is due."""
    if incident.due_ms is not None:
        return incident.due_ms
    if incident.recommended and not incident.escalated:
        return incident.waits_since_ms + UNTOUCHED_MS
    return None


def _deadline_ms(book: BookInForce, order: Order) -> int:
    if order.kind == OrderKind.ALERT or order.by_radio:
        return order.expires_ms
    limit_ms = book.delivery_limit_ms(order.priority)
    if order.state == OrderState.ISSUED:
        due = order.issued_ms + limit_ms
        if order.overdue == "undelivered":
            due = (
                order.issued_ms + limit_ms + order.answer_s * 1000
                if book.silence_releases(order.priority)
                else order.expires_ms
            )
    elif order.overdue == "unanswered":
        due = order.expires_ms
    else:
        due = order.times_ms[OrderState.DELIVERED] + order.answer_s * 1000
    return min(due, order.expires_ms)


def _by_incident(estimates: tuple[Estimates, ...]) -> dict[str, Estimates]:
    return {one.incident: one for one in estimates}


def _fill_all(draft: Draft, estimates: dict[str, Estimates]) -> None:
    for incident in short_incidents(draft.board):
        if incident.incident in estimates:
            fill(draft, incident, estimates[incident.incident])


def _begin(draft: Draft, command: Begin) -> None:
    """Take over: a new term, and every open undelivered message again under it."""
    _new_term(draft, draft.board.term + 1)
    units = draft.board.units
    changed = [
        spec
        for spec in command.units
        if spec.unit in units and units[spec.unit].configured != (spec.visibility, spec.group)
    ]
    draft.emit(ev.FleetConfigured(command.now_ms, command.mode, command.units))
    for spec in changed:  # what a supervisor has set meanwhile holds over restarts
        draft.emit(
            ev.VisibilitySet(
                command.now_ms, spec.unit, spec.visibility, spec.group, "rule:settings"
            )
        )


def _new_term(draft: Draft, term: int) -> None:
    undelivered = {e: tuple(waiting) for e, waiting in draft.board.outbound.items() if waiting}
    draft.emit(ev.TermBegan(draft.now_ms, term))
    for enrolment in sorted(undelivered):
        for waiting in undelivered[enrolment]:
            if waiting.expires_ms > draft.now_ms:
                draft.queue_again(enrolment, waiting)


def _raise_term(draft: Draft, above: int) -> None:
    """After a restore: numbers of our term may have been used before, so begin a later one."""
    board = draft.board
    if above < board.term:
        return
    if above > board.term + TERM_JUMP_MAX:
        draft.alert("impossible_term", str(above), f"a terminal claims term {above}")
        return
    draft.alert("restored_journal", str(above), f"terminals have seen term {above}; taking it over")
    _new_term(draft, above + 1)


def _take_identities(draft: Draft, command: TakeIdentities) -> None:
    if command.version > draft.board.identities_version:
        draft.emit(
            ev.IdentitiesTaken(command.now_ms, command.version, command.digest, command.terminals)
        )


def _raise(draft: Draft, command: RaiseAlert) -> None:
    if command.alert not in draft.board.alerts:
        draft.emit(
            ev.AlertRaised(
                command.now_ms, command.alert, command.kind, command.unit, None, None, command.text
            )
        )
        if command.kind == TWIN and command.unit in draft.board.units:
            # nobody knows which of the two stands where: a person decides
            draft.emit(ev.UnitHeld(command.now_ms, command.unit, on=True, by=TWIN))


def _tick(draft: Draft) -> None:
    for order in _due(draft.board, draft.now_ms):
        _overdue(draft, order)
    for incident in draft.board.open_incidents():
        _untouched(draft, incident)
    tell_unread(draft)
    welfare.on_tick(draft)
    for enrolment in sorted(draft.board.outbound):
        for waiting in tuple(draft.board.outbound[enrolment]):
            if waiting.expires_ms <= draft.now_ms:
                draft.emit(
                    ev.MessageExpired(draft.now_ms, enrolment, waiting.term, waiting.counter)
                )


def _untouched(draft: Draft, incident: Incident) -> None:
    """A recommendation that nobody took up: every desk hears it once more."""
    until_ms = _waits_until_ms(incident)
    if incident.due_ms is None and until_ms is not None and until_ms <= draft.now_ms:
        draft.emit(ev.Escalated(draft.now_ms, incident.incident))
        best = ", ".join(c.unit for c in incident.recommended)
        draft.alert(
            "recommendation_untouched", f"{incident.incident}-{incident.waits_since_ms}",
            f"{incident.number}: nobody was sent for {UNTOUCHED_MS // 1000} s; best: {best}",
            incident=incident.incident,
        )  # fmt: skip


def _due(board: Board, now_ms: int) -> list[Order]:
    """Offered orders whose next limit has passed, oldest first."""
    return [order for order in board.offered_orders() if _deadline_ms(board.book, order) <= now_ms]


def _overdue(draft: Draft, order: Order) -> None:
    """Silence: the next best is added, or (at 3-4, as the codebook says) another is asked."""
    incident = draft.board.incidents[order.incident]
    if order.kind == OrderKind.ALERT:
        draft.step(order, OrderStep.EXPIRE, "rule:alert-life", AnswerMeans.AUTOMATIC)
        return
    undelivered = order.state == OrderState.ISSUED
    if draft.now_ms >= order.expires_ms or (
        draft.board.book.silence_releases(order.priority)
        and not (undelivered and order.overdue is None)
    ):
        close(draft, order, OrderStep.EXPIRE, "no_answer", "rule:answer-time")
        settle(draft, incident)
        return
    what = "undelivered" if undelivered else "unanswered"
    draft.emit(ev.OrderOverdue(draft.now_ms, order.order, what))
    kind = "call_by_radio" if undelivered else "no_answer"
    text = f"{incident.number}: {order.unit} {'not reached' if undelivered else 'does not answer'}"
    draft.alert(
        kind, order.order, text, unit=order.unit, incident=order.incident, order=order.order
    )
