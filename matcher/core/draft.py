"""A decision in the making: events are emitted and applied at once, so the next rule sees them.

If the transaction that should keep them fails, the board is made again from the journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from matcher.core import events as ev
from matcher.core.apply import apply
from matcher.core.board import Board, Incident, Order, Outbound
from matcher.core.exercise import marked
from matcher.core.premise_lines import as_lines, notes_at
from matcher.core.visibility import knows
from protocol import dispatch
from protocol.dispatch import Cancel, Confirm, ConfirmState, Numbered
from protocol.order import Answer, AnswerMeans, OrderKind, OrderStep

CONFIRM_LIFE_MS = 2 * 3_600_000
ANSWERED_LIFE_MS = 600_000
NOTES_MAX = 1000


@dataclass(slots=True)
class Draft:
    """Board, the command's time, and what has been decided so far."""

    board: Board
    now_ms: int
    events: list[ev.Event] = field(default_factory=list)

    def emit(self, event: ev.Event) -> None:
        apply(self.board, event)
        self.events.append(event)

    def new_id(self, what: str) -> str:
        """`i-3-17`: the 17th incident of term 3; unique for ever, since terms never return."""
        return f"{what[0]}-{self.board.term}-{self.board.made.get(what, 0) + 1}"

    def step(
        self,
        order: Order,
        step: OrderStep,
        by: str,
        means: AnswerMeans,
        *,
        at_ms: int | None = None,
        attached: bool = False,
        reason: str | None = None,
        disposition: str | None = None,
    ) -> None:
        """Move an order; `at_ms` is when it happened, where a terminal said so."""
        self.emit(
            ev.OrderStepped(
                self.now_ms if at_ms is None else at_ms,
                order.order, step, by, int(means), attached, reason, disposition,
            )
        )  # fmt: skip

    def alert(
        self,
        kind: str,
        subject: str,
        text: str,
        *,
        unit: str | None = None,
        incident: str | None = None,
        order: str | None = None,
        again: bool = False,
    ) -> None:
        """Raise an alert once per subject; with `again` once more after it was acknowledged."""
        first = alert = f"{kind.replace('_', '-')}-{subject}"
        times = 1
        while (known := self.board.alerts.get(alert)) is not None:
            if known.acknowledged_by is None or not again:
                return
            times += 1
            alert = f"{first}-{times}"
        self.emit(ev.AlertRaised(self.now_ms, alert, kind, unit, incident, order, text))

    # --- messages to terminals -------------------------------------------------------------

    def send_to_unit(self, unit: str, body: dispatch.Body, expires_ms: int) -> None:
        """Queue a message for each terminal of the unit."""
        for enrolment in sorted(self.board.reached_at(unit)):
            self.send(enrolment, body, expires_ms)

    def send(
        self,
        enrolment: bytes,
        body: dispatch.Body,
        expires_ms: int,
        before: tuple[tuple[int, int], ...] = (),
    ) -> None:
        term, counter = self.board.term, self.board.terminals[enrolment].counter + 1
        message = dispatch.encode(Numbered(term, counter, body))
        self.emit(
            ev.MessageQueued(self.now_ms, enrolment, term, counter, before, message, expires_ms)
        )

    def send_order(self, order: Order) -> None:
        """To each terminal of the unit, under that terminal's own log-on."""
        if order.by_radio:
            return
        incident = self.board.incidents[order.incident]
        body = _order_body(self.board, incident, order, self.now_ms)
        reached = self.board.reached_at(order.unit)
        for enrolment in sorted(reached):
            self.send(enrolment, replace(body, logon=reached[enrolment]), order.expires_ms)

    def send_confirm(self, order: Order, state: ConfirmState, by: str | None = None) -> None:
        if order.by_radio:
            return
        if by is not None and not knows(self.board, order.unit, by):
            by = None
        body = Confirm(order.order, order.incident, int(state), by, self.now_ms)
        self.send_to_unit(order.unit, body, self.now_ms + CONFIRM_LIFE_MS)

    def send_answered(
        self, order: Order, device: str, answer: Answer, *, counts: bool, but_not: bytes = b""
    ) -> None:
        """Tell the unit's (other) terminals who answered."""
        if order.by_radio:
            return
        expires_ms = self.now_ms + ANSWERED_LIFE_MS
        body = dispatch.Answered(order.order, device, int(answer), counts, self.now_ms, expires_ms)
        for enrolment in sorted(self.board.reached_at(order.unit)):
            if enrolment != but_not:
                self.send(enrolment, body, expires_ms)

    def send_cancel(
        self, order: Order, reason: str, issuer: str, superseded_by: str | None = None
    ) -> None:
        if order.by_radio:
            return
        expires_ms = max(order.expires_ms, self.now_ms + CONFIRM_LIFE_MS)
        body = Cancel(
            order.order, order.incident, superseded_by, reason, issuer, self.now_ms, expires_ms
        )
        self.send_to_unit(order.unit, body, expires_ms)

    def queue_again(self, enrolment: bytes, old: Outbound) -> None:
        """An undelivered message under this term's number."""
        body = dispatch.decode(old.message).body
        before = (*old.before, (old.term, old.counter))[-8:]
        self.send(enrolment, body, old.expires_ms, before)


def _notes(board: Board, incident: Incident, now_ms: int) -> str:
    """What the caller said, and what is noted of the place: unverified, and said so."""
    known = as_lines(notes_at(board, incident.place, now_ms))
    text = "\n".join(part for part in (incident.notes, known) if part)
    return marked(text, exercise=incident.exercise)[:NOTES_MAX]


def _order_body(board: Board, incident: Incident, order: Order, now_ms: int) -> dispatch.Order:
    on_it = tuple(
        o.unit
        for o in board.open_orders_of(incident)
        if o.order != order.order and knows(board, order.unit, o.unit)
    )
    return dispatch.Order(
        order=order.order,
        revision=order.revision,
        revision_class=order.revision_class,
        incident=incident.incident,
        number=incident.number,
        unit=order.unit,
        logon=order.logon,
        kind=OrderKind(order.kind),
        priority=order.priority,
        incident_kind=incident.kind,
        issued_ms=order.issued_ms,
        expires_ms=order.expires_ms,
        answer_s=order.answer_s,
        issuer=order.issuer,
        hazards=incident.hazards,
        place=incident.place,
        notes=_notes(board, incident, now_ms),
        plan=dispatch.Plan(
            incident.plan_units,
            incident.plan_officers,
            on_it,
            order.wait_for,
            order.wait_s,
            incident.staging_m,
        ),
        eta_s=None if order.eta_ms is None else round(order.eta_ms / 1000),
    )
