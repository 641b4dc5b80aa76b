"""`outrider matcher run`: wires the ports to the tasks, all under one roof.

Any task's failure ends the process; systemd starts it again and the journal says where it was.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from matcher.board_task import BoardTask
from matcher.broker.guard import make_guard
from matcher.centre_keys import CentreKeys
from matcher.core.commands import Begin, TakeCodebook, Tick
from matcher.core.decide import next_deadline_ms, short_incidents
from matcher.core.events import Event, UnitSpec
from matcher.core.positions import PositionBook
from matcher.districts_file import load_districts
from matcher.documents_task import DocumentsTask, Ports
from matcher.engine import Engine
from matcher.identities_task import IdentitiesTask
from matcher.ingest import Ingest
from matcher.journal.journal import Journal
from matcher.journal.logbooks import load_chains
from matcher.journal.schema import SCHEMA
from matcher.link import CentreLink
from matcher.logbooks import Logbooks
from matcher.outbox import Outbox
from matcher.position_task import PositionTask, load_floors
from matcher.publisher import Publisher
from matcher.refusals import Refusals
from matcher.registry import Registry
from matcher.reminder import Reminder
from matcher.retention_task import RetentionTask
from matcher.sessions import Sessions, load_sessions
from matcher.settings import MatcherSettings
from matcher.statistics_live import LiveStatistics
from protocol.codebook_shipped import shipped_text
from runtime.faults import ConfigFault, StoreFull
from runtime.log import Log, get_log
from runtime.service import Service, run_daemon
from runtime.settings import load
from runtime.store import Store

TICK_S = 0.25


def main(config: Path) -> int:
    """Run until told to stop; 78 for a configuration fault."""

    async def run(service: Service) -> None:
        settings = load(config, MatcherSettings)
        log = get_log("matcher", service.clock)
        with Store(settings.files.journal, SCHEMA, clock=service.clock) as store:
            await Centre(settings, store, service, log).run()

    return run_daemon(run, log_level=_log_level(config))


def _log_level(config: Path) -> str:
    """Of a file that may be wrong; `run` says what is wrong with it."""
    try:
        return load(config, MatcherSettings).log_level
    except ConfigFault:
        return "info"


class Centre:
    """All parts of one matcher."""

    def __init__(self, settings: MatcherSettings, store: Store, service: Service, log: Log) -> None:
        clock = service.clock
        self.settings, self.store, self.service, self.log = settings, store, service, log
        self.keys = CentreKeys.load(settings.files.keys, settings.fleet, settings.name)
        self.refusals = Refusals(log)
        self.book = PositionBook()
        self.engine = Engine(Journal(store), self.book, clock)
        self.link = CentreLink(settings, random.Random(), log, clock)
        self.outbox = Outbox(self.keys.dispatch, self.link.send_order, clock)
        self.logbooks = Logbooks(
            self.engine, store.commit_now(load_chains), self.keys.receipt,
            self.link.send_receipt, self.refusals,
        )  # fmt: skip
        self.guard = make_guard(
            settings, self.engine, self.link, self._on_broker_healed, clock, log
        )
        self.identities = IdentitiesTask(
            settings.files.identities, self.guard, settings.fleet, self.keys,
            self.engine, self._on_registry, log,
        )  # fmt: skip
        self.documents = DocumentsTask(
            settings.files.identities, settings.files.requests, settings.fleet, self.keys,
            settings.files.keys, store, self.engine,
            Ports(
                self.link.send_order, self.link.publish, self.identities.trust, self._registry,
                lambda: self.outbox.load(self.engine.board, self._registry()),
            ),
            clock, log,
        )  # fmt: skip
        self.sessions = Sessions(
            store.commit_now(load_sessions), store, self.engine, self.logbooks,
            self.keys.dispatch, self.link.send_order, self.documents.trust,
            self.outbox.repeat_for,
        )  # fmt: skip
        self.reminder = Reminder(self.sessions, store, self.engine, self._registry, log)
        self.position_task = PositionTask(self.book, store, settings.position_commit_ms / 1000, log)
        self.logbooks.on_entries = self.documents.on_entries
        self.sessions.on_birth = self.documents.on_birth
        self.statistics = LiveStatistics(
            self.engine, store, load_districts(settings.files.districts), settings.utc_offset_min,
            log,
        )  # fmt: skip
        self.retention = RetentionTask(settings.retention, store, self.engine.now_ms, log)
        self._board_changed = asyncio.Event()
        self.registry: Registry | None = None

    async def take_over(self) -> None:
        """Everything up to the first message: documents, positions, the new term, open messages."""
        store, engine = self.store, self.engine
        self.book.floors = store.commit_now(load_floors)
        await self.identities.take_first()
        self.documents.take_first()
        registry = self._registry()
        self.position_task.reload(store.commit_now(_sealed_positions), registry)
        self.publisher = Publisher(
            engine, self.book, registry, self.keys.dispatch, self.link.publish,
            self.refusals, self.service.clock, self.statistics,
            round(self.settings.statistics_s * 1000),
        )  # fmt: skip
        self.ingest = Ingest(
            registry, engine, self.book, self.logbooks, self.sessions,
            self.publisher.reply, self.refusals, self.log,
        )  # fmt: skip
        self.position_task.on_committed = self.publisher.on_positions
        await engine.run(
            Begin(engine.now_ms(), self.settings.mode, self._units()), *self._first_codebook()
        )
        self.outbox.load(engine.board, registry)
        engine.listen(self._on_events)
        self.statistics.begin()

    async def run(self) -> None:
        """Take over the fleet, then serve."""
        await self.take_over()
        engine, registry = self.engine, self._registry()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.link.run(), name="link")
                tasks.create_task(self._consume(), name="ingest")
                tasks.create_task(self._tick(), name="tick")
                tasks.create_task(self.outbox.run(), name="outbox")
                tasks.create_task(self.publisher.run(), name="publisher")
                board = BoardTask(self.settings.files.board, engine, self.log)
                tasks.create_task(board.run(), name="board")
                tasks.create_task(self.position_task.run(), name="positions")
                tasks.create_task(self.retention.run(), name="retention")
                tasks.create_task(self.identities.run(), name="identities")
                if self.guard is not None:
                    tasks.create_task(self.guard.run(), name="broker")
                tasks.create_task(self.documents.run(), name="documents")
                tasks.create_task(self.reminder.run(), name="reminder")
                tasks.create_task(self.statistics.run(), name="statistics")
                self.service.ready(f"term {engine.board.term}, {len(registry.terminals)} terminals")
        finally:
            # a replay of the journal must come to the same state
            journaled, state = engine.journaled, engine.board.digest()
            self.log.info("served", transactions=journaled, state=state)

    def _first_codebook(self) -> tuple[TakeCodebook, ...]:
        """What comes with Outrider, where the journal names none: decisions replay by it."""
        if self.engine.board.book.is_journaled:
            return ()
        return (TakeCodebook(self.engine.now_ms(), shipped_text()),)

    def _units(self) -> tuple[UnitSpec, ...]:
        return tuple(
            UnitSpec(
                u.unit, u.kind, u.officers, u.capabilities, u.visibility, u.group or "", u.terminals
            )
            for u in self.settings.unit
        )

    def _registry(self) -> Registry:
        assert self.registry is not None
        return self.registry

    def _on_registry(self, registry: Registry) -> None:
        """A new version of the identities document holds."""
        before, self.registry = self.registry, registry
        if before is not None:
            self.ingest.registry = self.publisher.registry = registry
            self.book.forget(set(before.by_enrolment) - set(registry.by_enrolment))
            self.outbox.load(self.engine.board, registry)

    def _on_broker_healed(self) -> None:
        """What was published while it was broken may have reached nobody."""
        self.publisher.show_all()

    def _on_events(self, events: Sequence[Event]) -> None:
        self.outbox.on_events(events, self._registry())
        self.publisher.on_events(events)
        self._board_changed.set()

    async def _consume(self) -> None:
        """One message after the other; the broker is released only when it is kept or refused."""
        progress = self.service.watch("ingest", 30)
        async for event in self.link.events(progress.made):
            if event.is_new_connection:
                await self.engine.settled()
                self.documents.on_connection()
                self.publisher.show_all()
                self.outbox.repeat_all()
                self.ingest.connected()
                self.reminder.soon()
            elif event.is_own:
                self.publisher.clear_ghost(event.topic)
            else:
                await self.ingest.take(event.topic, event.payload, retained=event.retained)
                self.link.release(event)

    async def _tick(self) -> None:
        """Let time pass for the core: at each deadline, and while an incident waits."""
        while True:
            self._board_changed.clear()
            now_ms, due_ms = self.engine.now_ms(), next_deadline_ms(self.engine.board)
            if (due_ms is not None and due_ms <= now_ms) or short_incidents(self.engine.board):
                try:
                    await self.engine.run(Tick(now_ms, ()))
                except StoreFull as full:
                    self.log.limited("journal_full", str(full), remedy="free space")
            await asyncio.sleep(TICK_S)


def _sealed_positions(db: sqlite3.Connection) -> list[tuple[bytes, bytes, int]]:
    return db.execute("SELECT enrolment, sealed, received_ms FROM position").fetchall()
