"""What managers see: verified units, incidents, alerts, statistics, replies.

Retained topics are ours alone: after each connection they are published again, and what lies there
without an owner is cleared. A unit shows at most once a second, moving ones with their predicted
place; an alert until acknowledged. Units that are not open to all, and what they alone are on, show
on their group's topics only (matcher/core/visibility.py); covert ones are said again each 10 s,
since nothing of them stays at the broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from matcher import views
from matcher.core import events as ev
from matcher.core.board import INCIDENT_CLOSED, Board, Incident
from matcher.core.positions import PositionBook
from matcher.core.visibility import (
    COVERT,
    Audience,
    alert_for,
    audience_of,
    audiences_of,
    audiences_of_alert,
    is_open,
)
from matcher.engine import Engine
from matcher.refusals import Refusals
from matcher.registry import Registry
from matcher.retained import Publish, Retained, Shown
from matcher.statistics_live import LiveStatistics
from protocol import envelope, topics
from protocol import request as rq
from protocol.envelope import Kind, Signer
from protocol.words import Freshness
from runtime.clock import Clock

UNIT_INTERVAL_MS = 1_000
ALERT_INTERVAL_MS = 10_000
LOUD_INTERVAL_MS = 2_000
LOUD_ALERTS = frozenset({"sos_unacknowledged"})
SWEEP_S = 0.1
COVERT_INTERVAL_MS = 10_000  # for a desk that connects later
CLOSED_SHOWN_MS = 600_000  # for a desk that was away when it was closed


class Publisher:
    """Follows the events; `registry` is replaced when identities change."""

    def __init__(
        self,
        engine: Engine,
        book: PositionBook,
        registry: Registry,
        key: Signer,
        publish: Publish,
        refusals: Refusals,
        clock: Clock,
        statistics: LiveStatistics,
        statistics_ms: int,
    ) -> None:
        self.registry = registry
        self._engine, self._book, self._key = engine, book, key
        self._publish, self._refusals, self._clock = publish, refusals, clock
        self._fleet = registry.document.fleet
        self._dirty: set[str] = set()
        self._shown_ms: dict[str, int] = {}
        self._freshness: dict[str, Freshness] = {}
        self._alert_due_ms: dict[str, int] = {}
        self._alert_repeats: dict[str, int] = {}
        self._retained = Retained(publish)
        self._covert_due_ms = 0
        self._statistics = statistics
        self._statistics_ms, self._statistics_due_ms = statistics_ms, 0
        self.positions_taken = 0

    @property
    def _board(self) -> Board:
        return self._engine.board

    # --- events ----------------------------------------------------------------------------------

    def on_events(self, events: Sequence[ev.Event]) -> None:
        """Publish what `events` changed; called after their commit."""
        incidents: dict[str, None] = {}
        for event in events:
            incident = getattr(event, "incident", None)
            unit = getattr(event, "unit", None)
            if isinstance(event, ev.OrderStepped | ev.OrderOverdue):
                order = self._board.orders[event.order]
                incident, unit = order.incident, order.unit
            if incident:  # a request that changed none says ""
                incidents[incident] = None
            if unit is not None:
                self._dirty.add(unit)
            self._on_event(event)
        for incident in incidents:
            self.show_incident(incident)

    def _on_event(self, event: ev.Event) -> None:
        if isinstance(event, ev.RequestDone):
            self.reply(event.manager, event.enrolment, rq.decode_reply(event.reply))
        elif isinstance(event, ev.AlertRaised):
            self._show_alert(event.alert)
        elif isinstance(event, ev.AlertAcknowledged):
            self._show_alert(event.alert)
            self._alert_due_ms.pop(event.alert, None)
        elif isinstance(event, ev.VisibilitySet):
            self._show_elsewhere(event.unit)

    def on_positions(self, enrolments: Sequence[bytes]) -> None:
        """Committed just now."""
        for enrolment in enrolments:
            terminal = self._board.terminals.get(enrolment)
            unit = self._board.units.get((terminal.unit if terminal else None) or "")
            if unit is not None:
                self._dirty.add(unit.unit)
            self.positions_taken += unit is None or is_open(unit)

    def reply(self, manager: str, enrolment: bytes, reply: rq.Reply) -> None:
        """Sealed, so that no broker can answer for the centre."""
        topic = topics.reply(self._fleet, manager)
        sealed = envelope.seal(Kind.REPLY, topic, enrolment, rq.encode(reply), self._key)
        self._publish(topic, sealed, qos=1)

    # --- topics ----------------------------------------------------------------------------------

    def show_incident(self, incident_id: str) -> None:
        """Retained; the last word, once it is closed, for some minutes only."""
        incident = self._board.incidents[incident_id]
        audiences = audiences_of(self._board, incident)
        self._retained.show(incident_id, [self._incident_for(incident, one) for one in audiences])

    def _incident_for(self, incident: Incident, audience: Audience) -> Shown:
        left_ms, group = self._shown_for_ms(incident), audience.group
        topic = topics.incident(self._fleet, incident.incident)
        if group:
            topic = topics.group_incident(self._fleet, group, incident.incident)
        payload = views.incident(self._board, incident, group)
        expiry_s = None if left_ms is None else max(1, left_ms // 1000)
        return Shown(topic, payload, 1, audience.retained, expiry_s)

    def _shown_for_ms(self, incident: Incident) -> int | None:
        """None: until it is closed; 0 or less: no longer."""
        if incident.state not in INCIDENT_CLOSED:
            return None
        return incident.times_ms[incident.state] + CLOSED_SHOWN_MS - self._engine.now_ms()

    def _is_shown(self, incident: Incident) -> bool:
        left_ms = self._shown_for_ms(incident)
        return left_ms is None or left_ms > 0

    def _show_unit(self, unit_id: str, now_ms: int) -> None:
        unit = self._board.units[unit_id]
        payload, expiry_s = views.unit(self._board, unit, self._book, now_ms)
        self._freshness[unit_id] = views.freshness(unit, self._book, now_ms)
        audience = audience_of(unit)
        topic = topics.unit(self._fleet, unit_id)
        if audience.group:
            topic = topics.group_unit(self._fleet, audience.group, unit_id)
        shown = Shown(topic, payload, 0, audience.retained, expiry_s)
        self._retained.show(f"unit {unit_id}", [shown])

    def _show_elsewhere(self, unit_id: str) -> None:
        """Others may know of it now: gone there first, in this very step."""
        self._show_unit(unit_id, self._engine.now_ms())
        for incident in filter(self._is_shown, self._board.incidents.values()):
            sos = self._board.sos.get(incident.incident)
            names = {order.unit for order in self._board.orders_of(incident)}
            if unit_id in names or (sos is not None and unit_id in sos.units):
                self.show_incident(incident.incident)

    def _show_covert(self) -> None:
        for unit in self._board.units.values():
            if unit.visibility == COVERT:
                self._dirty.add(unit.unit)
        for incident in map(self._board.incidents.__getitem__, sorted(self._board.open_ids)):
            for audience in audiences_of(self._board, incident):
                if not audience.retained:
                    one = self._incident_for(incident, audience)
                    self._publish(one.topic, one.payload, qos=one.qos)

    def _show_alert(self, alert_id: str) -> None:
        alert = self._board.alerts[alert_id]
        every_ms = LOUD_INTERVAL_MS if alert.kind in LOUD_ALERTS else ALERT_INTERVAL_MS
        self._alert_due_ms[alert_id] = self._clock.monotonic_ms() + every_ms
        repeats = self._alert_repeats.get(alert_id, 0)
        self._alert_repeats[alert_id] = repeats + 1
        for audience in audiences_of_alert(self._board, alert):
            group, topic = audience.group, topics.alert(self._fleet, alert.kind)
            if group:
                topic = topics.group_alert(self._fleet, group, alert.kind)
            said = alert_for(self._board, alert, group)
            self._publish(topic, views.alert(said, repeats, self._board.book.codes), qos=1)

    def show_all(self) -> None:
        """After a connection: every retained topic that is ours, and open alerts."""
        self._dirty.update(self._board.units)
        self._shown_ms.clear()
        self._statistics_due_ms = 0
        for incident in filter(self._is_shown, self._board.incidents.values()):
            self.show_incident(incident.incident)
        for alert in self._board.alerts.values():
            if alert.acknowledged_by is None:
                self._show_alert(alert.alert)

    def clear_ghost(self, topic: str) -> None:
        """A retained message on a topic of ours that nobody owns any more, or not there."""
        if not self._is_held(topics.parse_owned(self._fleet, topic)):
            self._publish(topic, b"", qos=1, retain=True)

    def _is_held(self, owned: topics.OwnedTopic | None) -> bool:
        if owned is None or owned.kind == "statistics":
            return owned is not None
        wanted = Audience(owned.group)
        if owned.kind == "unit":
            unit = self._board.units.get(owned.leaf)
            return unit is not None and audience_of(unit) == wanted
        incident = self._board.incidents.get(owned.leaf)
        if incident is None or not self._is_shown(incident):
            return False
        return wanted in audiences_of(self._board, incident)

    # --- time ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ten times a second: what is due and may show again."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self.sweep(self._clock.monotonic_ms(), self._engine.now_ms())

    def sweep(self, monotonic_ms: int, now_ms: int) -> None:
        if not self._engine.is_settled:
            return
        self._retained.clear_again()
        if monotonic_ms >= self._covert_due_ms:
            self._covert_due_ms = monotonic_ms + COVERT_INTERVAL_MS
            self._show_covert()
        for unit_id, unit in self._board.units.items():
            changed = self._freshness.get(unit_id) != views.freshness(unit, self._book, now_ms)
            if changed or views.is_moving(unit, self._book):
                self._dirty.add(unit_id)
        for unit_id in sorted(self._dirty):
            if monotonic_ms - self._shown_ms.get(unit_id, -UNIT_INTERVAL_MS) >= UNIT_INTERVAL_MS:
                self._dirty.discard(unit_id)
                self._shown_ms[unit_id] = monotonic_ms
                if unit_id in self._board.units:
                    self._show_unit(unit_id, now_ms)
        for alert_id, due_ms in list(self._alert_due_ms.items()):
            if due_ms <= monotonic_ms:
                self._show_alert(alert_id)
        if monotonic_ms >= self._statistics_due_ms:
            self._statistics_due_ms = monotonic_ms + self._statistics_ms
            payload = views.statistics(
                self._board, self._statistics, self._refusals.counts, self.positions_taken, now_ms
            )
            self._publish(topics.statistics(self._fleet), payload, retain=True)
